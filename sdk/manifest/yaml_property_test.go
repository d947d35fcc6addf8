package manifest_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// FuzzYAMLToJSON: whatever comes in, what comes out is JSON, and as JSON is
// YAML too, it comes out of a second pass unchanged.
func FuzzYAMLToJSON(f *testing.F) {
	for _, s := range []string{
		"a: 1\nb: [x, {c: d}]\n", "a: &x {k: 1}\nb: *x\nc: {<<: *x}\n", "- |\n  x\n- >-\n  y\n  z\n", "? a\n: b\n",
		"{\"a\": \"\\u00e9\\n\", b: 'it''s'}", "%YAML 1.2\n---\na: 1\n...\n", "\ufeffa: 0x1F\r\n", "!!str 1", "a: .nan", "[1e999, -0, +.5]",
		"a: \"\\ud800\"", "\"\\xff\"", "a:\n- b\n-\n  - c\n", "*a : b", "&a a: *a",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := manifest.YAMLToJSON(data)
		if err != nil {
			return
		}
		if !json.Valid(once) {
			t.Fatalf("%q became %q, which is not JSON", data, once)
		}
		twice, err := manifest.YAMLToJSON(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q became %q and then %q, %v", data, once, twice, err)
		}
	})
}

// anyValue draws what JSON can hold.
func anyValue() *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Bool().AsAny(),
		rapid.Int64().AsAny(),
		rapid.Float64().AsAny(),
		rapid.StringN(0, 20, -1).AsAny(),
		rapid.SampledFrom([]any{"", "null", "1", "0x1f", "yes", "a: b", "- a", "#x", "*a", "&a", "!a", "a\nb\n", " a ", "<<", "{", "~", "1e3", ".5", "2024-01-02", "|", ">", "%", "@", "`", "'", `"`, "\t", "---", "..."}),
	)
	var deep func(depth int) *rapid.Generator[any]
	deep = func(depth int) *rapid.Generator[any] {
		if depth == 0 {
			return scalar
		}
		return rapid.OneOf(scalar,
			rapid.SliceOfN(deep(depth-1), 0, 4).AsAny(),
			rapid.MapOfN(rapid.StringMatching(`[a-z]{1,5}|[a-z .:#"'{-]{1,5}`), deep(depth-1), 0, 4).AsAny())
	}
	return deep(4)
}

// TestYAMLTakesAnyJSON: JSON, compact or indented, is read as itself.
func TestYAMLTakesAnyJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, err := json.Marshal(anyValue().Draw(t, "value"))
		if err != nil {
			t.Skip(err)
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, want, "", "  "); err != nil {
			t.Fatal(err)
		}
		for _, in := range [][]byte{want, indented.Bytes()} {
			got, err := manifest.YAMLToJSON(in)
			if err != nil {
				t.Fatalf("%s: %v", in, err)
			}
			if !sameJSON(t, got, want) {
				t.Fatalf("%s became %s", in, got)
			}
		}
	})
}

func sameJSON(t *rapid.T, a, b []byte) bool {
	var va, vb any
	if err := json.Unmarshal(a, &va); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &vb); err != nil {
		t.Fatal(err)
	}
	ta, _ := json.Marshal(va)
	tb, _ := json.Marshal(vb)
	return bytes.Equal(ta, tb)
}
