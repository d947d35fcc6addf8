package params

import (
	"net/url"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"
)

// leaf is a keyword that judges a value without looking into it.
type leaf struct {
	keyword string
	part    func(*jsonschema.Schema) *jsonschema.Schema // the keyword alone; nil if it is not there
	want    func(*jsonschema.Schema) string
	got     func(v any, secret bool) string
}

type leafKey struct {
	schema  *jsonschema.Schema
	keyword string
}

func leaves() []leaf {
	type S = jsonschema.Schema
	number := func(keyword, words string, get func(*S) *float64, set func(*S, *float64)) leaf {
		return leaf{keyword, partOf(get, set), func(s *S) string { return words + " " + text(*get(s)) }, describe}
	}
	count := func(keyword, words, unit string, got func(any, bool) string, get func(*S) *int, set func(*S, *int)) leaf {
		return leaf{keyword, partOf(get, set), func(s *S) string { return words + " " + plural(*get(s), unit) }, got}
	}
	return []leaf{
		number("minimum", "at least", func(s *S) *float64 { return s.Minimum }, func(s *S, f *float64) { s.Minimum = f }),
		number("maximum", "at most", func(s *S) *float64 { return s.Maximum }, func(s *S, f *float64) { s.Maximum = f }),
		number("exclusiveMinimum", "more than", func(s *S) *float64 { return s.ExclusiveMinimum }, func(s *S, f *float64) { s.ExclusiveMinimum = f }),
		number("exclusiveMaximum", "less than", func(s *S) *float64 { return s.ExclusiveMaximum }, func(s *S, f *float64) { s.ExclusiveMaximum = f }),
		number("multipleOf", "a multiple of", func(s *S) *float64 { return s.MultipleOf }, func(s *S, f *float64) { s.MultipleOf = f }),
		count("minLength", "at least", "character", length, func(s *S) *int { return s.MinLength }, func(s *S, i *int) { s.MinLength = i }),
		count("maxLength", "at most", "character", length, func(s *S) *int { return s.MaxLength }, func(s *S, i *int) { s.MaxLength = i }),
		count("minItems", "at least", "item", describe, func(s *S) *int { return s.MinItems }, func(s *S, i *int) { s.MinItems = i }),
		count("maxItems", "at most", "item", describe, func(s *S) *int { return s.MaxItems }, func(s *S, i *int) { s.MaxItems = i }),
		count("minProperties", "at least", "key", describe, func(s *S) *int { return s.MinProperties }, func(s *S, i *int) { s.MinProperties = i }),
		count("maxProperties", "at most", "key", describe, func(s *S) *int { return s.MaxProperties }, func(s *S, i *int) { s.MaxProperties = i }),
		{
			"pattern",
			func(s *S) *S {
				if s.Pattern == "" {
					return nil
				}
				return &S{Pattern: s.Pattern}
			},
			func(s *S) string { return "text that matches " + s.Pattern }, describe,
		},
		{
			"uniqueItems",
			func(s *S) *S {
				if !s.UniqueItems {
					return nil
				}
				return &S{UniqueItems: true}
			},
			func(*S) string { return "no item twice" }, describe,
		},
	}
}

// partOf takes one keyword out of a schema.
func partOf[T any](get func(*jsonschema.Schema) *T, set func(*jsonschema.Schema, *T)) func(*jsonschema.Schema) *jsonschema.Schema {
	return func(s *jsonschema.Schema) *jsonschema.Schema {
		value := get(s)
		if value == nil {
			return nil
		}
		part := new(jsonschema.Schema)
		set(part, value)
		return part
	}
}

func length(v any, secret bool) string {
	s, _ := v.(string)
	if secret {
		return "string (hidden)"
	}
	return describe(v, false) + " of " + plural(utf8.RuneCountInString(s), "character")
}

// leafOK lets the library judge v by one keyword of s.
func (c *checker) leafOK(s *jsonschema.Schema, keyword string, part *jsonschema.Schema, v any) bool {
	key := leafKey{s, keyword}
	judge := c.leaves[key]
	if judge == nil {
		var err error
		if judge, err = part.Resolve(nil); err != nil {
			return true // the schema as a whole was resolved, so this does not happen
		}
		if c.leaves == nil {
			c.leaves = map[leafKey]*jsonschema.Resolved{}
		}
		c.leaves[key] = judge
	}
	return judge.Validate(plain(v)) == nil
}

// judge lets the library judge v by a part of the schema, in whose context its
// references mean what they should.
func (c *checker) judge(s *jsonschema.Schema, v any) error {
	judge := c.judges[s]
	if judge == nil {
		if c.routes == nil {
			c.routes = map[*jsonschema.Schema]string{}
			c.route(c.schema.root, "")
			c.judges = map[*jsonschema.Schema]*jsonschema.Resolved{}
		}
		ref := url.URL{Fragment: c.routes[s]}
		whole := jsonschema.Schema{
			Schema: draft,
			Defs:   map[string]*jsonschema.Schema{"params": c.schema.root},
			Ref:    rootURI + ref.String(),
		}
		var err error
		if judge, err = whole.Resolve(nil); err != nil {
			return nil // found by the caller: then nothing explains the verdict, and it stands for itself
		}
		c.judges[s] = judge
	}
	return judge.Validate(plain(v))
}

func (c *checker) route(s *jsonschema.Schema, pointer string) {
	c.routes[s] = pointer
	for _, sub := range children(s) {
		c.route(sub.schema, pointer+sub.pointer())
	}
}

// intricate names the keywords in s that explain does not take apart for good.
func intricate(s *jsonschema.Schema) []string {
	var out []string
	note := func(keyword string, there bool) {
		if there {
			out = append(out, keyword)
		}
	}
	note("anyOf", s.AnyOf != nil)
	note("contains", s.Contains != nil)
	note("dependentSchemas", s.DependentSchemas != nil)
	note("oneOf", s.OneOf != nil)
	note("unevaluatedItems", s.UnevaluatedItems != nil)
	note("unevaluatedProperties", s.UnevaluatedProperties != nil)
	return out
}

// generic reports a verdict where nothing better is known. The library's own text
// quotes values, secret ones too, so it is not shown.
func (c *checker) generic(n node, v any, at path, keywords []string) int {
	text := "got " + describe(v, c.hidden(n)) + ", which the schema refuses"
	if len(keywords) > 0 {
		text += " (" + strings.Join(keywords, ", ") + ")"
	}
	return c.add(at, text)
}

func empty(s *jsonschema.Schema) bool { return reflect.ValueOf(*s).IsZero() }
