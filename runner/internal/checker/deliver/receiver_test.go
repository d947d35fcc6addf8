package deliver

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestReceiversThatContradict(t *testing.T) {
	for want, r := range map[string]Receiver{
		"give one of component, console and file":                             {},
		"give one of component, console and file ":                            {Console: true, File: "/x"},
		"params and template: they are for a":                                 {Console: true, Params: json.RawMessage(`{}`)},
		"params: want an object":                                              {Component: "a.b", Params: json.RawMessage(`[]`)},
		`"text" is none for slack.post: want one of slack, bare`:              {Component: "slack.post", Template: Text},
		`"slack" is none for ops.page: want one of text, webhook, json, bare`: {Component: "ops.page", Template: Slack},
		`"text" is none for http.request: want one of webhook, json, bare`:    {Component: "http.request", Template: Text},
		"template: params.a.1.b:1: unclosed action":                           {Component: "ops.page", Params: json.RawMessage(`{"a": ["", {"b": "{{"}]}`)},
		"can't evaluate field Nope in type message.Message":                   {Component: "ops.page", Params: json.RawMessage(`{"a": "{{.Nope}}"}`)},
		"can't evaluate field Nix in type message.Item":                       {Component: "ops.page", Params: json.RawMessage(`{"a": "{{range .Items}}{{.Nix}}{{end}}"}`)},
		"can't evaluate field Nix in type message.Missed":                     {Component: "ops.page", Params: json.RawMessage(`{"a": "{{range .Missed}}{{.Nix}}{{end}}"}`)},
		`template: params.a:1: function "nothing" not defined`:                {Component: "ops.page", Params: json.RawMessage(`{"a": "{{nothing}}"}`)},
	} {
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%+v: %v, want %s", r, err, want)
		}
	}
	for _, r := range []Receiver{
		Console(),
		{File: "/x"},
		{Component: "slack.post"},
		{Component: "notify.send", Template: Bare},
		{Component: "ops.page", Template: Text},
		// What a message has or lacks is known with it alone.
		{Component: "ops.page", Params: json.RawMessage(`{"a": "{{(index .Items 0).Labels.tier}} {{(index .Items 7).Where}} {{text .}}"}`)},
	} {
		if err := r.Validate(); err != nil {
			t.Errorf("%+v: %v", r, err)
		}
	}
}

func TestFallbacksEndOnTheConsole(t *testing.T) {
	all := map[string]Receiver{
		"a": {Fallback: "b"}, "b": {Fallback: "c"}, "c": {}, "x": {Fallback: "y"}, "y": {Fallback: "x"}, "self": {Fallback: "self"}, "into": {Fallback: "x"},
		"console": {Console: true, Fallback: "a"},
	}
	for name, want := range map[string]string{
		"a": "b", "b": "c", "c": "console", "x": "console", "y": "console", "self": "console", "into": "console", "console": "", "gone": "console",
	} {
		if got := fallback(all, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
