package judge

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// failed looks at how the last sessions ended. One that was cancelled or skipped is
// neither good nor bad.
func (j *judge) failed(s subject) {
	all := s.w.Outcomes
	if !slices.ContainsFunc(all, func(o history.Outcome) bool { return o.State == observe.Failed }) {
		return
	}
	all = slices.DeleteFunc(slices.Clone(all), func(o history.Outcome) bool { return o.State != observe.Success && o.State != observe.Failed })
	bad := slices.DeleteFunc(slices.Clone(all), func(o history.Outcome) bool { return o.State != observe.Failed })
	if j.Changes.First && all[len(all)-1].State == observe.Failed {
		j.out.Baseline = append(j.out.Baseline, j.address(cmp.Or(all[len(all)-1].Address, s.key)))
	}
	// What failed before anybody watched is no news. Digdag tells whole seconds: the same
	// one may be before or after.
	if ended := bad[len(bad)-1].Ended; j.Changes.First || ended.Before(j.Source.Since.Truncate(time.Second)) {
		return
	}
	for _, d := range j.Rules.Decide(rule.Failed, s.who, s.owner) {
		n := 0
		for _, o := range all[max(0, len(all)-d.Of):] {
			if o.State == observe.Failed {
				n++
			}
		}
		if n >= d.Failures {
			j.tell(j.failure(s, d, bad[len(bad)-1], n))
		}
	}
}

func (j *judge) failure(s subject, d rule.Decision, o history.Outcome, n int) finding.Finding {
	f := j.found(d, s, "failed")
	if took := o.Ended.Sub(o.Created); took > 0 && !o.Created.IsZero() {
		f.What += " after " + short(took)
		f.Elapsed = threshold.Duration(took)
	}
	if d.Of > 1 {
		f.What += fmt.Sprintf("; %d of the last %d sessions failed", n, d.Of)
	}
	f.Since, f.Run, f.RunState, f.Link, f.Tries = o.Ended, o.ID, o.State, o.Link, o.Try
	f.Address = j.address(cmp.Or(o.Address, s.key))
	if o.Try > 1 {
		f.Total = threshold.Duration(time.Duration(o.Sum) * time.Millisecond)
		f.What += fmt.Sprintf("; try %d of its session, %s in all", o.Try, short(time.Duration(f.Total)))
	}
	f.Changes = changes(o.Before, o.Revision, o.Changed)
	for _, open := range j.open[s.key] {
		if open.ID == o.ID || o.Session != "" && open.Session == o.Session {
			f.Retry = j.address(open.Address)
		}
	}
	return j.withDetails(f, o.ID)
}

// deadline wants a success whose session began after the same time of the day before.
func (j *judge) deadline(s subject) {
	for _, d := range j.Rules.Decide(rule.Deadline, s.who, s.owner) {
		t := d.Deadlines(j.at)
		zone := d.Zone.Location()
		done := func(from time.Time) bool { return s.w.Good != nil && s.w.Good.First.After(from) }
		if !t.Last.IsZero() && t.Last.After(later(j.Source.Since, s.w.First)) && !done(t.LastFrom) {
			f := j.found(d, s, fmt.Sprintf("no success by %s", t.Last.In(zone).Format("15:04 MST on Mon 2 Jan")))
			f.Since, f.Elapsed = t.Last, threshold.Duration(j.at.Sub(t.Last))
			j.tell(j.expected(f, s, t.LastFrom))
			continue
		}
		if t.Next.IsZero() || done(t.NextFrom) {
			continue
		}
		eta, why := j.expectedBy(s, t.NextFrom)
		if eta.IsZero() || !eta.After(t.Next) {
			continue
		}
		f := j.found(d, s, fmt.Sprintf("it will probably not succeed by %s: %s", t.Next.In(zone).Format("15:04 MST"), why))
		f.Since, f.ETA = j.at, eta
		f.Stage, f.Notes = "early", append(slices.Clone(f.Notes), "early warning")
		j.tell(j.expected(f, s, t.NextFrom))
	}
}

// expected adds the run that it hangs on: the open one, else the last, which did not
// succeed, else those that were due and never started. RunState tells them apart, as what
// helps is not the same.
func (j *judge) expected(f finding.Finding, s subject, from time.Time) finding.Finding {
	for _, o := range j.open[s.key] {
		if !o.First.After(from) {
			continue
		}
		key := f.Key
		if f.ETA.IsZero() {
			f.What += fmt.Sprintf("; %s %s for %s", o.Address, o.State, short(history.Elapsed(o.Run, threshold.Created, j.at)))
		}
		f = j.ofRun(f, o)
		f.Key = key // it is about the workflow
		return f
	}
	if len(s.w.Outcomes) > 0 {
		if o := s.w.Outcomes[len(s.w.Outcomes)-1]; o.State != observe.Success && o.First.After(from) {
			f.What += fmt.Sprintf("; the last run ended %s", o.State)
			f.Run, f.RunState, f.Link, f.Tries = o.ID, o.State, o.Link, o.Try
			f.Address = j.address(cmp.Or(o.Address, s.key))
			f.Changes = changes(o.Before, o.Revision, o.Changed)
			return j.withDetails(f, o.ID)
		}
	}
	for _, due := range j.due(s) {
		if due.At.After(from) {
			f.Missed = append(f.Missed, j.missed(s.w, due))
		}
	}
	return f
}

