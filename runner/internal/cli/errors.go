package cli

import "github.com/outrider-run/outrider/runner/internal/cli/term"

// Exit codes of the host's own (design, section 6); those of a run's outcome
// stand in run.Outcome.Exit.
const (
	exitUsage  = 2
	exitPlugin = 5
	exitHost   = 125
)

func broken(err error) error { return &term.Exit{Code: exitPlugin, Err: err} }

func host(err error) error { return &term.Exit{Code: exitHost, Err: err} }
