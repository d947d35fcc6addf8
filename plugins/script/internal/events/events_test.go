package events

import (
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/outrider-run/outrider/plugins/script/internal/lines"
)

func raw(s string) json.RawMessage { return json.RawMessage(s) }

func TestEvents(t *testing.T) {
	for line, want := range map[string]Event{
		`{"outrider":1,"progress":{"done":1,"total":3,"note":"x"}}`:   {Progress: &Progress{Done: 1, Total: 3, Note: "x"}},
		`{"outrider":1,"progress":{"done":0.5}}`:                      {Progress: &Progress{Done: 0.5}},
		`{"outrider":1,"output":{"rows":42,"name":"ä"}}`:              {Output: map[string]json.RawMessage{"rows": raw("42"), "name": raw(`"ä"`)}},
		`{"outrider":1,"output":{}}`:                                  {Output: map[string]json.RawMessage{}},
		`{"outrider":1,"alive":true}`:                                 {Alive: true},
		`{"outrider":1,"alive":false}`:                                {},
		`{"outrider":1,"error":{"code":"no_rows","message":"none"}}`:  {Error: &Error{Code: "no_rows", Message: "none"}},
		`{"outrider":1,"error":{"message":"none"}}`:                   {Error: &Error{Message: "none"}},
		`{"outrider":1,"checkpoint":{},"artifact":1}`:                 {Unknown: []string{"artifact", "checkpoint"}},
		`  {"outrider": 1, "alive":true, "output":{"a":[1]}} ` + "\r": {Alive: true, Output: map[string]json.RawMessage{"a": raw("[1]")}},
		// A name decides as it is written, not in any case.
		`{"outrider":1,"Output":{"a":1}}`: {Unknown: []string{"Output"}},
		// An invalid byte costs that character, not the event.
		"{\"outrider\":1,\"output\":{\"a\":\"x\xff\"}}": {Output: map[string]json.RawMessage{"a": raw("\"x\uFFFD\"")}},
	} {
		got, err := NewReader(strings.NewReader("\n\n" + line + "\n")).Next()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", line, got, err, want)
		}
	}
}

func TestABadLineIsReportedAndTheNextOneIsRead(t *testing.T) {
	for line, reason := range map[string]string{
		"hello":                                           "not a JSON object",
		"[1]":                                             "not a JSON object",
		"null":                                            `no "outrider":1`,
		`{"alive":true}`:                                  `no "outrider":1`,
		`{"outrider":2,"alive":true}`:                     `no "outrider":1`,
		`{"outrider":"1","alive":true}`:                   `no "outrider":1`,
		`{"outrider":1,"output":[1]}`:                     "output: ",
		`{"outrider":1,"output":null}`:                    "output: not an object",
		`{"outrider":1,"progress":{}`:                     "not a JSON object",
		`{"outrider":1,"progress":null}`:                  "progress: ",
		`{"outrider":1,"progress":7}`:                     "progress: ",
		`{"outrider":1,"alive":"yes"}`:                    "alive: ",
		`{"outrider":1,"error":{}}`:                       "error: ",
		`{"outrider":1,"error":"boom"}`:                   "error: ",
		"\x00\xff\xfe":                                    "not a JSON object",
		`{"outrider":1,"progress":{"done":-1}}`:           "progress: ",
		`{"outrider":1,"progress":{"done":NaN}}`:          "not a JSON object",
		`{"outrider":1,"progress":{"done":1e999}}`:        "progress: ",
		`{"outrider":1,"error":{"code":"No Rows"}}`:       "error: code",
		`{"outrider":1,"alive":true}{"outrider":1}`:       "not a JSON object",
		strings.Repeat("[", 100_000):                      "not a JSON object",
		`{"outrider":1,"x":` + strings.Repeat("9", 2<<20): "longer than",
	} {
		r := NewReader(iotest.HalfReader(strings.NewReader(line + "\n" + `{"outrider":1,"alive":true}`)))
		_, err := r.Next()
		var bad *BadLineError
		if !errors.As(err, &bad) || !strings.Contains(bad.Reason, reason) {
			t.Errorf("%.60s: got %v, want %q", line, err, reason)
			continue
		}
		if len(bad.Start) > 210 || bad.TooLong != (len(line) > lines.Limit) {
			t.Errorf("%.60s: shown with %d bytes, too long %v", line, len(bad.Start), bad.TooLong)
		}
		if e, err := r.Next(); err != nil || !e.Alive {
			t.Errorf("%.60s: the line after it gave %+v, %v", line, e, err)
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%.60s: the end gave %v", line, err)
		}
	}
}

func TestAnOverlongLastLineEndsTheStream(t *testing.T) {
	r := NewReader(strings.NewReader(strings.Repeat("x", 3*lines.Limit)))
	if _, err := r.Next(); !errors.As(err, new(*BadLineError)) {
		t.Errorf("got %v", err)
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("then %v", err)
	}
}

func TestOutputsMergeByNameAndTheLastOneStays(t *testing.T) {
	var o Outputs
	if got, err := o.JSON(); err != nil || string(got) != "{}" {
		t.Errorf("no output: %s, %v", got, err)
	}
	o.Merge(map[string]json.RawMessage{"a": raw(`{"x":1,"y":2}`), "b": raw(`"<&>"`)})
	o.Merge(map[string]json.RawMessage{"a": raw(`{"x":3}`), "c": raw("[ ]")})
	got, err := o.JSON()
	if want := `{"a":{"x":3},"b":"<&>","c":[]}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestOutputsOverTheLimitAreRefused(t *testing.T) {
	part := raw(`"` + strings.Repeat("x", 1<<20-100) + `"`)
	var o Outputs
	for range 100 { // the same name over and over grows nothing
		o.Merge(map[string]json.RawMessage{"same": part})
	}
	if got, err := o.JSON(); err != nil || len(got) < 1<<19 {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	for i := range 16 {
		o.Merge(map[string]json.RawMessage{"n" + string(rune('a'+i)): part})
	}
	if _, err := o.JSON(); !errors.Is(err, ErrTooLarge) || o.values != nil {
		t.Errorf("16 MiB: %v, holding %d members", err, len(o.values))
	}
	o.Merge(map[string]json.RawMessage{"late": raw("1")})
	if _, err := o.JSON(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("after it: %v", err)
	}
}

func TestOutputsWhoseNamesGrowByEscapesAreRefused(t *testing.T) {
	var o Outputs
	name := strings.Repeat("\x01", 900_000) // six bytes each in JSON
	for i := range 4 {
		o.Merge(map[string]json.RawMessage{name + string(rune('a'+i)): raw("1")})
	}
	if got, err := o.JSON(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}
