package watch

import (
	"cmp"
	"context"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/settings"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/engine"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// firstTimeout is how long a first look may take where the source's settings do not say:
	// it reads the past, and nothing is kept of one that is given up. One that says nothing
	// for as long as any other look may take is given up before.
	firstTimeout = 10 * time.Minute
	// firstHistory is how far back a source is asked at its first pass.
	firstHistory = 30 * 24 * time.Hour
	// askRequests is how many requests a source may take in a round where its settings do
	// not say, and perDetails how many the details of a run take. A component that takes a
	// budget keeps to it by itself; here is seen what any has taken.
	askRequests = 1000
	perDetails  = 3
)

// Round asks sources side by side: each where it had stopped, and then again for a closer
// look at some of its runs. Nothing is stored.
type Round struct {
	// Askers ask the sources, by name, as the settings of that name say.
	Askers   map[string]source.Asker
	Settings map[string]settings.Source
	// From is where they had stopped.
	From map[string]store.Position
	At   time.Time
	// Self is the engine that this program is a task of, Above the ids of the ledger's runs
	// that it is part of: these runs are left out.
	Self  engine.Engine
	Above []string
	// Say takes what people should know, Note what belongs to the outcome, and Lives that a
	// long look goes on. They may be called at once.
	Say, Note func(format string, args ...any)
	Lives     func()
}

// Ask asks, and returns what became of each source, by name.
func (r Round) Ask(ctx context.Context) []source.One {
	asked, timeouts := map[string]source.Asked{}, map[string]time.Duration{}
	for name := range r.Askers {
		asked[name], timeouts[name] = r.first(name)
	}
	answers := source.All(ctx, r.Askers, asked, timeouts)
	for i := range answers {
		a := &answers[i]
		a.Report.Snapshot = without(r.Self, r.Above, a.Report.Snapshot)
		if a.Late {
			a.Report.Failure += "; " + moreTime(len(a.Cursor) == 0)
		}
	}
	return answers
}

// first is what a source is asked at first, and how long it may take.
func (r Round) first(name string) (source.Asked, time.Duration) {
	if isSignals(name) {
		return source.Asked{}, source.DefaultTimeout
	}
	s := r.Settings[name]
	timeout := cmp.Or(s.Timeout, source.DefaultTimeout)
	from := r.From[name]
	a := source.Asked{Cursor: from.Cursor, Progress: func(done float64, note string) {
		r.Lives() // a first look may take longer than passes do
		r.Say("%s: %.0f runs %s", name, done, note)
	}}
	if len(a.Cursor) > 0 {
		return a, timeout
	}
	a.HistoryFrom = r.At.Add(-cmp.Or(s.History, firstHistory))
	if !from.Known { // else it gives no cursors
		r.Say("%s is asked for the first time, back to %s", name, a.HistoryFrom.UTC().Format(time.DateOnly))
		if s.Timeout == 0 {
			timeout, a.Quiet = firstTimeout, source.DefaultTimeout
		}
	}
	return a, timeout
}

// moreTime is what helps where a source has not answered in time.
func moreTime(first bool) string {
	const text = "watch: {timeout: …} of the source gives it longer"
	if first {
		return text + ", and --history or watch: {history: …} less of the past to read"
	}
	return text
}

// Closer adds the tasks and logs of the runs that wanted names, by their ids, the most wanted
// first. It asks on from the first answer, so that nothing is read twice; what is new
// besides is left to the next round, which asks from there too. A source that does not say
// more has said enough.
func (r Round) Closer(ctx context.Context, answers []source.One, wanted func(source.One) []string) []source.One {
	again, details, timeouts := map[string]source.Asker{}, map[string]source.Asked{}, map[string]time.Duration{}
	for _, a := range answers {
		name := a.Report.Source
		left := r.budget(a)
		ids := wanted(a)
		if ids = ids[:min(len(ids), left/perDetails)]; len(ids) > 0 {
			again[name] = r.Askers[name]
			details[name] = source.Asked{Cursor: a.Cursor, Details: ids}
			timeouts[name] = cmp.Or(r.Settings[name].Timeout, source.DefaultTimeout)
		}
	}
	if len(again) == 0 || ctx.Err() != nil {
		return answers
	}
	for _, more := range source.All(ctx, again, details, timeouts) {
		for i := range answers {
			if answers[i].Report.Source != more.Report.Source {
				continue
			}
			answers[i].Requests += more.Requests
			answers[i].Took += more.Took
			if more.Report.Failure != "" {
				r.Note("%s does not tell the tasks of runs: %s", more.Report.Source, more.Report.Failure)
				continue
			}
			answers[i].Report.Snapshot = withDetails(answers[i].Report.Snapshot, more.Report.Snapshot)
			answers[i].Report.Details = details[more.Report.Source].Details
		}
	}
	return answers
}

// budget is how many requests of a source are left in this round.
func (r Round) budget(a source.One) (left int) {
	budget := cmp.Or(r.Settings[a.Report.Source].Requests, askRequests)
	if a.Requests > budget {
		r.Note("%s took %d requests, more than its budget of %d, and nobody stopped it: no tasks and logs of runs are asked for now; "+
			"watch: {requests: …} of the source sets another", a.Report.Source, a.Requests, budget)
	}
	return max(0, budget-a.Requests)
}

// withDetails puts tasks and logs of one snapshot into another, by the runs' ids.
func withDetails(snap, more observe.Snapshot) observe.Snapshot {
	by := map[string]observe.Run{}
	for _, r := range more.Runs {
		by[r.ID] = r
	}
	runs := make([]observe.Run, len(snap.Runs))
	for i, r := range snap.Runs {
		if d, ok := by[r.ID]; ok {
			if len(d.Tasks) > 0 { // the ledger's runs have none
				r.Tasks = d.Tasks
			}
			r.LogTail = cmp.Or(d.LogTail, r.LogTail)
			// The first task's start may be known only with the tasks, and that there is none.
			r.Started = cmp.Or(r.Started, d.Started)
			if !r.State.Ended() && !d.State.Ended() {
				r.State = d.State
			}
		}
		runs[i] = r
	}
	snap.Runs = runs
	return snap
}
