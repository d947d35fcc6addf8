package params

import (
	"strings"
	"testing"
)

func TestBoundsOfDurationsAndSizes(t *testing.T) {
	schema := []byte(`{"type":"object","additionalProperties":false,"properties":{
		"wait":{"type":"string","format":"go-duration","formatMinimum":"1s","formatMaximum":"1h"},
		"room":{"type":["string","integer"],"format":"byte-size","formatMinimum":"1KiB","formatMaximum":"1GiB"}}}`)
	for sets, want := range map[string]string{
		"wait=1s":       "",
		"wait=60m":      "",
		"wait=999ms":    "wait: got 999ms, want at least 1s",
		"wait=61m":      "wait: got 61m, want at most 1h",
		"room=1024":     "",
		"room=1024MiB":  "",
		"room=1023":     "room: got 1023, want at least 1KiB",
		"room=1025 MiB": "room: got 1025 MiB, want at most 1GiB",
	} {
		_, err := Merge(schema, Sources{Sets: []string{sets}})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", sets, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want %q", sets, err, want)
		}
	}
}
