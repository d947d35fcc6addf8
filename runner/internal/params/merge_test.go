package params

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const layered = `{"type":"object","additionalProperties":false,"properties":{
	"name":{"type":"string","default":"default"},
	"retry":{"type":"object","additionalProperties":false,"properties":{
		"max":{"type":"integer","default":1},"min":{"type":"integer"},"on":{"type":"array","items":{"type":"string"}}}}}}`

// default < file < --set < flag.
func TestPrecedence(t *testing.T) {
	file := []byte(`{"name":"file"}`)
	sets := []string{"name=first set", "name=set"}
	flags := []Flag{{"name", "first flag"}, {"name", "flag"}}
	for _, c := range []struct {
		from       Sources
		want, says string
	}{
		{Sources{}, "default", "default"},
		{Sources{File: file, FileName: "p.json"}, "file", "file p.json"},
		{Sources{File: file, FileName: "-"}, "file", "stdin"},
		{Sources{File: file, Sets: sets}, "set", "--set"},
		{Sources{Sets: sets}, "set", "--set"},
		{Sources{File: file, Sets: sets, Flags: flags}, "flag", "--name"},
		{Sources{Flags: flags}, "flag", "--name"},
	} {
		r, err := Merge([]byte(layered), c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(r.JSON), `{"name":"`+c.want+`"}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := r.Origins(); len(got) != 1 || got[0] != (Origin{"name", `"` + c.want + `"`, c.says}) {
			t.Errorf("got %v, want it from %s", got, c.says)
		}
	}
}

func TestMergeGoesKeyByKey(t *testing.T) {
	for _, c := range []struct {
		name, file string
		sets       []string
		flags      []Flag
		want       string
	}{
		{"a set keeps its neighbours", `{"retry":{"min":2}}`, []string{"retry.max=5"}, nil, `{"name":"default","retry":{"max":5,"min":2}}`},
		{"a set makes the object", `{}`, []string{"retry.min=2"}, nil, `{"name":"default","retry":{"max":1,"min":2}}`},
		{"null is no obstacle", `{"retry":null}`, []string{"retry.min=2"}, nil, `{"name":"default","retry":{"max":1,"min":2}}`},
		{"a whole object replaces", `{"retry":{"min":2}}`, []string{`retry={"max":5}`}, nil, `{"name":"default","retry":{"max":5}}`},
		{"a flag replaces", `{"retry":{"min":2}}`, []string{"retry.min=3"}, []Flag{{"retry", `{"max":5}`}}, `{"name":"default","retry":{"max":5}}`},
		{"no object appears by itself", `{}`, nil, nil, `{"name":"default"}`},
		{"defaults go into what is there", `{"retry":{}}`, nil, nil, `{"name":"default","retry":{"max":1}}`},
		{"array by index", `{"retry":{"on":["a","b"]}}`, []string{"retry.on.1=x", "retry.on.2=y"}, nil, `{"name":"default","retry":{"max":1,"on":["a","x","y"]}}`},
		{"array from nothing", `{}`, []string{"retry.on.0=x", "retry.on.1=y,z"}, nil, `{"name":"default","retry":{"max":1,"on":["x","y,z"]}}`},
		{"array as JSON", `{}`, []string{`retry.on=["a,b"]`}, nil, `{"name":"default","retry":{"max":1,"on":["a,b"]}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := merge(t, layered, Sources{File: []byte(c.file), Sets: c.sets, Flags: c.flags}); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestBadSets(t *testing.T) {
	for _, c := range []struct{ set, want string }{
		{"name", `there is no = in "name", want KEY=VALUE (from --set)`},
		{"name:hunter2", `there is no = in "name…", want KEY=VALUE (from --set)`},
		{"=x", `a key is empty in "…", want KEY=VALUE (from --set)`},
		{"retry..max=1", `a key is empty in "retry..max…", want KEY=VALUE (from --set)`},
		{"name.first=x", `name: is of type string, so there is no "first" to set in it (from --set)`},
		{"retry.on.2=x", `retry.on: has 1 item, so the next index is 1, not 2 (from --set)`},
		{"retry.on.x=x", `retry.on: is an array, want an index instead of "x" (from --set)`},
		{"retry.on.-1=x", `retry.on: is an array, want an index instead of "-1" (from --set)`},
		{`retry={"max":}`, `retry: not JSON: missing value after object name (from --set)`},
		{`retry={"max":1,"max":2}`, `retry: key "max" is there twice (from --set)`},
		{"retry=5", `retry: got integer 5, want object (from --set)`},
		{"retry.on=a", `retry.on: got string "a", want array; even a single item stands in [ ] (from --set)`},
		{"retry.max=five", `retry.max: got string "five", want integer (from --set)`},
		{"retry.max=007", `retry.max: got string "007", want integer (from --set)`},
		{"retry.max=NaN", `retry.max: got string "NaN", want integer (from --set)`},
		{"name=\xff", `name: is not valid UTF-8 (from --set)`},
		{"name=\x00", `name: a NUL character is not allowed (from --set)`},
		{"\xff=x", `the key "\xff" is not valid UTF-8 (from --set)`},
		{"retry.mxa=5", `retry.mxa: unknown key, want one of max, min, on (from --set)`},
		{"retry.mn=5", `retry.mn: unknown key; did you mean min? (from --set)`},
		{"nmae.first=5", `nmae: unknown parameter, want one of name, retry (from --set)`},
	} {
		got := merge(t, layered, Sources{File: []byte(`{"name":"x","retry":{"on":["a"]}}`), Sets: []string{c.set}})
		if want := "bad parameters: " + c.want; got != want {
			t.Errorf("--set %s\n got %s\nwant %s", c.set, got, want)
		}
	}
}

func TestEscapedKeys(t *testing.T) {
	got := merge(t, loose, Sources{Sets: []string{`a\.b.c\=d=e\=f`, `x.y\\z=1`}})
	if want := `{"a.b":{"c=d":"e\\=f"},"x":{"y\\z":1}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// What a value on the command line becomes is the schema's to say.
func TestConvert(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`{"type":"string"}`, "5", `"5"`},
		{`{"type":"string"}`, `"quoted"`, `"\"quoted\""`},
		{`{"type":"string"}`, "a,b", `"a,b"`},
		{`{"type":"string"}`, "env:HOME", `"env:HOME"`},
		{`{"type":"string"}`, "", `""`},
		{`{"type":["null","string"]}`, "null", `"null"`},
		{`{"type":["string","integer"],"format":"byte-size"}`, "512", `"512"`},
		{`{"type":"integer"}`, "5", `5`},
		{`{"type":"integer"}`, "12345678901234567890123", `12345678901234567890123`},
		{`{"type":"number"}`, "-1.50", `-1.5`},
		{`{"type":["null","integer"]}`, "null", `null`},
		{`{"type":"boolean"}`, "true", `true`},
		{`{"type":"object"}`, ` {"a": [1, "b"]}`, `{"a":[1,"b"]}`},
		{`{"type":"array"}`, `["a","b,c"]`, `["a","b,c"]`},
		{`{"enum":[1,2]}`, "2", `2`},
		{`{"enum":["1","2"]}`, "2", `"2"`},
		{`{"const":true}`, "true", `true`},
		{`{"anyOf":[{"type":"integer"},{"type":"string"}]}`, "5", `"5"`},
		{`{"$ref":"#/$defs/n"}`, "5", `5`},
		{`{"allOf":[{"type":"integer"}]}`, "5", `5`},
		{`{}`, "5", `5`},
		{`{}`, "text", `"text"`},
		{`true`, "[1", `"[1"`},
	} {
		schema := fmt.Sprintf(`{"type":"object","properties":{"v":%s},"$defs":{"n":{"type":"integer"}}}`, c.schema)
		want := `{"v":` + c.want + `}`
		if got := merge(t, schema, Sources{Sets: []string{"v=" + c.value}}); got != want {
			t.Errorf("--set v=%s for %s: got %s, want %s", c.value, c.schema, got, want)
		}
		if got := merge(t, schema, Sources{Flags: []Flag{{"v", c.value}}}); got != want && c.schema != `{"type":"array"}` {
			t.Errorf("--v %s for %s: got %s, want %s", c.value, c.schema, got, want)
		}
	}
}

func TestArrayFlagsRepeat(t *testing.T) {
	schema := `{"type":"object","properties":{
		"tag":{"type":"array","items":{"type":"string"}},
		"n":{"type":["null","array"],"items":{"type":"integer"}}}}`
	got := merge(t, schema, Sources{
		File:  []byte(`{"tag":["z"]}`),
		Flags: []Flag{{"tag", "a,b"}, {"n", "1"}, {"tag", "[c]"}, {"n", "2"}},
	})
	if want := `{"n":[1,2],"tag":["a,b","[c]"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDefaults(t *testing.T) {
	for _, c := range []struct{ name, schema, file, want string }{
		{
			"of every kind",
			`{"type":"object","properties":{"s":{"default":"x"},"n":{"default":9007199254740993},"o":{"default":{"b":1,"a":[2]}},"z":{"default":null}}}`,
			`{}`, `{"n":9007199254740993,"o":{"a":[2],"b":1},"s":"x","z":null}`,
		},
		{
			"in the items of an array",
			`{"type":"object","properties":{"l":{"type":"array","items":{"type":"object","properties":{"p":{"default":80}}}}}}`,
			`{"l":[{},{"p":1}]}`, `{"l":[{"p":80},{"p":1}]}`,
		},
		{
			"in the values of a map",
			`{"type":"object","additionalProperties":{"type":"object","properties":{"p":{"default":80}}}}`,
			`{"x":{}}`, `{"x":{"p":80}}`,
		},
		{
			"behind a reference",
			`{"type":"object","properties":{"r":{"$ref":"#/$defs/r"}},"required":["r"],"$defs":{"r":{"type":"object","properties":{"max":{"default":3}}}}}`,
			`{}`, `{"r":{"max":3}}`,
		},
		{
			"a required object that they do not complete stays away",
			`{"type":"object","properties":{"r":{"type":"object","properties":{"max":{"default":3},"url":{"type":"string"}},"required":["url"]}},"required":["r"]}`,
			`{}`, `bad parameters: r: missing, want object`,
		},
		{
			"inside of a default",
			`{"type":"object","properties":{"r":{"default":{"a":1},"properties":{"b":{"default":2}}}}}`,
			`{}`, `{"r":{"a":1,"b":2}}`,
		},
		{
			"a wrong one",
			`{"type":"object","properties":{"n":{"type":"integer","default":"x"}}}`,
			`{}`, `bad parameters: n: got string "x", want integer; leave out the quotes (from the schema's default)`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := strings.Replace(c.want, "; leave out the quotes", "", 1)
			if got := merge(t, c.schema, Sources{File: []byte(c.file)}); got != want {
				t.Errorf("\n got %s\nwant %s", got, want)
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	schema := `{"type":"object","properties":{
		"zone":{"type":"string"},
		"list":{"type":"array","items":{"type":"object","properties":{"a.b":{"type":"integer"},"c":{"default":1}}}},
		"empty":{"type":"object"},
		"token":{"type":"string","format":"secret"},"other":{"type":"string","format":"secret"},
		"retry":{"type":"object","properties":{"max":{"type":"integer"},"min":{"type":"integer"}}}}}`
	r, err := Merge([]byte(schema), Sources{
		File:     []byte(`{"empty":{},"extra":[],"other":"hunter2","list":[{"a.b":5},{}],"retry":{"max":1,"min":1}}`),
		FileName: "p.json",
		Sets:     []string{"retry.max=2", "list.1.c=7"},
		Flags:    []Flag{{"token", "env:TOKEN"}, {"zone", "eu"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []Origin{
		{"zone", `"eu"`, "--zone"},
		{`list[0]["a.b"]`, "5", "file p.json"},
		{"list[0].c", "1", "default"},
		{"list[1].c", "7", "--set"},
		{"empty", "{}", "file p.json"},
		{"token", "env:TOKEN", "--token"},
		{"other", "(literal from file p.json)", "file p.json"},
		{"retry.max", "2", "--set"},
		{"retry.min", "1", "file p.json"},
		{"extra", "[]", "file p.json"},
	}
	if got := r.Origins(); !slices.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

// A schema that nobody can use is no fault of the caller.
func TestBadSchemas(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{``, "read the parameter schema: want a schema, which is an object or a boolean"},
		{`{`, "read the parameter schema: not JSON: ends in the middle of a value"},
		{`{"type":5}`, `read the parameter schema: type: got integer 5, want string`},
		{`{"properties":{"a":{"minLength":-1}}}`, `read the parameter schema: properties: a: minLength: got integer -1, want a whole number from 0`},
		{`{"properties":{"a":{"$ref":"http://example.com/x"}}}`, `read the parameter schema: $ref "http://example.com/x" is not supported, want #/…`},
		{`{"properties":{"a":{"$ref":"#/$defs/x"}}}`, `read the parameter schema: $ref "#/$defs/x" leads nowhere`},
		{`{"$ref":"#"}`, `read the parameter schema: $ref "#" leads back to itself`},
		{`{"allOf":[{"$ref":"#/$defs/a"}],"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/a"}]}}}`, `read the parameter schema: $ref "#/$defs/a" leads back to itself`},
		{`{"$dynamicRef":"#x"}`, `read the parameter schema: $dynamicRef "#x" is not supported`},
		{`{"properties":{"a":{"$id":"x"}}}`, `read the parameter schema: $id "x" inside of it is not supported`},
		{`{"$schema":"http://json-schema.org/draft-07/schema#"}`, `read the parameter schema: $schema is "http://json-schema.org/draft-07/schema#", want "https://json-schema.org/draft/2020-12/schema"`},
		{`{"properties":{"a":{"pattern":"("}}}`, "read the parameter schema: jsonschema.Schema: <anonymous schema>: pattern: error parsing regexp: missing closing ): `(`"},
		{`{"properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"object","default":{},"properties":{"b":{"$ref":"#/$defs/a"}}}}}`, `the schema's defaults never end`},
	} {
		_, err := Merge([]byte(c.schema), Sources{Sets: []string{"a=x"}})
		if strings.Contains(c.schema, "never") || strings.Contains(c.want, "never") {
			_, err = Merge([]byte(c.schema), Sources{})
		}
		if err == nil || err.Error() != c.want {
			t.Errorf("%s\n got %v\nwant %s", c.schema, err, c.want)
		}
	}
}

// A reference may lead into a parameter that is not given.
func TestReferenceIntoAnAbsentParameter(t *testing.T) {
	schema := `{"type":"object","properties":{"from":{"type":"integer"},"to":{"$ref":"#/properties/from"}}}`
	if got, want := merge(t, schema, Sources{Sets: []string{"to=5"}}), `{"to":5}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := merge(t, schema, Sources{Sets: []string{"to=x"}}), `bad parameters: to: got string "x", want integer (from --set)`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A recursive schema is fine as long as values end.
func TestRecursiveSchema(t *testing.T) {
	schema := `{"type":"object","properties":{"tree":{"$ref":"#/$defs/node"}},"$defs":{"node":{"type":"object","additionalProperties":false,
		"required":["name"],"properties":{"name":{"type":"string"},"token":{"type":"string","format":"secret"},"children":{"type":"array","items":{"$ref":"#/$defs/node"}}}}}}`
	got := merge(t, schema, Sources{File: []byte(`{"tree":{"name":"a","children":[{"name":"b"},{"nam":"c","token":"env:"}]}}`)})
	want := `bad parameters: 3 problems:
  tree.children[1].nam: unknown key; did you mean name? (from stdin)
  tree.children[1].name: missing, want string
  tree.children[1].token: names no secret, want env:NAME or file:PATH (from stdin)`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	required := `{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/$defs/a"}},"$defs":{"a":{"type":"object","required":["a"],"properties":{"a":{"$ref":"#/$defs/a"}}}}}`
	if got, want := merge(t, required, Sources{}), "bad parameters: a: missing, want object"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestTemplated: a template makes a text of all that it is given, so a text stands for
// what it spells where no text is wanted.
func TestTemplated(t *testing.T) {
	const schema = `{"type":"object","additionalProperties":false,"properties":{
		"count":{"type":["integer","null"]},"on":{"type":"boolean"},"share":{"type":"number"},"text":{"type":"string"},
		"tags":{"type":"array","items":{"type":"string"}},"ids":{"type":"array","items":{"type":"integer"}},
		"map":{"type":"object","additionalProperties":{"type":"integer"}},"any":{},"either":{"type":["string","integer"]}}}`
	merge := func(text string) (Resolved, error) {
		return Merge([]byte(schema), Sources{File: []byte(text), FileName: "with", Templated: true})
	}
	for text, want := range map[string]string{
		`{"count":"5","on":"true","share":"0.5","text":"5"}`:           `{"count":5,"on":true,"share":0.5,"text":"5"}`,
		`{"count":"null","any":"5","either":"5"}`:                      `{"any":"5","count":null,"either":"5"}`,
		`{"tags":"[\"a\",\"b,c\"]","ids":["1",2],"map":{"a":"1"}}`:     `{"ids":[1,2],"map":{"a":1},"tags":["a","b,c"]}`,
		`{"map":"{\"a\":1}","tags":["[]","5"],"text":"{\"a\": true}"}`: `{"map":{"a":1},"tags":["[]","5"],"text":"{\"a\": true}"}`,
	} {
		if r, err := merge(text); err != nil || string(r.JSON) != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", text, r.JSON, err, want)
		}
	}
	for text, want := range map[string]string{
		`{"count":"five"}`: `count: got string "five", want integer or null (from with)`,
		`{"tags":"[a"}`:    `tags: got string "[a", want array`,
		`["a"]`:            "with: holds ",
		`{"cuont":"5"}`:    "count",
	} {
		if _, err := merge(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := Merge([]byte(schema), Sources{File: []byte(`{"count":"5"}`), FileName: "p.json"}); err == nil {
		t.Error("a text of a file is taken for a number")
	}
}
