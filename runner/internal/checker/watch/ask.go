package watch

import (
	"cmp"
	"context"
	"maps"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// firstTimeout is how long a first look may take where the source's settings do not say:
	// it reads the past, and nothing is kept of one that is given up. The turn is renewed
	// meanwhile.
	firstTimeout = 10 * time.Minute
	// firstHistory is how far back a source is asked at its first pass.
	firstHistory = 30 * 24 * time.Hour
	// askRequests is how many requests a source may take in a pass where its settings do
	// not say, and perDetails how many the details of a run take.
	askRequests = 1000
	perDetails  = 3
)

// ask asks every source where it had stopped, and those again whose runs are worth a
// closer look.
func (p *pass) ask(ctx context.Context, loaded store.Loaded, c checker.Config) []source.One {
	asked, timeouts := map[string]source.Asked{}, map[string]time.Duration{}
	for name := range p.Askers {
		s := p.Settings.Sources[name]
		timeouts[name] = cmp.Or(s.Timeout, source.DefaultTimeout)
		a := source.Asked{Cursor: loaded.Cursors[name]}
		if len(a.Cursor) == 0 {
			a.HistoryFrom = p.at.Add(-cmp.Or(s.History, firstHistory))
			if _, known := loaded.State.Sources[name]; !known { // else it gives no cursors
				timeouts[name] = cmp.Or(s.Timeout, firstTimeout)
				p.Say("%s is asked for the first time, back to %s", name, a.HistoryFrom.UTC().Format(time.DateOnly))
			}
		}
		a.Progress = func(done float64, note string) {
			p.pulse.lives() // a first look may take longer than passes do
			p.Say("%s: %.0f runs %s", name, done, note)
		}
		asked[name] = a
	}
	askers := p.Askers
	if p.Inbox != nil {
		askers = maps.Clone(askers)
		askers[p.Inbox.Name] = posts{p.Inbox}
	}
	answers := source.All(ctx, askers, asked, timeouts)
	for i := range answers {
		a := &answers[i]
		a.Report.Snapshot = without(p.Self, p.Above, a.Report.Snapshot)
		if a.Report.Failure != "" && p.Askers[a.Report.Source] != nil && a.Took >= timeouts[a.Report.Source] {
			a.Report.Failure += "; " + moreTime(len(a.Cursor) == 0)
		}
	}
	return p.closer(ctx, answers, loaded, c)
}

// moreTime is what helps where a source has not answered in time.
func moreTime(first bool) string {
	const text = "watch: {timeout: …} of the source gives it longer"
	if first {
		return text + ", and --history or watch: {history: …} less of the past to read"
	}
	return text
}

// posts asks for posted signals.
type posts struct{ *Inbox }

func (i posts) Ask(ctx context.Context, _ source.Asked) (observe.Snapshot, error) {
	return i.Snapshot(ctx)
}

// closer adds the tasks and logs of runs that a rule found. It asks on from the first
// answer, so that nothing is read twice; what is new besides is left to the next pass,
// which asks from there too. A source that does not say more has said enough.
func (p *pass) closer(ctx context.Context, answers []source.One, loaded store.Loaded, c checker.Config) []source.One {
	again, details, timeouts := map[string]source.Asker{}, map[string]source.Asked{}, map[string]time.Duration{}
	for _, a := range answers {
		name := a.Report.Source
		left := p.budget(a)
		ids := checker.Wants(loaded.State, a.Report, c, p.at)
		if ids = ids[:min(len(ids), left/perDetails)]; len(ids) > 0 && p.Askers[name] != nil {
			again[name] = p.Askers[name]
			details[name] = source.Asked{Cursor: a.Cursor, Details: ids}
			timeouts[name] = cmp.Or(p.Settings.Sources[name].Timeout, source.DefaultTimeout)
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
				p.note("%s does not tell the tasks of runs: %s", more.Report.Source, more.Report.Failure)
				continue
			}
			answers[i].Report.Snapshot = withDetails(answers[i].Report.Snapshot, more.Report.Snapshot)
			answers[i].Report.Details = details[more.Report.Source].Details
		}
	}
	return answers
}

// budget is how many requests of a source are left in this pass.
func (p *pass) budget(a source.One) (left int) {
	budget := cmp.Or(p.Settings.Sources[a.Report.Source].Requests, askRequests)
	if a.Requests > budget {
		p.note("%s took %d requests, more than its budget of %d: no tasks and logs of runs are asked for in this pass; "+
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
			// The first task's start may be known only with the tasks.
			r.Started = cmp.Or(r.Started, d.Started)
		}
		runs[i] = r
	}
	snap.Runs = runs
	return snap
}
