package params

import (
	"fmt"
	"strings"
	"testing"
)

// All that is wrong is said at once, each with where, what and what instead.
func TestEveryProblemAtOnce(t *testing.T) {
	schema := `{"type":"object","additionalProperties":false,"required":["url","name","token"],"properties":{
		"url":{"type":"string","pattern":"^https://"},
		"name":{"type":"string","minLength":3},
		"mode":{"type":"string","enum":["append","replace","upsert"]},
		"retries":{"type":"integer","minimum":0,"maximum":10},
		"ratio":{"type":"number","exclusiveMinimum":0,"multipleOf":0.5},
		"wait":{"type":"string","format":"go-duration"},
		"size":{"type":["string","integer"],"format":"byte-size"},
		"since":{"type":"string","format":"date-time"},
		"token":{"type":"string","format":"secret"},
		"dry_run":{"type":"boolean"},
		"tags":{"type":"array","uniqueItems":true,"maxItems":2,"items":{"type":"object","required":["name"],"additionalProperties":false,"properties":{"name":{"type":"string"}}}},
		"labels":{"type":"object","additionalProperties":{"type":"string"},"propertyNames":{"pattern":"^[a-z.]+$"}}}}`
	file := `{
		"url": "http://example.com", "name": "é", "mode": "apend", "retries": "3", "ratio": -0.25, "wait": "5 minutes",
		"size": "12 apples", "since": "yesterday", "token": 12345678, "dryrun": true,
		"tags": [{"name": 1}, {"nam": "x"}, {"name": null}], "labels": {"a.b": 5, "A": "x"}}`
	got := merge(t, schema, Sources{File: []byte(file), FileName: "p.json", Sets: []string{"retries=11"}})
	want := `bad parameters: 18 problems:
  dryrun: unknown parameter; did you mean dry_run? (from file p.json)
  labels.A: is no key that is allowed here (from file p.json)
  labels["a.b"]: got integer 5, want string (from file p.json)
  mode: got string "apend", want one of "append", "replace", "upsert"; did you mean append? (from file p.json)
  name: got string "é" of 1 character, want at least 3 characters (from file p.json)
  ratio: got number -0.25, want more than 0 (from file p.json)
  ratio: got number -0.25, want a multiple of 0.5 (from file p.json)
  retries: got integer 11, want at most 10 (from --set)
  since: got string "yesterday", want time such as 2006-01-02T15:04:05Z (from file p.json)
  size: got string "12 apples", want size such as 64MiB (from file p.json)
  tags: got array of 3 items, want at most 2 items (from file p.json)
  tags[0].name: got integer 1, want string (from file p.json)
  tags[1].nam: unknown key; did you mean name? (from file p.json)
  tags[1].name: missing, want string
  tags[2].name: got null, want string; leave it out to have none (from file p.json)
  token: got integer (hidden), want secret: env:NAME or file:PATH (from file p.json)
  url: got string "http://example.com", want text that matches ^https:// (from file p.json)
  wait: got string "5 minutes", want duration such as 1h30m (from file p.json)`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestProblemTexts(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`{"type":"integer"}`, `"5"`, `v: got string "5", want integer; leave out the quotes (from stdin)`},
		{`{"type":"boolean"}`, `"true"`, `v: got string "true", want boolean; leave out the quotes (from stdin)`},
		{`{"type":"integer"}`, `1.5`, `v: got number 1.5, want integer (from stdin)`},
		{`{"type":["null","array"]}`, `"a"`, `v: got string "a", want null or array; even a single item stands in [ ] (from stdin)`},
		{`{"type":"string"}`, `["a"]`, `v: got array of 1 item, want string (from stdin)`},
		{`{"type":"string"}`, `{"a":1}`, `v: got object with 1 key, want string (from stdin)`},
		{`{"type":"string","maxLength":3}`, `"` + strings.Repeat("é", 100) + `"`, `v: got string "` + strings.Repeat("é", 40) + `"… of 100 characters, want at most 3 characters (from stdin)`},
		{`{"maximum":10}`, `123456789012345678901234567890`, `v: got integer 123456789012345678901234567890, want at most 10 (from stdin)`},
		{`{"const":"x"}`, `"y"`, `v: got string "y", want string "x" (from stdin)`},
		{`{"enum":[1,"a",null]}`, `2`, `v: got integer 2, want one of 1, "a", null (from stdin)`},
		{`{"enum":["a"]}`, `2`, `v: got integer 2, want "a" (from stdin)`},
		{`false`, `2`, `v: got integer 2, which is excluded (from stdin)`},
		{`{"not":{"type":"integer"}}`, `2`, `v: got integer 2, which is excluded (from stdin)`},
		{`{"anyOf":[{"type":"string"},{"type":"integer"}]}`, `true`, `v: got boolean true, which fits none of the alternatives: string; integer (from stdin)`},
		{`{"anyOf":[{"type":"string"},{"type":"integer","minimum":3}]}`, `2`, `v: got integer 2, want at least 3 (from stdin)`},
		{`{"oneOf":[{"minimum":1},{"minimum":2}]}`, `5`, `v: got integer 5, which fits 2 of the alternatives (1, 2), want exactly one (from stdin)`},
		{`{"if":{"type":"string"},"then":{"minLength":2}}`, `"a"`, `v: got string "a" of 1 character, want at least 2 characters (from stdin)`},
		{`{"contains":{"const":1}}`, `[2]`, `v: got array of 1 item, which the schema refuses (contains) (from stdin)`},
		{`{"properties":{"a":true},"unevaluatedProperties":false}`, `{"b":1}`, `v: got object with 1 key, which the schema refuses (unevaluatedProperties) (from stdin)`},
		{`{"dependentRequired":{"a":["b"]},"properties":{"b":{"type":"string"}}}`, `{"a":1}`, `v.b: missing since a is given, want string`},
		{`{"additionalProperties":false}`, `{"b":1}`, `v.b: unknown key, there are none (from stdin)`},
		{`{"$ref":"#/$defs/even"}`, `3`, `v: got integer 3, want a multiple of 2 (from stdin)`},
		{`{"prefixItems":[{"type":"string"}],"items":{"$ref":"#/$defs/even"}}`, `["a",2,3]`, `v[2]: got integer 3, want a multiple of 2 (from stdin)`},
		{`{"uniqueItems":true}`, `[1,1.0]`, `v: got array of 2 items, want no item twice (from stdin)`},
		{`{"minProperties":1}`, `{}`, `v: got object with 0 keys, want at least 1 key (from stdin)`},
	} {
		schema := fmt.Sprintf(`{"type":"object","properties":{"v":%s},"$defs":{"even":{"multipleOf":2}}}`, c.schema)
		got := merge(t, schema, Sources{File: []byte(`{"v":` + c.value + `}`)})
		if want := "bad parameters: " + c.want; got != want {
			t.Errorf("%s\n got %s\nwant %s", c.schema, got, want)
		}
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct {
		format    string
		good, bad []string
	}{
		{"go-duration", []string{"1h30m", "0", "500ms", "-5s"}, []string{"", "5", "1d", "5 m"}},
		{"byte-size", []string{"64MiB", "10GB", "512", "1.5 kB"}, []string{"", "-1", "12 apples"}},
		{"date-time", []string{"2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678+09:00"}, []string{"", "2026-01-02", "2026-13-02T03:04:05Z", "2026-01-02 03:04:05Z"}},
		{"email", []string{"formats that are not ours judge nothing"}, nil},
	} {
		schema := `{"type":"object","properties":{"v":{"type":"string","format":"` + c.format + `"}}}`
		for _, s := range c.good {
			if got := merge(t, schema, Sources{Sets: []string{"v=" + s}}); strings.HasPrefix(got, "bad") {
				t.Errorf("%s refuses %q: %s", c.format, s, got)
			}
		}
		for _, s := range c.bad {
			if got := merge(t, schema, Sources{Sets: []string{"v=" + s}}); !strings.HasPrefix(got, "bad parameters: v: got string") {
				t.Errorf("%s takes %q: %s", c.format, s, got)
			}
		}
	}
	size := `{"type":"object","properties":{"v":{"type":["string","integer"],"format":"byte-size"}}}`
	if got := merge(t, size, Sources{File: []byte(`{"v":512}`)}); got != `{"v":512}` {
		t.Errorf("a number of bytes: %s", got)
	}
}

