package checker

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// RunETA is an open run with when it will end.
type RunETA struct {
	Address string             `json:"address"`
	State   observe.State      `json:"state"`
	Elapsed threshold.Duration `json:"elapsed"`
	// ETA is nil where there is too little history, or where all successes took less.
	ETA *history.ETA `json:"eta,omitempty"`
	// Why there is none.
	Why string `json:"why,omitempty"`
	// Task that holds it.
	Task  string          `json:"task,omitempty"`
	Limit threshold.Limit `json:"limit"`
}

// ETAs of every open run of a source, those of which it cannot be told first, then those
// that end last. Snapshot is its last,
// with the tasks of runs where they were asked for.
func ETAs(name string, s history.Source, snapshot observe.Snapshot) []RunETA {
	tasks := map[string][]observe.Task{}
	for _, r := range snapshot.Runs {
		tasks[r.ID] = r.Tasks
	}
	var all []RunETA
	for _, id := range slices.Sorted(maps.Keys(s.Open)) {
		o := s.Open[id]
		w := s.Workflows[history.Key(o.Project, o.Workflow)]
		if w == nil {
			continue
		}
		run := o.Run
		run.Tasks = tasks[id]
		one := RunETA{Address: name + ":" + o.Address, State: o.State, Limit: w.Limit(threshold.Usual(), threshold.Bounds{}, run)}
		one.Elapsed = threshold.Duration(history.Elapsed(run, one.Limit.Clock, s.At))
		eta, ok := w.ETA(run, s.At)
		one.Task = eta.Task
		switch {
		case ok:
			one.ETA = &eta
		case eta.N < threshold.Enough:
			one.Why = "there are too few successes to compare with"
		default:
			one.Why = "all successes took less"
		}
		all = append(all, one)
	}
	slices.SortStableFunc(all, func(a, b RunETA) int {
		if a.ETA == nil || b.ETA == nil {
			return cmp.Or(boolRank(a.ETA != nil)-boolRank(b.ETA != nil), cmp.Compare(b.Elapsed, a.Elapsed), strings.Compare(a.Address, b.Address))
		}
		return cmp.Or(b.ETA.At.Compare(a.ETA.At), strings.Compare(a.Address, b.Address))
	})
	return all
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}
