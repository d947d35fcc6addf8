package ledger

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/run"
)

// TestStates drives runs through whatever hosts may try, and sees to it that their
// states change only in the ways there are.
func TestStates(t *testing.T) {
	ends := []run.State{run.Success, run.Failed, run.Skipped, run.Cancelled, run.TimedOut, run.Crashed}
	onBoth(t, func(t *testing.T, b *book) {
		seen := map[[2]run.State]int{}
		rapid.Check(t, func(rt *rapid.T) {
			holder := b.begin(lock("a"))
			c := b.begin(lock("a"))
			state := func() run.State {
				r, err := b.Get(t.Context(), c.ID())
				if err != nil {
					rt.Fatal(err)
				}
				return r.State
			}
			for range rapid.IntRange(1, 4).Draw(rt, "steps") {
				from := state()
				switch rapid.SampledFrom([]string{"free", "finish", "finish", "die"}).Draw(rt, "step") {
				case "free":
					holder.end(run.Success)
					if a, err := c.settle(t.Context()); err != nil && !errors.Is(err, ErrLost) && !errors.Is(err, ErrNoRun) {
						rt.Fatalf("%+v, %v", a, err)
					}
				case "finish":
					s := rapid.SampledFrom(ends).Draw(rt, "end")
					if err := c.Finish(t.Context(), End{Outcome: run.Outcome{State: s}}); err != nil && !errors.Is(err, ErrLost) && !errors.Is(err, ErrState) {
						rt.Fatal(err)
					}
				case "die":
					c.die()
					if _, err := b.Reconcile(t.Context()); err != nil {
						rt.Fatal(err)
					}
				}
				to := state()
				seen[[2]run.State{from, to}]++
				if from != to && !slices.Contains(ways()[from], to) {
					rt.Fatalf("%s became %s", from, to)
				}
			}
			holder.end(run.Success)
			c.die()
			if _, err := b.Reconcile(t.Context()); err != nil {
				rt.Fatal(err)
			}
		})
		for _, way := range [][2]run.State{{run.Waiting, run.Running}, {run.Waiting, run.Failed}, {run.Running, run.Success}, {run.Waiting, run.Lost}} {
			if seen[way] == 0 {
				t.Errorf("never from %s to %s", way[0], way[1])
			}
		}
	})
}
