package ledger

import (
	"slices"

	"github.com/outrider-run/outrider/runner/internal/run"
)

// ways are the only ones between the states of a run, as the package comment has
// them. What is not in it is an end.
func ways() map[run.State][]run.State {
	return map[run.State][]run.State{
		run.Waiting: {run.Running, run.Skipped, run.Failed, run.Cancelled, run.TimedOut, run.Lost},
		run.Running: {run.Success, run.Failed, run.Skipped, run.Cancelled, run.TimedOut, run.Crashed, run.Lost},
	}
}

// before lists the states that a run can come to this one from, for a statement.
func before(to run.State) (from []any) {
	for _, s := range []run.State{run.Waiting, run.Running} {
		if slices.Contains(ways()[s], to) {
			from = append(from, string(s))
		}
	}
	return from
}
