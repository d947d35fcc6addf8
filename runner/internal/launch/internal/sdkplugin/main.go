// Command sdkplugin is a plugin on our SDK for the tests of package launch.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/outrider-run/outrider/sdk"
)

type nothing struct{}

// wait starts a child, says so and waits to be cancelled.
func wait(ctx context.Context, run *sdk.Run, _ nothing) (nothing, error) {
	if err := exec.Command("sleep", "1000").Start(); err != nil {
		return nothing{}, err
	}
	run.Log().Info("ready")
	<-ctx.Done()
	return nothing{}, context.Cause(ctx)
}

// stubborn says so and ignores what it is told.
func stubborn(_ context.Context, run *sdk.Run, _ nothing) (nothing, error) {
	run.Log().Info("ready")
	select {}
}

// quick does nothing.
func quick(context.Context, *sdk.Run, nothing) (nothing, error) { return nothing{}, nil }

// noisy prints 400 KB without a newline where the handshake was.
func noisy(context.Context, *sdk.Run, nothing) (nothing, error) {
	raw := os.NewFile(1, "raw")
	for range 400 {
		if _, err := fmt.Fprintf(raw, "%01024d", 7); err != nil {
			return nothing{}, err
		}
	}
	return nothing{}, nil
}

func main() {
	sdk.Serve(sdk.Define("test.wait", wait), sdk.Define("test.stubborn", stubborn),
		sdk.Define("test.quick", quick), sdk.Define("test.noisy", noisy))
}