// expectedBy is when the workflow will have succeeded, by its open run, or its next.
func (j *judge) expectedBy(s subject, from time.Time) (time.Time, string) {
	for _, o := range j.open[s.key] {
		if !o.First.After(from) || o.State == observe.Cancelling {
			continue
		}
		run := o.Run
		run.Tasks = j.seen[o.ID].Tasks
		// Where hardly any success took longer it tells of the odd one alone.
		if eta, ok := s.w.ETA(run, j.at); ok && eta.Longer >= max(2, eta.N/10) {
			return eta.At, fmt.Sprintf("%s will take until about %s more", o.Address, short(eta.At.Sub(j.at)))
		}
		return time.Time{}, ""
	}
	sched := s.w.Schedule
	if sched == nil || sched.Off || !sched.Next.After(from) {
		return time.Time{}, ""
	}
	l := s.w.Limit(threshold.Usual(), threshold.Bounds{}, observe.Run{Created: sched.Next, Time: sched.Session})
	if l.N < threshold.Enough {
		return time.Time{}, ""
	}
	return later(sched.Next, j.at).Add(time.Duration(l.Median)), fmt.Sprintf("it has not begun, and usually takes %s", short(time.Duration(l.Median)))
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// fresh wants a success now and then.
func (j *judge) fresh(s subject) {
	for _, d := range j.Rules.Decide(rule.Fresh, s.who, s.owner) {
		since, what := later(j.Source.Since, s.w.First), "no success since it is watched"
		if s.w.Good != nil {
			since, what = s.w.Good.Ended, "no success since "+s.w.Good.Ended.UTC().Format("2006-01-02 15:04 MST")
		}
		took := j.at.Sub(since)
		if took <= d.Limit.Fixed {
			continue
		}
		f := j.found(d, s, fmt.Sprintf("%s, for %s", what, short(took)))
		f.Since, f.Elapsed = since.Add(d.Limit.Fixed), threshold.Duration(took)
		f.Limit = &threshold.Limit{At: threshold.Duration(d.Limit.Fixed), Spec: d.Limit}
		j.tell(f)
	}
}

// fast finds a last success that took too little time to have done its work.
func (j *judge) fast(s subject) {
	g := s.w.Good
	if g == nil || !g.Ended.After(j.Source.Since) {
		return
	}
	o := history.Outcome{ID: g.ID, Created: g.Created, Started: g.Started}
	for _, d := range j.Rules.Decide(rule.Fast, s.who, s.owner) {
		l := s.w.Under(d.Limit, d.Bounds, o)
		took := history.Elapsed(observe.Run{Created: g.Created, Started: g.Started}, l.Clock, g.Ended)
		if took >= time.Duration(l.At) {
			continue
		}
		f := j.found(d, s, "succeeded after only "+short(took))
		if l.N > 0 {
			f.What += ", usually " + short(time.Duration(l.Median))
		}
		f.Since, f.Elapsed, f.Limit, f.Run, f.RunState = g.Ended, threshold.Duration(took), &l, g.ID, observe.Success
		f.Address = j.address(cmp.Or(g.Address, s.key))
		j.tell(j.withDetails(f, g.ID))
	}
}

func (j *judge) overlap(s subject) {
	var running []history.Open
	for _, o := range j.open[s.key] {
		if o.State == observe.Running {
			running = append(running, o)
		}
	}
	if len(running) < 2 {
		return
	}
	for _, d := range j.Rules.Decide(rule.Overlap, s.who, s.owner) {
		most := 1.0
		if s.w.Schedule != nil && s.w.Schedule.MaxActive > 0 {
			most = float64(s.w.Schedule.MaxActive)
		}
		if d.Above != nil {
			most = *d.Above
		}
		if float64(len(running)) <= most {
			continue
		}
		f := j.found(d, s, fmt.Sprintf("%d runs of it are under way at once", len(running)))
		for _, o := range running {
			f.Holders = append(f.Holders, fmt.Sprintf("%s for %s", j.address(o.Address), short(history.Elapsed(o.Run, threshold.Created, j.at))))
			f.Since = later(f.Since, o.Created)
		}
		f.Holders = f.Holders[:min(len(f.Holders), maxHolders)]
		j.tell(f)
	}
}
