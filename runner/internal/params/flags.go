package params

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
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

// order lists the properties as the author wrote them; what only a $ref or allOf
// brings follows by name.
func (s *schema) order() []string {
	known := map[string]bool{}
	for _, at := range s.top().must {
		for name := range at.Properties {
			known[name] = true
		}
	}
	var out []string
	for _, name := range keysOf(s.raw, "properties") {
		if known[name] {
			out = append(out, name)
			delete(known, name)
		}
	}
	rest := len(out)
	for name := range known {
		out = append(out, name)
	}
	slices.Sort(out[rest:])
	return out
}

// keysOf reads the keys of one member of an object in the order of the text,
// which the schema library does not keep.
func keysOf(raw json.RawMessage, member string) []string {
	d := jsontext.NewDecoder(bytes.NewBuffer(raw))
	if d.PeekKind() != '{' {
		return nil
	}
	var out []string
	inside := false
	for {
		t, err := d.ReadToken()
		if err != nil {
			return out
		}
		switch kind, n := d.StackIndex(d.StackDepth()); {
		case t.Kind() == '}' && d.StackDepth() <= 1 && inside:
			return out
		case kind != '{' || n%2 == 0 || t.Kind() == '{' || t.Kind() == '}':
		case d.StackDepth() == 1:
			inside = t.String() == member
			if !inside {
				if err := d.SkipValue(); err != nil {
					return out
				}
			}
		case d.StackDepth() == 2 && inside:
			out = append(out, t.String())
			if err := d.SkipValue(); err != nil {
				return out
			}
		}
	}
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
