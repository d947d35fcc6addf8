package params

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep parameters may nest; nobody writes more by hand, and what
// reads them downstream often recurses.
const maxDepth = 200

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
	if next := bytes.TrimLeft(rest, ", \t\r\n"); len(next) > 0 && rest[0] == ',' && (next[0] == '}' || next[0] == ']') {
		text = "a comma too much"
	}
	if offset > 0 && d.text[offset-1] == '-' {
		offset--
		rest = d.text[offset:]
	}
	for _, word := range []string{"NaN", "Infinity", "-Infinity", "nan", "inf", "-inf"} {
		if bytes.HasPrefix(rest, []byte(word)) {
			text = word + " is not a JSON number"
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
	if f == 0 {
		return int64(0), nil // -0.0 too
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
