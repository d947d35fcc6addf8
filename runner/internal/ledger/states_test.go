package ledger

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/run"
)

// What a host, or its death, may do to a run that waits for a lock; any other step is
// the state in which its host ends it.
const (
	lockFreed = "the lock is freed"
	hostDies  = "the host dies"
)

// TestStates drives runs through whatever hosts may try, and sees to it that their
// states change only in the ways there are.
func TestStates(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		seen := map[[2]run.State]int{}
		walk := func(t rapid.TB, steps []string) {
			holder, c := b.begin(lock("a")), b.begin(lock("a"))
			state := func() run.State {
				r, err := b.Get(b.t.Context(), c.ID())
				if err != nil {
					t.Fatal(err)
				}
				return r.State
			}
			for _, step := range append(steps, hostDies) {
				from := state()
				var err error
				switch step {
				case lockFreed:
					holder.end(run.Success)
					_, err = c.settle(b.t.Context())
				case hostDies:
					c.die()
					_, err = b.Reconcile(b.t.Context())
				default:
					err = c.Finish(b.t.Context(), End{Outcome: run.Outcome{State: run.State(step)}})
				}
				if err != nil && !errors.Is(err, ErrLost) && !errors.Is(err, ErrState) {
					t.Fatal(err)
				}
				to := state()
				seen[[2]run.State{from, to}]++
				if from != to && !slices.Contains(ways()[from], to) {
					t.Fatalf("%s became %s", from, to)
				}
			}
			holder.end(run.Success)
		}
		for from, all := range ways() {
			for _, to := range all {
				steps := map[run.State][]string{run.Waiting: {}, run.Running: {lockFreed}}[from]
				switch to {
				case run.Running:
					steps = append(steps, lockFreed)
				case run.Lost:
					steps = append(steps, hostDies)
				default:
					steps = append(steps, string(to))
				}
				walk(t, steps)
				if seen[[2]run.State{from, to}] == 0 {
					t.Errorf("never from %s to %s", from, to)
				}
			}
		}
		step := rapid.SampledFrom([]string{
			lockFreed, hostDies, string(run.Success), string(run.Failed), string(run.Skipped),
			string(run.Cancelled), string(run.TimedOut), string(run.Crashed),
		})
		rapid.Check(t, func(t *rapid.T) { walk(t, rapid.SliceOfN(step, 1, 4).Draw(t, "steps")) })
	})
}
