// Command hello is the smallest useful plugin: one component, hello.greet.
package main

import (
	"context"

	"github.com/outrider-run/outrider/sdk"
)

type params struct {
	Name     string `json:"name" help:"Whom to greet"`
	Greeting string `json:"greeting" help:"How to greet" default:"Hello"`
}

type output struct {
	Message string `json:"message"`
}

func main() { sdk.Serve(sdk.Define("hello.greet", greet, sdk.Doc("Greets someone."))) }

func greet(_ context.Context, _ *sdk.Run, p params) (output, error) {
	return output{p.Greeting + ", " + p.Name + "!"}, nil
}