// A flood of problems ends, and so does the work on it.
func TestManyProblems(t *testing.T) {
	schema := `{"type":"object","properties":{"v":{"type":"array","items":{"type":"string"}}}}`
	got := merge(t, schema, Sources{File: []byte(`{"v":[1` + strings.Repeat(",1", 100_000) + `]}`)})
	if n := strings.Count(got, "\n"); n != maxProblems+1 || !strings.HasSuffix(got, "and perhaps more") {
		t.Errorf("%d lines, the end is %q", n, got[len(got)-50:])
	}
}

func TestDidYouMean(t *testing.T) {
	for _, c := range []struct {
		word, want string
		names      []string
	}{
		{"tokne", "token", []string{"name", "token"}},
		{"maxRetries", "max_retries", []string{"max_retries", "retries"}},
		{"dry-run", "dry_run", []string{"dry_run"}},
		{"nme", "name", []string{"name"}},
		{"time", "", []string{"name", "size"}},
		{"x", "", []string{"y"}},
		{"zone", "", nil},
	} {
		want := ""
		if c.want != "" {
			want = "; did you mean " + c.want + "?"
		}
		if got := didYouMean(c.word, c.names); got != want {
			t.Errorf("%s: got %q, want %q", c.word, got, want)
		}
	}
}
