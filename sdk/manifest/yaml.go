package manifest

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of the dialect. They keep a small file from becoming a large burden;
// no file that a person writes comes near them.
const (
	// MaxYAML is the size of a YAML document, in bytes. Larger data belongs in
	// JSON.
	MaxYAML = 4 << 20
	// maxYAMLTokens bounds memory: the parser takes some 500 bytes for each.
	maxYAMLTokens = 250_000
	// maxYAMLKeys bounds one block mapping, as the parser's time and memory
	// grow with the square of its keys.
	maxYAMLKeys = 10_000
	// maxYAMLDepth bounds nesting, with aliases followed.
	maxYAMLDepth = 200
	// maxYAMLAlias bounds what aliases add to a document: nodes, where a long
	// text counts as one for each 64 bytes.
	maxYAMLAlias = 100_000
)

// YAMLError is what is wrong with a document, and where.
type YAMLError struct {
	Line, Column int    // from 1; 0 when the place is not known
	Path         string // of the field, such as sources[2].url; may be empty
	Msg          string
}

func (e *YAMLError) Error() string {
	var b strings.Builder
	if e.Line > 0 {
		fmt.Fprintf(&b, "line %d, column %d: ", e.Line, e.Column)
	}
	if e.Path != "" {
		b.WriteString(e.Path + ": ")
	}
	return b.String() + e.Msg
}

// DecodeYAML reads one YAML document into v, a pointer, in the strict dialect
// of every Outrider file: YAML 1.2 with merge keys, no tags but !!str, and
// nothing that is not understood. An unknown key, a key given twice, a value of
// the wrong type, .nan and .inf are refused by a *YAMLError. An empty document
// leaves v as it is, so v may be filled with defaults before.
//
// Fields are named by their `json` tags, as the document is decoded by way of
// JSON: a field of type json.RawMessage takes any value, types may have
// UnmarshalJSON or UnmarshalText. A time.Duration is written as 1h30m.
func DecodeYAML(data []byte, v any) error {
	doc, err := parseYAML(data)
	if err != nil || doc == nil {
		return err
	}
	doc.intKeys = true // for maps such as exit_codes; JSON writes them as text
	text, err := doc.json()
	if err != nil || string(text) == "null" {
		return err
	}
	err = jsonv2.Unmarshal(text, v,
		jsonv2.RejectUnknownMembers(true),
		jsonv2.WithUnmarshalers(jsonv2.UnmarshalFromFunc(decodeDuration)))
	var wrong *jsonv2.SemanticError
	if errors.As(err, &wrong) {
		return doc.explain(text, wrong)
	}
	return err
}

// YAMLToJSON turns one YAML document into JSON of the same value, keys in the
// same order, numbers as exact as they were written. Keys must be strings; an
// empty document is null. Errors are as those of DecodeYAML.
func YAMLToJSON(data []byte) (json.RawMessage, error) {
	doc, err := parseYAML(data)
	if err != nil {
		return nil, err
	}
	if doc == nil {
		return json.RawMessage("null"), nil
	}
	return doc.json()
}

// parseYAML returns nil for an empty document.
func parseYAML(data []byte) (_ *yamlDoc, err error) {
	text, err := cleanYAML(data)
	if err != nil {
		return nil, err
	}
	// The parser is not ours and the document may be anyone's: a fault in it
	// must not end the host.
	defer func() {
		if p := recover(); p != nil {
			err = &YAMLError{Msg: fmt.Sprintf("cannot be read as YAML (%v)", p)}
		}
	}()
	tokens := tokenize(text)
	if err := checkSize(tokens); err != nil {
		return nil, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, syntaxError(err)
	}
	if len(file.Docs) > 1 {
		at := &YAMLError{Msg: "a second document begins here; only one is allowed"}
		if start := file.Docs[1].Start; start != nil {
			at.Line, at.Column = start.Position.Line, start.Position.Column
		}
		return nil, at
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, nil
	}
	return newYAMLDoc(file.Docs[0].Body)
}

