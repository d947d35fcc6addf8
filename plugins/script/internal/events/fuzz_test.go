package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"testing"
	"unicode/utf8"
)

// FuzzReader feeds any bytes. Whatever they are, every line gives one event or
// one bad line, what comes out can be sent to the host, and a good line after
// them is read.
func FuzzReader(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		const last = `{"outrider":1,"output":{"last":true}}`
		r := NewReader(bytes.NewReader(append(append(bytes.Clone(data), '\n'), last...)))
		var o Outputs
		for n := 0; ; n++ {
			e, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if n > bytes.Count(data, []byte("\n"))+1 {
				t.Fatal("more events than lines")
			}
			var bad *BadLineError
			if errors.As(err, &bad) {
				if bad.Reason == "" || !utf8.ValidString(bad.Error()) {
					t.Fatalf("bad line %q", bad)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			check(t, e)
			o.Merge(e.Output)
		}
		out, err := o.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(out, &got); err != nil || !utf8.Valid(out) || string(got["last"]) != "true" {
			t.Fatalf("outputs %q: %v", out, err)
		}
	})
}

// check fails on an event that the host would not take.
func check(t *testing.T, e Event) {
	if p := e.Progress; p != nil && (p.Done < 0 || p.Total < 0 || math.IsInf(p.Done, 0) || math.IsInf(p.Total, 0) || !utf8.ValidString(p.Note)) {
		t.Fatalf("progress %+v", p)
	}
	if e := e.Error; e != nil && (e.Code+e.Message == "" || !utf8.ValidString(e.Message)) {
		t.Fatalf("error %+v", e)
	}
}
