package params

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/protocol"
)

// loose takes any object.
const loose = `{"type":"object"}`

// merge fails the test if the error is not what a caller should see.
func merge(t *testing.T, schema string, from Sources) string {
	t.Helper()
	r, err := Merge([]byte(schema), from)
	if err != nil {
		var p *Problems
		if !errors.As(err, &p) {
			t.Fatalf("got a %T, want *Problems: %v", err, err)
		}
		return err.Error()
	}
	return string(r.JSON)
}

// Bad files, each with the text that a person gets to see.
func TestBadFiles(t *testing.T) {
	deep := func(n int) string {
		return `{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'j'; c++ {
		ref := fmt.Sprintf("*%c", c-1)
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.Repeat(ref+",", 9)+ref)
	}
	for _, c := range []struct{ name, file, text, want string }{
		{"not JSON", "p.json", `{"a": hello}`, `p.json:1:7: not JSON: invalid character 'h' at start of value`},
		{"not JSON, by line", "p.json", "{\n  \"a\": 1,\n  \"b\": }\n", `p.json:3:8: not JSON: missing value after object name`},
		{"trailing comma", "p.json", `{"a": 1,}`, `p.json:1:8: a comma too much`},
		{"cut off", "p.json", `{"a": [1,`, `p.json:1:10: not JSON: ends in the middle of a value`},
		{"two values", "p.json", `{} {}`, `p.json:1:5: there is more after the JSON value`},
		{"duplicate keys", "p.json", "{\"a\": 1,\n \"b\": {\"c\": 1, \"c\": 2}}", `p.json:2:16: key "c" is there twice`},
		{"duplicate keys, escaped", "p.json", `{"a": 1, "\u0061": 2}`, `p.json:1:10: key "a" is there twice`},
		{"NaN", "p.json", `{"a": NaN}`, `p.json:1:7: NaN is not a JSON number`},
		{"Infinity", "p.json", `{"a": -Infinity}`, `p.json:1:7: -Infinity is not a JSON number`},
		{"number out of range", "p.json", `{"a": 1e999}`, `p.json:1:12: a number is out of range`},
		{"invalid UTF-8", "p.json", "{\"a\": \"x\xff\"}", `p.json:1:9: not JSON: invalid UTF-8`},
		{"UTF-16", "p.json", "\xff\xfe{\x00}\x00", `p.json: is UTF-16, want UTF-8`},
		{"NUL", "p.json", "{\"a\":\x00 1}", `p.json:1:6: a NUL byte is not allowed`},
		{"NUL in a string", "p.json", "{\"a\": \"\x00\"}", `p.json:1:8: a NUL byte is not allowed`},
		{"escaped NUL", "p.json", `{"a": "x\u0000"}`, `p.json:1:16: a NUL character is not allowed`},
		{"escaped NUL in a key", "p.json", `{"x\u0000": 1}`, `p.json:1:11: a NUL character is not allowed`},
		{"deep", "p.json", deep(200), `p.json:1:206: nests deeper than 200 levels`},
		{"very deep", "p.json", deep(1_000_000), `p.json:1:206: nests deeper than 200 levels`},
		{"16 MiB", "p.json", `{"a":"` + strings.Repeat("x", 16<<20) + `"}`, `p.json: is 16,777,224 bytes, more than the 16,711,680 bytes that parameters may have`},
		{"empty", "p.json", " \r\n", `p.json: is empty, want a JSON or YAML object`},
		{"array", "p.json", `[1]`, `p.json: holds array of 1 item, want an object`},
		{"stdin, text", "-", `hello`, `stdin: holds string "hello", want an object`},
		{"stdin, NaN", "", `{"a": NaN}`, `stdin:1:7: NaN is not a JSON number`},
		{"YAML bomb", "p.yml", bomb, `p.yml:5:29: aliases make the document too large (more than 100000 nodes)`},
		{"YAML of 5 MiB", "p.yml", "a: " + strings.Repeat("x", 5<<20), `p.yml: the document has 5242883 bytes; at most 4194304 are allowed in YAML`},
		{"YAML list", "p.yaml", "- a\n- b\n", `p.yaml: holds array of 2 items, want an object`},
		{"YAML duplicate keys", "p.yml", "a: 1\nb: 2\na: 3\n", `p.yml:3:1: a: key given twice, first in line 1`},
		{"YAML NaN", "p.yml", "a: .nan\n", `p.yml:1:4: a: .nan is no number that JSON knows`},
		{"YAML NUL", "p.yml", "a: x\x00\n", `p.yml:1:5: the control character U+0000 is not allowed`},
		{"YAML escaped NUL", "p.yml", `a: "x\0"`, `p.yml: a NUL character is not allowed`},
		{"YAML invalid UTF-8", "p.yml", "a: \xff\n", `p.yml:1:4: a byte that is not UTF-8 is not allowed`},
		{"YAML syntax hides a value", "p.yml", "token: \"hunter2\nb: 1", `p.yml:1:8: could not find end character of double-quoted text`},
		{"YAML number hides a value", "p.yml", "token: 0123456", `p.yml:1:8: token: the value may be octal or decimal: write it without the leading zero, as 0o… or in quotes`},
		{"YAML deep", "p.yml", "a: " + strings.Repeat("[", 250) + strings.Repeat("]", 250), `p.yml:1:203: nested deeper than 200 levels`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := merge(t, loose, Sources{File: []byte(c.text), FileName: c.file})
			if want := "bad parameters: " + c.want; got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestGoodFiles(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"BOM", "p.json", "\uFEFF{\"a\":1}", `{"a":1}`},
		{"CRLF", "p.json", "{\r\n\"a\": \"x\\r\\n\"\r\n}\r\n", `{"a":"x\r\n"}`},
		{"big numbers", "p.json", `{"a":9223372036854775808,"b":123456789012345678901234567890,"c":-9007199254740993}`, `{"a":9223372036854775808,"b":123456789012345678901234567890,"c":-9007199254740993}`},
		{"one form of numbers", "p.json", `{"a":1.50,"b":1e3,"c":-0,"d":1.0,"e":-0.0}`, `{"a":1.5,"b":1000,"c":0,"d":1,"e":0}`},
		{"sorted", "p.json", `{"b":{"d":1,"c":2},"a":[]}`, `{"a":[],"b":{"c":2,"d":1}}`},
		{"depth", "p.json", `{"a":` + strings.Repeat("[", 199) + strings.Repeat("]", 199) + `}`, `{"a":` + strings.Repeat("[", 199) + strings.Repeat("]", 199) + `}`},
		{"YAML", "p.YML", "a: 1\nb: [x, 'y']\n", `{"a":1,"b":["x","y"]}`},
		{"YAML BOM and CRLF", "p.yaml", "\uFEFFa: 1\r\nb:\r\n  - x\r\n", `{"a":1,"b":["x"]}`},
		{"YAML big number", "p.yaml", "a: 123456789012345678901234567890\n", `{"a":123456789012345678901234567890}`},
		{"YAML comments alone", "p.yaml", "# nothing\n", `{}`},
		{"JSON in a YAML file", "p.yaml", `{"a": [1, true, null]}`, `{"a":[1,true,null]}`},
		{"stdin, JSON", "-", "\n {\"a\": 1}", `{"a":1}`},
		{"stdin, YAML", "-", "a: 1", `{"a":1}`},
		{"unknown extension", "params.txt", "a: 1", `{"a":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := merge(t, loose, Sources{File: []byte(c.text), FileName: c.file}); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// What fits into a file may be too much with all that is added.
func TestMergedSize(t *testing.T) {
	file := `{"a":"` + strings.Repeat("x", protocol.MaxParams-10) + `"}`
	got := merge(t, loose, Sources{File: []byte(file), Sets: []string{"b=0123456789"}})
	if want := "bad parameters: all of them are 16,711,695 bytes, more than the 16,711,680 bytes that parameters may have"; got != want {
		t.Errorf("\n got %.200s\nwant %s", got, want)
	}
}

func TestReadAll(t *testing.T) {
	if got, err := ReadAll(t.Context(), strings.NewReader("abc"), 3); string(got) != "abc" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := ReadAll(t.Context(), strings.NewReader("abcd"), 3); err == nil || err.Error() != "is more than 3 bytes" {
		t.Errorf("got %v", err)
	}
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no end after 10s"))
	if _, err := ReadAll(ctx, r, 3); err == nil || err.Error() != "gave up waiting for the end of the input: no end after 10s" {
		t.Errorf("got %v", err)
	}
}
