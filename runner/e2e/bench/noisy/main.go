// Command noisy is a plugin whose component writes as many log lines as asked.
package main

import (
	"context"
	"strings"

	"github.com/outrider-run/outrider/sdk"
)

type params struct {
	Lines int `json:"lines"`
	Width int `json:"width"`
}

type output struct {
	Bytes int `json:"bytes"`
}

func write(_ context.Context, run *sdk.Run, p params) (output, error) {
	line := strings.Repeat("x", p.Width)
	for range p.Lines {
		run.Log().Info(line)
	}
	return output{p.Lines * p.Width}, nil
}

func main() { sdk.Serve(sdk.Define("noisy.write", write, sdk.Doc("Writes log lines."))) }
