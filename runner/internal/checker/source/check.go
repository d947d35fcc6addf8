package source

import (
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

// ahead is how far the clocks of a source and of this machine may be apart.
const ahead = 15 * time.Minute

// Check refuses a snapshot of which nothing true could be told.
func Check(s observe.Snapshot, now time.Time) error {
	if s.At.IsZero() {
		return errors.New("its answer is no snapshot: at, the time when it was made, is missing")
	}
	if err := notAhead("its answer", "is of", s.At, now); err != nil {
		return err
	}
	seen := make(map[string]bool, len(s.Runs))
	for i, r := range s.Runs {
		if r.ID == "" {
			return fmt.Errorf("its answer makes no sense: run %d of %d (of workflow %.100q) has no id", i+1, len(s.Runs), r.Workflow)
		}
		if seen[r.ID] {
			return fmt.Errorf("its answer makes no sense: run %.100q stands in it twice", r.ID)
		}
		seen[r.ID] = true
		if err := checkRun(r, now); err != nil {
			return err
		}
	}
	for i, one := range s.Schedules {
		if one.Workflow == "" {
			return fmt.Errorf("its answer makes no sense: schedule %d of %d has no workflow", i+1, len(s.Schedules))
		}
	}
	return nil
}

func checkRun(r observe.Run, now time.Time) error {
	what := fmt.Sprintf("run %.100q", r.ID)
	if r.Workflow == "" {
		return fmt.Errorf("its answer makes no sense: %s has no workflow", what)
	}
	if !known(r.State) {
		return fmt.Errorf("its answer makes no sense: %s is %.40q, which is no state", what, r.State)
	}
	return errors.Join(notAhead(what, "was created at", r.Created, now), notAhead(what, "began at", r.Started, now), notAhead(what, "ended at", r.Ended, now))
}

func known(s observe.State) bool {
	switch s {
	case observe.Queued, observe.Running, observe.Cancelling, observe.Success, observe.Failed, observe.Cancelled, observe.Skipped:
		return true
	}
	return false
}

func notAhead(what, did string, at, now time.Time) error {
	if by := at.Sub(now); by > ahead {
		return fmt.Errorf("%s %s %s, which is %s in the future here: one of the clocks is wrong", what, did, at.UTC().Format(time.RFC3339), by.Round(time.Second))
	}
	return nil
}