// cleanYAML refuses what is no text, and makes line ends alike.
func cleanYAML(data []byte) (string, error) {
	if len(data) > MaxYAML {
		return "", &YAMLError{Msg: fmt.Sprintf("the document has %d bytes; at most %d are allowed in YAML", len(data), MaxYAML)}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	text := strings.ReplaceAll(string(data), "\r", "\n")
	line, start := 1, 0
	for i, r := range text {
		bad := ""
		switch {
		case r == '\n':
			line, start = line+1, i+1
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\ufffd"):
			bad = "a byte that is not UTF-8"
		case r < 0x20 && r != '\t':
			bad = fmt.Sprintf("the control character %U", r)
		}
		if bad != "" {
			return "", &YAMLError{Line: line, Column: utf8.RuneCountInString(text[start:i]) + 1, Msg: bad + " is not allowed"}
		}
	}
	return text, nil
}

// checkSize bounds nesting and width by the tokens alone, as the parser
// recurses, and a stack that overflows cannot be recovered from. It may count a
// little too much, never much too little.
func checkSize(tokens token.Tokens) error {
	type block struct{ column, keys int }
	var (
		open     []block // block collections that are open
		flow     int     // open brackets
		prefixes int     // anchors, tags and indicators in a row
	)
	if len(tokens) > maxYAMLTokens {
		return yamlErrorf(tokens[maxYAMLTokens], "", "the document has more than %d words and signs; write it as JSON", maxYAMLTokens)
	}
	for _, tk := range tokens {
		column, keys := tk.Position.Column, 0
		switch tk.Type {
		case token.CommentType:
			continue
		case token.SequenceStartType, token.MappingStartType:
			flow++
		case token.SequenceEndType, token.MappingEndType:
			flow--
		case token.AnchorType, token.TagType, token.SequenceEntryType, token.MappingKeyType:
			prefixes++
		case token.MappingValueType:
			keys = 1
			if tk.Prev != nil {
				column = tk.Prev.Position.Column
			}
		default:
			if tk.Prev == nil || tk.Prev.Type != token.AnchorType { // no anchor's name
				prefixes = 0
			}
			continue
		}
		if flow == 0 {
			for len(open) > 0 && open[len(open)-1].column > column {
				open = open[:len(open)-1]
			}
			if len(open) == 0 || open[len(open)-1].column < column {
				open = append(open, block{column: column})
			}
			last := &open[len(open)-1]
			if last.keys += keys; last.keys > maxYAMLKeys {
				return yamlErrorf(tk, "", "a mapping has more than %d keys; write it as JSON", maxYAMLKeys)
			}
		}
		if max(len(open)+flow, prefixes) > maxYAMLDepth {
			return tooDeep(tk)
		}
	}
	return nil
}

func tooDeep(tk *token.Token) error {
	return yamlErrorf(tk, "", "nested deeper than %d levels", maxYAMLDepth)
}

func yamlErrorf(tk *token.Token, path, format string, args ...any) *YAMLError {
	e := &YAMLError{Path: path, Msg: fmt.Sprintf(format, args...)}
	if tk != nil && tk.Position != nil {
		e.Line, e.Column = tk.Position.Line, tk.Position.Column
	}
	return e
}

// syntaxError takes message and place out of an error of the parser.
func syntaxError(err error) error {
	var placed interface {
		GetToken() *token.Token
		GetMessage() string
	}
	if !errors.As(err, &placed) {
		return &YAMLError{Msg: err.Error()}
	}
	tk := placed.GetToken()
	e := yamlErrorf(tk, "", "%s", placed.GetMessage())
	if tk != nil && strings.TrimSpace(tk.Value) != "" {
		e.Msg += fmt.Sprintf(" (at %s)", shorten(tk.Value))
	}
	return e
}

// decodeDuration reads time.Duration, for which JSON has no form of its own.
func decodeDuration(dec *jsontext.Decoder, d *time.Duration) error {
	tok, err := dec.ReadToken()
	if err != nil {
		return err
	}
	if tok.Kind() != '"' {
		return errors.New("a duration is written with its unit, such as 90s or 1h30m")
	}
	*d, err = time.ParseDuration(tok.String())
	return err
}

// explain turns an error of the JSON decoder into one of the document.
func (d *yamlDoc) explain(text []byte, wrong *jsonv2.SemanticError) error {
	place := d.locate(wrong.JSONPointer)
	if errors.Is(wrong.Err, jsonv2.ErrUnknownName) {
		msg := "unknown key"
		if known := fieldNames(wrong.GoType); len(known) > 0 {
			msg += "; known here: " + strings.Join(known, ", ")
		}
		return yamlErrorf(place.key, place.path, "%s", msg)
	}
	value := d.show(place.node)
	if isKey(text, wrong.ByteOffset) {
		place.value, value = place.key, "key "+shorten(wrong.JSONPointer.LastToken())
	}
	noText := wrong.JSONKind != '"' && describeType(wrong.GoType) == "a string"
	if wrong.Err != nil && wrong.Err.Error() != "" && !noText {
		return yamlErrorf(place.value, place.path, "%s: %v", value, wrong.Err)
	}
	return yamlErrorf(place.value, place.path, "expected %s, got %s", describeType(wrong.GoType), value)
}

// isKey tells whether a key stands at the offset in compact JSON.
func isKey(text []byte, offset int64) bool {
	text = bytes.TrimLeft(text[min(int(offset), len(text)):], ",:")
	if len(text) == 0 || text[0] != '"' {
		return false
	}
	for i := 1; i+1 < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[i+1] == ':'
		}
	}
	return false
}

// describeType names a Go type as a writer of YAML would.
func describeType(t reflect.Type) string {
	if t == nil {
		return "another type"
	}
	if t.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return "a string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return describeType(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number of 0 or more"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping"
	}
	return t.String()
}

// fieldNames lists the keys that a struct takes.
func fieldNames(t reflect.Type) []string {
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for field := range fieldsOf(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			names = append(names, fieldNames(field.Type)...)
		case name == "-" || !field.IsExported():
		case name != "":
			names = append(names, name)
		default:
			names = append(names, field.Name)
		}
	}
	return names
}

func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}
