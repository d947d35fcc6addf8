package checkercli

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/sdk/observe"
)

// maxPast is how many runs of a source's past are kept in memory: some 200 MB.
const maxPast = 500_000

// past asks sources for the runs that ended since a time, page by page until they have no
// more: they tell the oldest first. A source that does not tell all is left out.
func (a *app) past(ctx context.Context, o *opened, askers map[string]source.Asker, from time.Time) map[string][]observe.Run {
	askers = maps.Clone(askers)
	asked, timeouts, all := map[string]source.Asked{}, map[string]time.Duration{}, map[string]*ended{}
	for name := range askers {
		asked[name] = source.Asked{HistoryFrom: from, Progress: a.progress(name), Quiet: max(source.DefaultTimeout, o.Sources[name].Timeout)}
		timeouts[name] = max(10*time.Minute, o.Sources[name].Timeout)
		all[name] = &ended{most: maxPast, seen: map[string]bool{}}
	}
	for len(askers) > 0 {
		for _, one := range source.All(ctx, askers, asked, timeouts) {
			name, snap := one.Report.Source, one.Report.Snapshot
			runs := all[name]
			switch {
			case one.Report.Failure != "":
				a.say("%s does not answer: %s", name, one.Report.Failure)
				delete(all, name)
			case !snap.Cut:
				runs.add(snap.Runs)
			case !runs.add(snap.Runs), len(one.Cursor) == 0:
				a.say("%s says that there is more, and does not tell it: what is newest is missing", name)
				delete(all, name)
			default:
				a.say("%s: %d runs so far, until %s", name, len(runs.seen), runs.last().Format(time.DateOnly))
				next := asked[name]
				next.Cursor, next.HistoryFrom = one.Cursor, time.Time{}
				asked[name] = next
				continue
			}
			delete(askers, name)
		}
	}
	out := map[string][]observe.Run{}
	for name, runs := range all {
		if runs.left > 0 {
			a.say("%s: it has more than %d runs: the %d that ended before %s are left out", name, runs.most, runs.left, runs.runs[0].Ended.Format(time.DateOnly))
		}
		out[name] = runs.runs
	}
	return out
}

// progress says how far a look at the past is.
func (a *app) progress(name string) func(done float64, note string) {
	return func(done float64, note string) { a.say("%s: %.0f runs %s", name, done, note) }
}

// ended are the last runs that ended, of a past that is told with the oldest first.
type ended struct {
	most int
	runs []observe.Run
	// seen are the ids of those that were told, left counts those that were too many.
	seen map[string]bool
	left int
}

// add keeps what a replay needs of runs that ended, and reports whether any was new.
func (e *ended) add(runs []observe.Run) (news bool) {
	for _, r := range runs {
		if !r.State.Ended() || e.seen[r.ID] {
			continue
		}
		r.Tasks, r.LogTail, r.Params = nil, "", nil
		e.runs, e.seen[r.ID], news = append(e.runs, r), true, true
	}
	slices.SortStableFunc(e.runs, func(x, y observe.Run) int { return x.Ended.Compare(y.Ended) })
	if over := len(e.runs) - e.most; over > 0 {
		e.left += over
		e.runs = slices.Clone(e.runs[over:])
	}
	return news
}

// last is when the last of them ended.
func (e *ended) last() time.Time {
	if len(e.runs) == 0 {
		return time.Time{}
	}
	return e.runs[len(e.runs)-1].Ended
}
