package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/outrider-run/outrider/sdk"
)

// toyParams are of an engine that is none: it answers what the test wrote down.
type toyParams struct {
	Address string   `json:"address" help:"what the verb is about"`
	Answer  string   `json:"answer" help:"file with the outputs as JSON"`
	Lines   []string `json:"lines" default:"[]" help:"log lines, as TASK LINE by turns"`
	Stream  bool     `json:"stream" default:"false" help:"tell the lines"`
	DryRun  bool     `json:"dry_run" default:"false" help:"only tell"`
	Partial bool     `json:"partial" default:"false" help:"a failure of some is none of all"`
	Fail    string   `json:"fail" default:"" help:"fail with this text"`
}

func toy(word string, options ...sdk.Option) sdk.Component {
	return sdk.Define("toy."+word, func(_ context.Context, run *sdk.Run, p toyParams) (map[string]any, error) {
		for i := 0; p.Stream && i+1 < len(p.Lines); i += 2 {
			run.Log().Info(p.Lines[i+1], "task", p.Lines[i])
		}
		run.Log().Info("asked for " + p.Address)
		if p.Fail != "" {
			return nil, sdk.Permanent(errors.New(p.Fail))
		}
		raw, err := os.ReadFile(p.Answer)
		if err != nil {
			return nil, err
		}
		var out map[string]any
		err = json.Unmarshal(raw, &out)
		return out, err
	}, options...)
}
