// Command outrider-checker watches Digdag, Airflow and Outrider's own runs, and tells
// what is wrong.
package main

import (
	"os"
	"runtime/debug"

	"github.com/outrider-run/outrider/runner/internal/cli/checkercli"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

// Set by the linker.
var version, revision, built = "dev", "", ""

func main() {
	// It stands beside what it watches: memory counts for more than processor time.
	debug.SetGCPercent(50)
	debug.SetMemoryLimit(36 << 20)
	streams := term.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	os.Exit(checkercli.Main(os.Args, streams, term.Build{Version: version, Revision: revision, Built: built}))
}
