// Command plugin breaks the rules of Conform, one component a rule.
package main

import (
	"context"
	"encoding/json"
	"os"
	"syscall"
	"time"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/manifest"
)

type none struct{}

type secret struct {
	Token sdk.Secret `json:"token"`
}

func main() {
	sdk.Serve(
		sdk.Define("test.good", good, sdk.Doc(doc()), sdk.Example("Nothing.", `{"token":"env:TOKEN"}`)),
		sdk.Define("test.raw_stdout", func(context.Context, *sdk.Run, none) (none, error) {
			_, err := syscall.Write(1, []byte("raw\n"))
			return none{}, err
		}),
		sdk.Define("test.stuck", func(context.Context, *sdk.Run, none) (none, error) { select {} }),
		sdk.Define("test.stderr", func(_ context.Context, _ *sdk.Run, p secret) (none, error) {
			_, err := os.Stderr.WriteString("token=" + p.Token.Reveal() + "\n")
			return none{}, err
		}),
		sdk.Define("test.crash", func(context.Context, *sdk.Run, none) (none, error) { os.Exit(7); return none{}, nil }),
		sdk.Raw(manifest.Component{Name: "test.open", Params: json.RawMessage(`{"type":"object"}`)},
			func(context.Context, *sdk.Run, json.RawMessage) (json.RawMessage, error) { return nil, nil }),
	)
}

// doc differs from start to start where the test wants it to.
func doc() string {
	if os.Getenv("UNSTABLE") != "" {
		return time.Now().String()
	}
	return "Waits to be cancelled."
}

func good(ctx context.Context, run *sdk.Run, p secret) (none, error) {
	run.Log().Info("begun", "token", p.Token, "bytes", len(p.Token.Reveal()))
	select {
	case <-ctx.Done():
		return none{}, ctx.Err()
	case <-time.After(time.Second):
		return none{}, nil
	}
}
