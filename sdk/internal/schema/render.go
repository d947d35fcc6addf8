package schema

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// Dialect is the $schema of what Render makes.
const Dialect = "https://json-schema.org/draft/2020-12/schema"

// Render returns the plan as a JSON Schema, properties in the fields' order.
// The ends of a range of durations or sizes, which JSON Schema cannot say, stand
// in formatMinimum and formatMaximum.
func (n *Node) Render(use Use) *jsonschema.Schema {
	s := n.render(use)
	s.Schema = Dialect
	return s
}

func (n *Node) render(use Use) *jsonschema.Schema {
	s := &jsonschema.Schema{}
	switch n.Kind {
	case Bool:
		s.Type = "boolean"
	case Int, Uint:
		s.Type = "integer"
		n.integerRange(s)
	case Float:
		s.Type = "number"
	case String, Text:
		s.Type = "string"
	case Blob:
		s.Type, s.ContentEncoding = "string", "base64"
	case Time:
		s.Type, s.Format = "string", manifest.FormatTime
	case Duration:
		s.Type, s.Format = "string", manifest.FormatDuration
	case Bytes:
		s.Types, s.Format = []string{"string", "integer"}, manifest.FormatBytes
	case Secret:
		s.Type, s.Format, s.WriteOnly = "string", manifest.FormatSecret, true
	case List:
		s.Type, s.Items = "array", n.Elem.render(use)
	case Map:
		s.Type, s.AdditionalProperties = "object", n.Elem.render(use)
	case Struct:
		n.object(s, use)
	}
	n.rules(s)
	// A nil pointer of an output is null; a parameter is left out instead.
	if use == Output && n.Pointer && n.Kind != Any {
		if s.Types == nil {
			s.Types, s.Type = []string{s.Type}, ""
		}
		s.Types = append(s.Types, "null")
	}
	return s
}

func (n *Node) object(s *jsonschema.Schema, use Use) {
	s.Type = "object"
	s.AdditionalProperties = &jsonschema.Schema{Not: &jsonschema.Schema{}}
	s.Properties = make(map[string]*jsonschema.Schema, len(n.Fields))
	for _, f := range n.Fields {
		fs := f.render(use)
		fs.Description = f.Help
		fs.Default = json.RawMessage(f.Default)
		s.Properties[f.Name] = fs
		s.PropertyOrder = append(s.PropertyOrder, f.Name)
		if !f.Optional {
			s.Required = append(s.Required, f.Name)
		}
	}
}

// integerRange says what the Go type can hold; 64 bits need no saying.
func (n *Node) integerRange(s *jsonschema.Schema) {
	bits := n.Type.Bits()
	if n.Kind == Uint {
		s.Minimum = jsonschema.Ptr(0.0)
		if bits < 64 {
			s.Maximum = jsonschema.Ptr(math.Pow(2, float64(bits)) - 1)
		}
		return
	}
	if bits < 64 {
		s.Minimum = jsonschema.Ptr(-math.Pow(2, float64(bits-1)))
		s.Maximum = jsonschema.Ptr(math.Pow(2, float64(bits-1)) - 1)
	}
}

func (n *Node) rules(s *jsonschema.Schema) {
	for _, v := range n.Rules.Enum {
		if i, err := strconv.ParseInt(v, 10, 64); err == nil && (n.Kind == Int || n.Kind == Uint) {
			s.Enum = append(s.Enum, i)
		} else {
			s.Enum = append(s.Enum, v)
		}
	}
	if b := n.Rules.Min; b != nil {
		n.end(s, b, &s.Minimum, &s.MinLength, &s.MinItems, &s.MinProperties, "formatMinimum")
	}
	if b := n.Rules.Max; b != nil {
		n.end(s, b, &s.Maximum, &s.MaxLength, &s.MaxItems, &s.MaxProperties, "formatMaximum")
	}
}

func (n *Node) end(s *jsonschema.Schema, b *Bound, number **float64, length, items, members **int, format string) {
	count := int(b.Int)
	switch n.Kind {
	case Int, Uint, Float:
		*number = &b.Float
	case String:
		*length = &count
	case List:
		*items = &count
	case Map:
		*members = &count
	case Duration, Bytes:
		if s.Extra == nil {
			s.Extra = map[string]any{}
		}
		s.Extra[format] = b.Text
	}
}
