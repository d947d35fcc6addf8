package params

import (
	"errors"
	"strings"
	"testing"
)

// fuzzed has a bit of everything.
const fuzzed = `{"type":"object","additionalProperties":false,"required":["name"],"properties":{
	"name":{"type":"string","default":"x","minLength":1},
	"count":{"type":["null","integer"],"minimum":0,"maximum":1e30},
	"ratio":{"type":"number","multipleOf":0.5},
	"mode":{"enum":["a","b",3,null]},
	"wait":{"type":"string","format":"go-duration","default":"5s"},
	"size":{"type":["string","integer"],"format":"byte-size"},
	"since":{"type":"string","format":"date-time"},
	"token":{"type":"string","format":"secret"},
	"headers":{"type":"object","additionalProperties":{"$ref":"#/$defs/secret"}},
	"dry_run":{"type":"boolean"},
	"tree":{"$ref":"#/$defs/tree"},
	"either":{"anyOf":[{"type":"string","pattern":"^a"},{"type":"array","items":{"type":"integer"},"uniqueItems":true}]},
	"any":true},
	"$defs":{"secret":{"type":"string","format":"secret"},
		"tree":{"type":"object","properties":{"leaf":{"default":1},"list":{"type":"array","items":{"$ref":"#/$defs/tree"}}}}}}`

// FuzzMerge throws a file, a --set and component flags (one argument a line) at
// the merge. It never panics; what it takes is stable: valid JSON that merges to
// itself; what it refuses is the caller's fault and shows no literal secret.
func FuzzMerge(f *testing.F) {
	f.Fuzz(func(t *testing.T, file []byte, yaml bool, set, args string) {
		name := "p.json"
		if yaml {
			name = "p.yml"
		}
		from := Sources{File: file, FileName: name}
		if set != "" {
			from.Sets = []string{set}
		}
		if args != "" {
			flags, _, err := ParseArgs([]byte(fuzzed), strings.Split(args, "\n"))
			mustBeProblems(t, err)
			from.Flags = flags
		}
		r, err := Merge([]byte(fuzzed), from)
		if err != nil {
			mustBeProblems(t, err)
			return
		}
		for _, o := range r.Origins() {
			if o.From == "" {
				t.Errorf("nobody knows where %s is from", o.Path)
			}
		}
		again, err := Merge([]byte(fuzzed), Sources{File: r.JSON, FileName: "again.json"})
		if err != nil || string(again.JSON) != string(r.JSON) {
			t.Errorf("%s became %s, %v", r.JSON, again.JSON, err)
		}
		if _, err := decodeJSON(r.Redacted()); err != nil {
			t.Errorf("redacted %s: %v", r.Redacted(), err)
		}
	})
}

func mustBeProblems(t *testing.T, err error) {
	var p *Problems
	if err != nil && (!errors.As(err, &p) || len(p.List) == 0) {
		t.Errorf("got a %T: %v", err, err)
	}
}

// FuzzSchema reads any text as a schema: it may be refused, but nothing panics or
// runs away, whatever a plugin's author wrote.
func FuzzSchema(f *testing.F) {
	f.Fuzz(func(t *testing.T, schema, file []byte) {
		_, _ = FlagsOf(schema)
		r, err := Merge(schema, Sources{File: file, FileName: "p.json"})
		if err == nil {
			_ = r.Origins()
		}
	})
}
