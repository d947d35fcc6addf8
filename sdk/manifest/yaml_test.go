package manifest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/manifest"
)

func TestYAMLToJSON(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", "null"},
		{"comment only", "# nothing\n", "null"},
		{"scalars", "a: 1\nb: x\nc: true\nd: null\ne:\nf: ~\n", `{"a":1,"b":"x","c":true,"d":null,"e":null,"f":null}`},
		{"words of yaml 1.1 are text", "[yes, no, on, off, y, 2024-01-02, 12:30, 1_000, 0b1]", `["yes","no","on","off","y","2024-01-02","12:30","1_000","0b1"]`},
		{"big integers stay exact", "[12345678901234567890123, -9007199254740993, 0x1fffffffffffffffff, 0o17]", `[12345678901234567890123,-9007199254740993,590295810358705651711,15]`},
		{"floats keep their digits", "[1.10, .5, -.5, 3., +2.50, 1e3, 1E-3, 6.02e+23]", `[1.10,0.5,-0.5,3.0,2.50,1e3,1e-3,6.02e+23]`},
		{"quoted numbers are text", `["1", '007', "true", 'null']`, `["1","007","true","null"]`},
		{"explicit string", "a: !!str 007\nc: !!str true", `{"a":"007","c":"true"}`},
		{"json itself", `{"b": [1, {"a": "\u00e9"}], "a": {}, "c": []}`, `{"b":[1,{"a":"é"}],"a":{},"c":[]}`},
		{"json on several lines", "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}\n", `{"a":1,"b":[2]}`},
		{"order is kept", "z: 1\na: 2\nm: 3\n", `{"z":1,"a":2,"m":3}`},
		{"bom", "\ufeffa: 1\n", `{"a":1}`},
		{"crlf", "a: 1\r\nb: |\r\n  x\r\n  y\r\nc: 2\r\n", `{"a":1,"b":"x\ny\n","c":2}`},
		{"lone cr", "a: 1\rb: 2\r", `{"a":1,"b":2}`},
		{"block texts", "a: |\n  x\n  y\nb: >-\n  x\n  y\n", `{"a":"x\ny\n","b":"x y"}`},
		{"anchors", "a: &x {k: 1}\nb: *x\nc: [*x, *x]\n", `{"a":{"k":1},"b":{"k":1},"c":[{"k":1},{"k":1}]}`},
		{"anchor given again", "a: &x 1\nb: *x\nc: &x 2\nd: *x\n", `{"a":1,"b":1,"c":2,"d":2}`},
		{"merge", "base: &b {x: 1, y: 2}\nv:\n  <<: *b\n  y: 3\n", `{"base":{"x":1,"y":2},"v":{"y":3,"x":1}}`},
		{"merge of several", "a: &a {x: 1}\nb: &b {x: 2, y: 2}\nv: {<<: [*a, *b]}\n", `{"a":{"x":1},"b":{"x":2,"y":2},"v":{"x":1,"y":2}}`},
		{"a quoted << is a key", "'<<': 1\n", `{"<<":1}`},
		{"document marks", "---\na: 1\n...\n", `{"a":1}`},
		{"sequence at the key's column", "a:\n- 1\n- b: 2\n  c: 3\n", `{"a":[1,{"b":2,"c":3}]}`},
		{"scalar document", "hello\n", `"hello"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := manifest.YAMLToJSON([]byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestYAMLToJSONRefuses(t *testing.T) {
	deep := strings.Repeat("[", 300) + strings.Repeat("]", 300)
	tests := []struct{ name, in, want string }{
		{"key twice", "a: 1\nb: 2\na: 3\n", "line 3, column 1: a: key given twice, first in line 1"},
		{"key twice deep down", "x:\n  - a: 1\n    'a': 3\n", "line 3, column 5: x[0].a: key given twice, first in line 2"},
		{"key twice in flow", `{"a": 1, "a": 2}`, "line 1, column 10: a: key given twice"},
		{"number as key", "a:\n  1: x\n", "line 2, column 3: a: a key must be a string, not 1; write it in quotes"},
		{"null as key", "~: x\n", "a key must be a string, not null"},
		{"bool as key", "true: x\n", "a key must be a string, not true"},
		{"list as key", "[1]: x\n", "line 1, column 4: found an invalid key"},
		{"nan", "a: .nan\n", "line 1, column 4: a: .nan is no number that JSON knows"},
		{"infinity", "a: [-.INF]\n", "line 1, column 5: a[0]: -.INF is no number"},
		{"leading zero", "mode: 0755\n", "line 1, column 7: mode: 0755 may be octal or decimal"},
		{"two documents", "a: 1\n---\nb: 2\n", "line 2, column 1: a second document begins here"},
		{"nul", "a: x\x00y\n", "line 1, column 5: the control character U+0000 is not allowed"},
		{"escape", "a: \x1b[1m\n", "the control character U+001B"},
		{"not utf-8", "a: 1\nb: é\xff\n", "line 2, column 5: a byte that is not UTF-8"},
		{"utf-16", "\xff\xfea\x00:\x00", "line 1, column 1: a byte that is not UTF-8"},
		{"deep flow", deep, "nested deeper than 200 levels"},
		{"deep block on one line", strings.Repeat("- ", 300) + "x", "nested deeper than 200 levels"},
		{"deep block", deepBlock(300), "nested deeper than 200 levels"},
		{"many tags", strings.Repeat("!a ", 300) + "x", "nested deeper than 200 levels"},
		{"many explicit keys", strings.Repeat("? ", 300) + "x", "nested deeper than 200 levels"},
		{"deep by aliases", deepByAliases(150), "nested deeper than 200 levels"},
		{"alias bomb", bomb(9), "aliases make the document too large"},
		{"alias bomb by merges", mergeBomb(1000), "aliases make the document too large"},
		{"alias of a long text", "a: &a " + strings.Repeat("x", 1<<20) + "\nb: [" + strings.Repeat("*a,", 1000) + "]\n", "aliases make the document too large"},
		{"alias of nothing", "a: *x\n", "line 1, column 4: alias *x has no anchor before it"},
		{"alias before its anchor", "a: *x\nb: &x 1\n", "alias *x has no anchor before it"},
		{"alias in its own anchor", "a: &x [*x]\n", "alias *x stands inside of its own anchor"},
		{"tag", "a: !include other.yml\n", "line 1, column 4: a: the tag !include is not understood"},
		{"binary", "a: !!binary aGVsbG8=\n", "the tag !!binary is not understood"},
		{"merge of a number", "a: {<<: 1}\n", "<< takes a mapping or a list of mappings"},
		{"bad indentation", "a: 1\n  b: 2\n", "line 1, column 4: mapping value is not allowed in this context"},
		{"unclosed", "a: [1, 2\n", "line 1"},
		{"unclosed quote", "a: \"x\n", "line 1"},
		{"tab as indentation", "a:\n\tb: 1\n", "line 2"},
		{"wide mapping", wideMap(10_001), "line 10001, column 7: a mapping has more than 10000 keys"},
		{"many words", "[" + strings.Repeat("1,", 125_000) + "]", "more than 250000 words and signs"},
		{"too large", strings.Repeat(" ", manifest.MaxYAML+1), "at most 4194304 are allowed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := manifest.YAMLToJSON([]byte(tt.in))
			if err == nil {
				t.Fatalf("accepted as %.200s", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			if e := (*manifest.YAMLError)(nil); !errors.As(err, &e) {
				t.Errorf("%T is no *YAMLError", err)
			}
			if len(err.Error()) > 300 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestYAMLTakesLargeDocuments(t *testing.T) {
	for name, in := range map[string]string{
		"wide":  wideMap(10_000),
		"long":  strings.Repeat("- {a: 1}\n", 40_000),
		"tall":  strings.Repeat("- a:\n    b: 1\n", 20_000),
		"text":  "a: |\n" + strings.Repeat("  some text\n", 300_000),
		"words": "a: " + strings.Repeat("x y ", 1_000_000),
		"alias": "a: &a {k: 1}\nb:\n" + strings.Repeat("- *a\n", 20_000),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := manifest.YAMLToJSON([]byte(in)); err != nil {
				t.Error(err)
			}
		})
	}
}

func wideMap(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "k%05d: 1\n", i)
	}
	return b.String()
}

func deepBlock(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// deepByAliases nests shallow values in one another.
func deepByAliases(n int) string {
	b := "- &a0 [1]\n"
	for i := range n {
		b += fmt.Sprintf("- &a%d [[*a%d]]\n", i+1, i)
	}
	return b
}

// bomb doubles ten-fold with each level.
func bomb(levels int) string {
	b := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range levels {
		b += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return b
}

func mergeBomb(n int) string {
	b := "m0: &m0 {k: 1}\n"
	for i := range n {
		b += fmt.Sprintf("m%d: &m%d {<<: *m%d, k%d: 1}\n", i+1, i+1, i, i)
	}
	return b
}

type retries int

func (r *retries) UnmarshalText(b []byte) error {
	if string(b) != "many" {
		return fmt.Errorf("want many")
	}
	*r = 100
	return nil
}

type settings struct {
	Name    string            `json:"name"`
	Every   time.Duration     `json:"every"`
	Retries retries           `json:"retries"`
	Limit   int               `json:"limit"`
	On      bool              `json:"on"`
	Ratio   float64           `json:"ratio"`
	Codes   map[int]string    `json:"codes"`
	Labels  map[string]string `json:"labels"`
	Sources []struct {
		URL string `json:"url"`
	} `json:"sources"`
	Schema json.RawMessage `json:"schema"`
}

func TestDecodeYAML(t *testing.T) {
	const in = `
name: x
every: 1h30m
retries: many
limit: 3
on: true
ratio: 2
codes: {3: permanent, 75: retry}
labels: {a: b}
sources:
  - url: u
schema: {type: object, big: 12345678901234567890}
`
	var got settings
	if err := manifest.DecodeYAML([]byte(in), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "x" || got.Every != 90*time.Minute || got.Retries != 100 || got.Limit != 3 || !got.On || got.Ratio != 2 ||
		got.Codes[75] != "retry" || got.Labels["a"] != "b" || got.Sources[0].URL != "u" ||
		string(got.Schema) != `{"type":"object","big":12345678901234567890}` {
		t.Errorf("got %+v", got)
	}
}

func TestDecodeYAMLKeepsDefaults(t *testing.T) {
	for _, in := range []string{"", "# comment\n", "---\n", "null\n", "limit: 7\n"} {
		got := settings{Name: "default"}
		if err := manifest.DecodeYAML([]byte(in), &got); err != nil {
			t.Errorf("%q: %v", in, err)
		}
		if got.Name != "default" {
			t.Errorf("%q: the default is gone", in)
		}
	}
}

func TestDecodeYAMLRefuses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"unknown key", "name: x\nlimti: 3\n", "line 2, column 1: limti: unknown key; known here: name, every, retries, limit, on, ratio, codes, labels, sources, schema"},
		{"unknown key in a list", "sources:\n  - url: a\n  - ulr: b\n", "line 3, column 5: sources[1].ulr: unknown key; known here: url"},
		{"other case", "Name: x\n", "line 1, column 1: Name: unknown key"},
		{"text for a number", "name: x\nlimit: many\n", `line 2, column 8: limit: expected a whole number, got "many"`},
		{"number for a text", "name: 1.10\n", "line 1, column 7: name: expected a string, got 1.10"},
		{"word of yaml 1.1 for a bool", "on: yes\n", `line 1, column 5: on: expected true or false, got "yes"`},
		{"fraction", "limit: 1.5\n", "limit: 1.5: "},
		{"overflow", "limit: 99999999999999999999\n", "limit: 99999999999999999999: "},
		{"list for a mapping", "labels: [a]\n", "line 1, column 9: labels: expected a mapping, got a list"},
		{"mapping for a list", "sources:\n  url: a\n", "line 2, column 3: sources: expected a list, got a mapping"},
		{"text for a mapping in a list", "sources:\n  - a\n", `line 2, column 5: sources[0]: expected a mapping, got "a"`},
		{"duration without unit", "every: 90\n", "line 1, column 8: every: 90: a duration is written with its unit"},
		{"bad duration", "every: soon\n", `every: "soon": time: invalid duration`},
		{"own type", "retries: few\n", `line 1, column 10: retries: "few": want many`},
		{"bad key of a map", "codes: {x: retry}\n", "line 1, column 9: codes.x: key x: invalid syntax"},
		{"same number as key", "codes:\n  3: a\n  '3': b\n", "line 3, column 3: codes.3: key given twice"},
		{"nan for raw json", "schema: {default: .nan}\n", "line 1, column 19: schema.default: .nan is no number"},
		{"through an alias", "labels: &l {a: [1]}\n", "labels.a: expected a string, got a list"},
		{"value like its key", "limit: limit\n", `limit: expected a whole number, got "limit"`},
		{"list at the root", "- a\n", "line 1, column 1: expected a mapping, got a list"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := manifest.DecodeYAML([]byte(tt.in), new(settings))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}
