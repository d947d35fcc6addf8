package source

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Asked is what a source is asked.
type Asked struct {
	// Cursor is that of its snapshot before; nil at the first.
	Cursor json.RawMessage
	// Details are the ids of runs whose tasks and log are wanted.
	Details []string
	// HistoryFrom: a first snapshot tells of runs too that ended since then.
	HistoryFrom time.Time
	// Progress is told how far a long look at the past is; nil for nobody. done is in
	// runs.
	Progress func(done float64, note string)
	// Quiet is how long it may go without progress; 0 for as long as it may take in all.
	Quiet time.Duration
}

// Asker asks one source. Snapshot.Cursor is what the next one is asked with. When ctx
// ends it returns soon, with an error.
type Asker interface {
	Ask(ctx context.Context, a Asked) (observe.Snapshot, error)
}

// One is what became of asking one source.
type One struct {
	Report checker.Report
	// Cursor is what it is asked with next: the one before where it failed.
	Cursor   json.RawMessage
	Took     time.Duration
	Requests int
	// Late: it was given up because it took too long.
	Late bool
}

const (
	// DefaultTimeout is how long a source may take where nothing else is said.
	DefaultTimeout = time.Minute
	// Grace is how much longer a source may take that was told to give up.
	Grace = 5 * time.Second
)

// All asks sources side by side, and returns what became of each, by name. timeouts
// are by name too; a source without one has DefaultTimeout. Whatever one source does,
// the others are not held up by it: one that fails, panics or answers nonsense has a
// Report with a Failure, and so has one that does not come back when it is told to
// give up, which is left behind.
func All(ctx context.Context, sources map[string]Asker, asked map[string]Asked, timeouts map[string]time.Duration) []One {
	names := slices.Sorted(maps.Keys(sources))
	all := make([]One, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { all[i] = one(ctx, name, sources[name], asked[name], cmp.Or(timeouts[name], DefaultTimeout)) })
	}
	wg.Wait()
	return all
}

// answer is what a source said.
type answer struct {
	snapshot observe.Snapshot
	err      error
}

func one(ctx context.Context, name string, s Asker, a Asked, timeout time.Duration) One {
	began := time.Now()
	late := tooLate(fmt.Sprintf("no answer within %s", timeout))
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, late)
	defer cancel()
	quiet := tooLate(fmt.Sprintf("no progress for %s", a.Quiet))
	ctx, progress, end := impatient(ctx, a, quiet)
	defer end()
	a.Progress = progress
	came := make(chan answer, 1)
	go func() { came <- ask(ctx, s, a) }()
	var got answer
	select {
	case got = <-came:
	case <-ctx.Done():
		got = lastWord(ctx, came)
	}
	o := One{Report: checker.Report{Source: name}, Cursor: a.Cursor, Took: time.Since(began)}
	if got.err == nil {
		got.err = Check(got.snapshot, time.Now())
	}
	if got.err != nil {
		o.Report.Failure = got.err.Error()
		cause := context.Cause(ctx)
		o.Late = cause == error(late) || cause == error(quiet)
		return o
	}
	o.Report.Snapshot, o.Cursor, o.Requests = got.snapshot, got.snapshot.Cursor, got.snapshot.Requests
	return o
}

// tooLate is why a source is given up that takes too long.
func tooLate(reason string) *run.Cause {
	return &run.Cause{State: run.TimedOut, Code: run.CodeTimeout, Reason: reason}
}

// impatient is a context that ends, with that cause, when no progress is heard for as long
// as what is asked says, and the progress that it hears.
func impatient(ctx context.Context, a Asked, why error) (_ context.Context, progress func(float64, string), end func()) {
	if a.Quiet == 0 {
		return ctx, a.Progress, func() {}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	patience := time.AfterFunc(a.Quiet, func() { cancel(why) })
	progress = func(done float64, note string) {
		patience.Reset(a.Quiet)
		if a.Progress != nil {
			a.Progress(done, note)
		}
	}
	return ctx, progress, func() {
		patience.Stop()
		cancel(nil)
	}
}

// lastWord waits a little for a source that was told to give up.
func lastWord(ctx context.Context, came <-chan answer) answer {
	grace := time.NewTimer(Grace)
	defer grace.Stop()
	select {
	case got := <-came:
		return got
	case <-grace.C:
		return answer{err: fmt.Errorf("%w, and it did not stop when told to", context.Cause(ctx))}
	}
}

// ask asks, and takes a panic for a failure.
func ask(ctx context.Context, s Asker, a Asked) (got answer) {
	defer func() {
		if p := recover(); p != nil {
			got = answer{err: fmt.Errorf("asking it panicked: %v", p)}
		}
	}()
	got.snapshot, got.err = s.Ask(ctx, a)
	return got
}
