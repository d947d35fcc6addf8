package conf

import (
	"testing"

	"pgregory.net/rapid"
)

// values draws any JSON value, objects with keys in any order.
func values(depth int) *rapid.Generator[any] {
	return rapid.Custom(func(t *rapid.T) any {
		kinds := 4
		if depth > 0 {
			kinds = 6
		}
		switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
		case 0:
			return nil
		case 1:
			return rapid.Bool().Draw(t, "bool")
		case 2:
			return Float(rapid.Float64().Draw(t, "number"))
		case 3:
			return rapid.String().Draw(t, "text")
		case 4:
			return append([]any{}, rapid.SliceOfN(values(depth-1), 0, 3).Draw(t, "list")...)
		}
		o := New()
		for _, k := range rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, "keys") {
			o.Set(k, values(depth-1).Draw(t, "value"))
		}
		return o
	})
}

func TestTextAndParseAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := values(3).Draw(t, "value")
		back, err := Parse([]byte(Text(v)))
		if err != nil {
			t.Fatalf("%s: %v", Text(v), err)
		}
		if Text(back) != Text(v) {
			t.Fatalf("wrote %s, read %s", Text(v), Text(back))
		}
	})
}

func TestMerge(t *testing.T) {
	for _, c := range []struct{ name, a, b, over, def string }{
		{"disjoint", `{"x":1}`, `{"y":2}`, `{"x":1,"y":2}`, `{"x":1,"y":2}`},
		{"same key keeps its place", `{"x":1,"y":2}`, `{"x":3}`, `{"x":3,"y":2}`, `{"x":1,"y":2}`},
		{"objects into objects", `{"o":{"a":1}}`, `{"o":{"b":2,"a":3}}`, `{"o":{"a":3,"b":2}}`, `{"o":{"a":1,"b":2}}`},
		{"lists are replaced", `{"l":[1,2]}`, `{"l":[3]}`, `{"l":[3]}`, `{"l":[1,2]}`},
		{"null counts as set", `{"n":null}`, `{"n":1}`, `{"n":1}`, `{"n":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := parse(t, c.a), parse(t, c.b)
			over := a.Clone()
			over.Merge(b)
			a.MergeDefault(b)
			if Text(over) != c.over || Text(a) != c.def {
				t.Errorf("merge %s, want %s; default %s, want %s", Text(over), c.over, Text(a), c.def)
			}
		})
	}
}

func TestFloatIsWrittenAsJavaDoes(t *testing.T) {
	for want, f := range map[string]float64{
		"1.0": 1, "0.25": 0.25, "1.0E7": 1e7, "9999999.0": 9999999, "1.5E-4": 0.00015, "-2.0E30": -2e30, "0.0": 0,
	} {
		if got := Float(f); string(got) != want {
			t.Errorf("%g: got %s, want %s", f, got, want)
		}
	}
}

func parse(t *testing.T, s string) *Object {
	t.Helper()
	o, err := ParseObject([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return o
}
