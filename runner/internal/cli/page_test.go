package cli

import (
	"encoding/json"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/params"
	"github.com/outrider-run/outrider/sdk/manifest"
)

func TestExampleCall(t *testing.T) {
	specs, err := params.FlagsOf(json.RawMessage(`{"type":"object","properties":{
		"url":{"type":"string"},"dry_run":{"type":"boolean"},"follow":{"type":"boolean","default":true},
		"codes":{"type":"array","items":{"type":"integer"}},"headers":{"type":"object"},"at_most":{"type":"number"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for given, want := range map[string]string{
		`{}`:                                       "outrider run x.y",
		`{"url":"it's","codes":[200,204]}`:         `outrider run x.y --url 'it'\''s' --codes 200 --codes 204`,
		`{"dry_run":true,"follow":false}`:          "outrider run x.y --dry-run --no-follow",
		`{"headers":{"a":"b c"},"at_most":1.50}`:   `outrider run x.y --headers '{"a":"b c"}' --at-most 1.50`,
		`{"at_most":0,"url":"","unknown":"field"}`: "outrider run x.y --url '' --at-most 0",
	} {
		got, err := exampleCall(manifest.Component{Name: "x.y"}, specs, manifest.Example{Params: json.RawMessage(given)})
		if got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", given, got, err, want)
		}
	}
	if got, err := exampleCall(manifest.Component{Name: "x.y", Destructive: true}, nil, manifest.Example{Params: json.RawMessage(`{}`)}); err != nil || got != "outrider run --yes x.y" {
		t.Errorf("destructive: %q, %v", got, err)
	}
	if _, err := exampleCall(manifest.Component{Name: "x.y"}, specs, manifest.Example{Params: json.RawMessage(`[]`)}); err == nil {
		t.Error("a list was taken")
	}
}
