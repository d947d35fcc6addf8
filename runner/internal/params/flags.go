package params

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// FlagSpec describes the flag of one parameter, for help and completion.
type FlagSpec struct {
	// Name is the parameter's name in the schema; --name works as well as --Flag.
	Name string
	// Flag is the usual spelling, without dashes.
	Flag string
	// Type in a word or two: text, integer, duration, secret, "list of text", JSON.
	Type string
	// Default is the default value as JSON, strings without quotes; "" if there is none.
	Default  string
	Enum     []string
	Required bool
	// Bool flags take no value: --x, --x=false, --no-x.
	Bool bool
	// Repeat flags may be given several times, each adds an item.
	Repeat bool
	// Help is the author's description.
	Help string
}

// FlagsOf lists the component flags in the order of the schema.
func FlagsOf(raw json.RawMessage) ([]FlagSpec, error) {
	s, err := compile(raw)
	if err != nil {
		return nil, err
	}
	return s.flags(), nil
}

func (s *schema) flags() []FlagSpec {
	top := s.top()
	required := top.required()
	var out []FlagSpec
	for _, name := range s.order() {
		n := s.key(top, name)
		spec := FlagSpec{
			Name: name, Flag: kebab(name), Type: s.typeWord(n),
			Required: slices.Contains(required, name),
			Bool:     n.only("boolean"), Repeat: n.only("array"),
			Help: n.help(),
		}
		if raw := n.defaultValue(); raw != nil {
			spec.Default = string(raw)
			if v, err := decodeJSON(raw); err == nil {
				spec.Default = plainText(v)
			}
		}
		valued := n
		if spec.Repeat {
			valued = s.item(n, 0)
		}
		for _, v := range valued.enum() {
			spec.Enum = append(spec.Enum, plainText(v))
		}
		out = append(out, spec)
	}
	return out
}

// order lists the properties as the author wrote them, then those that only a
// $ref or allOf brings.
func (s *schema) order() []string {
	var out []string
	for _, at := range s.top().must {
		for _, name := range at.PropertyOrder {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}

func (s *schema) typeWord(n node) string {
	switch {
	case n.secret() && !n.only("object") && !n.only("array"):
		return "secret"
	case n.format() == manifest.FormatDuration:
		return "duration"
	case n.format() == manifest.FormatBytes:
		return "size"
	case n.format() == manifest.FormatTime:
		return "time"
	case n.only("array"):
		return "list of " + s.typeWord(s.item(n, 0))
	case n.only("object"):
		return "JSON object"
	case n.only("string"):
		return "text"
	}
	types := slices.DeleteFunc(slices.Clone(n.types()), func(t string) bool { return t == "null" })
	if len(types) == 0 {
		return "JSON"
	}
	return strings.ReplaceAll(strings.Join(types, " or "), "string", "text")
}

func (n node) help() string {
	i := slices.IndexFunc(n.must, func(s *jsonschema.Schema) bool { return s.Description != "" })
	if i < 0 {
		return ""
	}
	return n.must[i].Description
}

// plainText is a value as one would type it.
func plainText(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return text(v)
}
