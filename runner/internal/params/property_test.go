package params

import (
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The library says invalid if and only if a problem is listed, and taking a value
// apart by the schema finds what is wrong: the library's word alone is the last
// resort, which this test never needs.
func TestProblemsAgreeWithTheLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		defs := map[string]any{"a": drawSchema(t, 1), "b": drawSchema(t, 1)}
		root := drawSchema(t, 3)
		object, ok := root.(map[string]any)
		if !ok {
			object = map[string]any{}
		}
		object["$defs"] = defs
		raw, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		s, err := compile(raw)
		if err != nil {
			if !strings.Contains(err.Error(), "leads back to itself") {
				t.Fatalf("%s: %v", raw, err)
			}
			return
		}
		tree := map[string]any{}
		for _, key := range keys {
			if rapid.Bool().Draw(t, "has "+key) {
				tree[key] = drawValue(t, 3)
			}
		}
		valid, err := s.valid(tree)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		c := checker{schema: s, problems: new(Problems)}
		found := c.explain(s.root, s.top(), tree, nil)
		if text := text(tree); valid != (found == 0) || found > 0 != (len(c.problems.List) > 0) {
			t.Fatalf("schema %s\nvalue %s\nthe library says valid=%v, explain found %d: %v", raw, text, valid, found, c.problems)
		}
	})
}

var keys = []string{"a", "b", "xa"}

// drawSchema draws a schema that makes some sense for the values of drawValue.
func drawSchema(t *rapid.T, depth int) any {
	s := map[string]any{}
	sub := func() any { return drawSchema(t, depth-1) }
	some := func(n int, label string) bool { return rapid.IntRange(1, n).Draw(t, label) == 1 }
	types := []string{"object", "array", "string", "integer", "number", "boolean", "null"}
	if some(15, "boolean schema") {
		return rapid.Bool().Draw(t, "schema")
	}
	switch rapid.IntRange(0, 3).Draw(t, "types") {
	case 0, 1:
		s["type"] = rapid.SampledFrom(types).Draw(t, "type")
	case 2:
		s["type"] = rapid.SliceOfNDistinct(rapid.SampledFrom(types), 1, 3, rapid.ID).Draw(t, "types")
	}
	add := func(n int, keyword string, value func() any) {
		if some(n, keyword) {
			s[keyword] = value()
		}
	}
	count := func() any { return rapid.IntRange(0, 3).Draw(t, "count") }
	number := func() any { return rapid.SampledFrom([]any{-1, 0, 1, 2, 2.5}).Draw(t, "bound") }
	add(8, "minimum", number)
	add(8, "maximum", number)
	add(15, "exclusiveMinimum", number)
	add(15, "exclusiveMaximum", number)
	add(15, "multipleOf", func() any { return rapid.SampledFrom([]any{1, 2, 0.5}).Draw(t, "multiple") })
	add(8, "minLength", count)
	add(8, "maxLength", count)
	add(15, "pattern", func() any { return rapid.SampledFrom([]string{"^a", "b$", "x"}).Draw(t, "pattern") })
	add(15, "enum", func() any {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any { return drawValue(t, 1) }), 1, 3).Draw(t, "enum")
	})
	add(20, "const", func() any { return drawValue(t, 1) })
	if depth == 0 {
		return s
	}
	subs := func() any {
		list := make([]any, rapid.IntRange(1, 3).Draw(t, "subs"))
		for i := range list {
			list[i] = sub()
		}
		return list
	}
	byKey := func() any {
		m := map[string]any{}
		for _, key := range keys {
			if rapid.Bool().Draw(t, "property "+key) {
				m[key] = sub()
			}
		}
		return m
	}
	names := func() any { return rapid.SliceOfDistinct(rapid.SampledFrom(keys), rapid.ID).Draw(t, "names") }
	add(2, "properties", byKey)
	add(3, "required", names)
	add(3, "additionalProperties", sub)
	add(15, "patternProperties", func() any { return map[string]any{"^x": sub()} })
	add(15, "propertyNames", sub)
	add(15, "unevaluatedProperties", sub)
	add(15, "minProperties", count)
	add(15, "maxProperties", count)
	add(15, "dependentRequired", func() any { return map[string]any{"a": names()} })
	add(15, "dependentSchemas", func() any { return map[string]any{"b": sub()} })
	add(3, "items", sub)
	add(10, "prefixItems", subs)
	add(15, "minItems", count)
	add(15, "maxItems", count)
	add(10, "uniqueItems", func() any { return true })
	add(15, "contains", sub)
	add(15, "minContains", count)
	add(15, "maxContains", count)
	add(15, "unevaluatedItems", sub)
	add(10, "allOf", subs)
	add(10, "anyOf", subs)
	add(10, "oneOf", subs)
	add(15, "not", sub)
	if some(10, "if") {
		s["if"] = sub()
		add(2, "then", sub)
		add(2, "else", sub)
	}
	add(8, "$ref", func() any { return "#/$defs/" + rapid.SampledFrom([]string{"a", "b"}).Draw(t, "ref") })
	return s
}

// drawValue draws a tree as the decoder makes it.
func drawValue(t *rapid.T, depth int) any {
	kind := rapid.IntRange(0, 9).Draw(t, "kind")
	if depth == 0 {
		kind %= 6
	}
	switch kind {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2, 3:
		return rapid.SampledFrom([]any{int64(-1), int64(0), int64(1), int64(2), 0.5, 2.0, 2.5, json.Number("123456789012345678901234")}).Draw(t, "number")
	case 4, 5:
		return rapid.SampledFrom([]string{"", "a", "ab", "xb", "é", "abcd"}).Draw(t, "string")
	case 6, 7:
		array := make([]any, rapid.IntRange(0, 3).Draw(t, "items"))
		for i := range array {
			array[i] = drawValue(t, depth-1)
		}
		return array
	default:
		object := map[string]any{}
		for _, key := range keys {
			if rapid.Bool().Draw(t, "has "+key) {
				object[key] = drawValue(t, depth-1)
			}
		}
		return object
	}
}

// Parameters survive being written and read again, to the last digit.
func TestEncodeDecode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := map[string]any{"v": drawValue(t, 3)}
		b, err := appendJSON(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeJSON(b)
		if err != nil {
			t.Fatal(err)
		}
		if text(again) != string(b) {
			t.Fatalf("%s became %s", b, text(again))
		}
	})
}
