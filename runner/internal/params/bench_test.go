package params

import "testing"

// A small component's parameters cost less than 0.3 ms on a quiet machine.
func BenchmarkMerge(b *testing.B) {
	schema := []byte(`{"type":"object","additionalProperties":false,"required":["name"],"properties":{
		"name":{"type":"string","help":"Whom to greet."},
		"times":{"type":"integer","default":1,"minimum":1},
		"wait":{"type":"string","format":"go-duration","default":"5s"},
		"tags":{"type":"array","items":{"type":"string"}},
		"token":{"type":"string","format":"secret","writeOnly":true}}}`)
	args := []string{"--name", "you", "--tags=a", "--tags=b"}
	from := Sources{File: []byte(`{"times":2}`), FileName: "p.json", Sets: []string{"token=env:TOKEN"}}
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if from.Flags, _, err = ParseArgs(schema, args); err != nil {
			b.Fatal(err)
		}
		if _, err = Merge(schema, from); err != nil {
			b.Fatal(err)
		}
	}
}
