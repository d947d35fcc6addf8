// Command outrider runs typed task components from Digdag, Airflow, cron and a shell.
package main

import (
	"os"

	"github.com/outrider-run/outrider/runner/internal/cli"
)

// Set by the linker.
var version, revision, built = "dev", "", ""

func main() {
	streams := cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}
	os.Exit(cli.Main(os.Args, streams, cli.Build{Version: version, Revision: revision, Built: built}))
}
