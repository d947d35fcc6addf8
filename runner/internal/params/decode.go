package params

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/protocol"
)

// maxDepth is how deep parameters may nest; nobody writes more by hand, and what
// reads them downstream often recurses.
const maxDepth = 200

// decodeSource reads a params file or stdin into a tree: map[string]any, []any,
// string, bool, nil, int64, uint64, float64, and json.Number for a whole number
// that fits none of these.
func decodeSource(data []byte, name string) (map[string]any, error) {
	if len(data) > protocol.MaxParams {
		return nil, fmt.Errorf("%s: is %s, more than the %s that parameters may have", name, size(len(data)), size(protocol.MaxParams))
	}
	data, err := trimBOM(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("%s: is empty, want a JSON or YAML object", name)
	}
	yaml := isYAML(name, data)
	if yaml {
		if data, err = manifest.YAMLToJSON(data); err != nil {
			return nil, fmt.Errorf("%s: not YAML: %s", name, firstLine(err))
		}
		if string(data) == "null" { // comments alone
			return map[string]any{}, nil
		}
		if len(data) > protocol.MaxParams {
			return nil, fmt.Errorf("%s: is %s as JSON, more than the %s that parameters may have", name, size(len(data)), size(protocol.MaxParams))
		}
	}
	v, err := decodeJSON(data)
	if err != nil {
		var at *positionError
		if errors.As(err, &at) && !yaml {
			line, column := position(data, at.offset)
			return nil, fmt.Errorf("%s:%d:%d: %w", name, line, column, err)
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	object, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s: holds %s, want an object", name, describe(v, false))
	}
	return object, nil
}

// isYAML goes by the extension; without a telling one, what opens with a brace
// is JSON.
func isYAML(name string, data []byte) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".json":
		return false
	case ".yml", ".yaml":
		return true
	}
	return !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))
}

func trimBOM(data []byte) ([]byte, error) {
	if bytes.HasPrefix(data, []byte{0xFF, 0xFE}) || bytes.HasPrefix(data, []byte{0xFE, 0xFF}) {
		return nil, errors.New("is UTF-16, want UTF-8")
	}
	return bytes.TrimPrefix(data, []byte("\uFEFF")), nil
}

// positionError is an error at a byte of the text.
type positionError struct {
	offset int
	text   string
}

func (e *positionError) Error() string { return e.text }

func position(data []byte, offset int) (line, column int) {
	before := data[:min(offset, len(data))]
	return bytes.Count(before, []byte("\n")) + 1, len(before) - bytes.LastIndexByte(before, '\n')
}

// decodeJSON reads exactly one strict JSON value.
func decodeJSON(data []byte) (any, error) {
	d := newDecoder(data)
	v, err := d.value()
	if err != nil {
		return nil, err
	}
	return v, d.end()
}

// decoder reads strict JSON: no key twice, valid UTF-8, bounded depth.
type decoder struct {
	text []byte
	json *jsontext.Decoder
}

func newDecoder(data []byte) *decoder {
	return &decoder{text: data, json: jsontext.NewDecoder(bytes.NewBuffer(data))}
}

// end refuses anything after the value.
func (d *decoder) end() error {
	if _, err := d.json.ReadToken(); err == nil {
		return d.fail("there is more after the JSON value")
	} else if !errors.Is(err, io.EOF) {
		return d.explain(err)
	}
	return nil
}

func (d *decoder) value() (any, error) {
	switch d.json.PeekKind() {
	case '{':
		object := map[string]any{}
		err := d.members(func(key string) (err error) {
			object[key], err = d.value()
			return err
		})
		return object, err
	case '[':
		array := []any{}
		err := d.items(func() error {
			v, err := d.value()
			array = append(array, v)
			return err
		})
		return array, err
	}
	t, err := d.json.ReadToken()
	if err != nil {
		return nil, d.explain(err)
	}
	switch t.Kind() {
	case '"':
		return d.str(t)
	case '0':
		v, err := number(t.String())
		if err != nil {
			return nil, d.fail(err.Error())
		}
		return v, nil
	case 'n':
		return nil, nil
	default:
		return t.Kind() == 't', nil
	}
}

// members reads an object; each reads the value of one key.
func (d *decoder) members(each func(key string) error) error {
	return d.inside('{', func() error {
		t, err := d.json.ReadToken()
		if err != nil {
			return d.explain(err)
		}
		key, err := d.str(t)
		if err != nil {
			return err
		}
		return each(key)
	})
}

// items reads an array; each reads one element.
func (d *decoder) items(each func() error) error { return d.inside('[', each) }

func (d *decoder) inside(open jsontext.Kind, each func() error) error {
	t, err := d.json.ReadToken()
	if err != nil {
		return d.explain(err)
	}
	if t.Kind() != open {
		return d.fail("want " + map[jsontext.Kind]string{'{': "an object", '[': "an array"}[open])
	}
	if d.json.StackDepth() > maxDepth {
		return d.fail(fmt.Sprintf("nests deeper than %d levels", maxDepth))
	}
	for {
		switch d.json.PeekKind() {
		case '}', ']':
			if _, err := d.json.ReadToken(); err != nil {
				return d.explain(err)
			}
			return nil
		}
		if err := each(); err != nil {
			return err
		}
	}
}

// str refuses NUL: neither an argument, a variable nor a PostgreSQL text can
// carry it, so it would be cut or refused far from where it was written.
func (d *decoder) str(t jsontext.Token) (string, error) {
	s := t.String()
	if strings.IndexByte(s, 0) >= 0 {
		return "", d.fail("a NUL character is not allowed")
	}
	return s, nil
}

func (d *decoder) fail(text string) error {
	return &positionError{offset: int(d.json.InputOffset()), text: text}
}

// explain words a syntax error for people who write parameters.
func (d *decoder) explain(err error) error {
	var bad *jsontext.SyntacticError
	if !errors.As(err, &bad) {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("not JSON: %w", err)
	}
	offset := int(bad.ByteOffset)
	rest := d.text[min(offset, len(d.text)):]
	text := fmt.Sprintf("not JSON: %v", bad.Err)
	switch {
	case errors.Is(bad.Err, jsontext.ErrDuplicateName):
		text = fmt.Sprintf("key %q is there twice", bad.JSONPointer.LastToken())
	case errors.Is(bad.Err, io.ErrUnexpectedEOF):
		text = "not JSON: ends in the middle of a value"
	case bytes.HasPrefix(rest, []byte{0}):
		text = "a NUL byte is not allowed"
	}
	for _, word := range []string{"NaN", "Infinity", "-Infinity", "nan", "inf"} {
		if bytes.HasPrefix(rest, []byte(word)) {
			text = fmt.Sprintf("%s is not a JSON number", word)
		}
	}
	return &positionError{offset: offset, text: text}
}

// number keeps whole numbers exact whatever their size.
func number(text string) (any, error) {
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, errors.New("a number is out of range")
	}
	if strings.ContainsAny(text, ".eE") {
		return f, nil
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, nil
	}
	if u, err := strconv.ParseUint(text, 10, 64); err == nil {
		return u, nil
	}
	return json.Number(text), nil
}

// firstLine leaves out the excerpt of the source, which may hold a secret.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func size(n int) string { return humanize.IBytes(uint64(n)) }
