package main

import (
	"context"

	"github.com/outrider-run/outrider/sdk"
)

type sayParams struct {
	Output map[string]any `json:"output" help:"What to give back."`
}

// say has the outputs that it is told to have.
func say(_ context.Context, _ *sdk.Run, p sayParams) (map[string]any, error) { return p.Output, nil }
