package checker

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/judge"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Version of State as it is stored.
const Version = 1

// State is all that is remembered between passes. The zero State has seen nothing.
type State struct {
	Version int                       `json:"version"`
	Sources map[string]history.Source `json:"sources,omitempty"`
	Down    map[string]Down           `json:"down,omitempty"`
	// Unwatched is since when a source is not among those that are watched.
	Unwatched map[string]time.Time `json:"unwatched,omitempty"`
	Alerts    alert.Book           `json:"alerts"`
}

// Down is a source that does not answer.
type Down struct {
	Since time.Time `json:"since"`
	Why   string    `json:"why"`
}

// Report is what became of asking a source: a snapshot, or the reason why there is none.
type Report struct {
	Source   string           `json:"source"`
	Snapshot observe.Snapshot `json:"snapshot,omitzero"`
	Failure  string           `json:"failure,omitempty"`
	// Details are the ids of runs that the source was asked to tell more of.
	Details []string `json:"details,omitempty"`
}

// Config is what holds for a pass.
type Config struct {
	Rules  *rule.Set
	Policy alert.Policy
	// Sources are those that are watched; what is remembered of others is frozen, and
	// dropped after some days. None means those of the reports and of the state.
	Sources []string
	// Ended are those that never come again: they are dropped at once.
	Ended []string
}

// Result of a pass.
type Result struct {
	State  State
	Events []alert.Event
	// Changes by source: a store writes only these workflows.
	Changes map[string]history.Changes
	// Baseline are workflows by source that had failed before the first pass.
	Baseline map[string][]string
	// Notes are settings that could not be understood.
	Notes []string
}

// Pass takes the reports of the sources in. A source without a report is left as it is.
func Pass(s State, reports []Report, c Config, now time.Time) Result {
	p := pass{c: c, now: now, out: Result{State: s, Changes: map[string]history.Changes{}, Baseline: map[string][]string{}}}
	p.out.State.Version = Version
	p.out.State.Sources = orEmpty(maps.Clone(s.Sources))
	p.out.State.Down = orEmpty(maps.Clone(s.Down))
	p.out.State.Unwatched = orEmpty(maps.Clone(s.Unwatched))
	p.checked.Over, p.checked.Looked = map[string]string{}, map[string]bool{}
	reports = slices.Clone(reports)
	slices.SortStableFunc(reports, func(a, b Report) int { return cmp.Compare(a.Source, b.Source) })
	for _, r := range reports {
		if r.Failure != "" {
			p.down(r)
		} else {
			p.source(r)
		}
	}
	p.unwatched()
	for _, name := range slices.Sorted(maps.Keys(p.out.State.Sources)) {
		p.checked.Missed = append(p.checked.Missed, judge.Missed(name, p.out.State.Sources[name], "", "", time.Time{})...)
	}
	p.out.State.Alerts, p.out.Events = alert.Step(s.Alerts, p.checked, c.Policy, now)
	return p.out
}

func orEmpty[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// pass is one pass on its way.
type pass struct {
	c       Config
	now     time.Time
	checked alert.Checked
	out     Result
}

// down freezes what is known of a source, and tells that it does not answer.
func (p *pass) down(r Report) {
	d, known := p.out.State.Down[r.Source]
	if !known || d.Since.After(p.now) {
		d.Since = p.now
	}
	d.Why = r.Failure
	p.out.State.Down[r.Source] = d
	p.checked.Findings = append(p.checked.Findings, judge.Unreachable(r.Source, p.c.Rules, d.Since, p.now, r.Failure)...)
}

func (p *pass) source(r Report) {
	in := p.c.take(p.out.State.Sources[r.Source], r)
	delete(p.out.State.Down, r.Source)
	p.out.State.Sources[r.Source] = in.Source
	p.out.Changes[r.Source] = in.Changes
	judged := judge.Judge(in)
	p.checked.Findings = append(p.checked.Findings, judged.Findings...)
	p.out.Notes = append(p.out.Notes, judged.Notes...)
	if len(judged.Baseline) > 0 {
		p.out.Baseline[r.Source] = judged.Baseline
	}
	found := map[string]bool{}
	for _, f := range judged.Findings {
		found[f.Key] = true
		if f.Holder != nil || f.LogTail != "" || slices.Contains(r.Details, f.Run) {
			p.checked.Looked[f.Key] = true
		}
	}
	for key, a := range p.out.State.Alerts.Alerts {
		if a.Source != r.Source || a.State == alert.Resolved || found[key] {
			continue
		}
		if reason, over := in.Absent(a.Finding); over {
			p.checked.Over[key] = reason
		}
	}
}

// take folds a report in.
func (c Config) take(s history.Source, r Report) judge.Input {
	in := judge.Input{Name: r.Source, Rules: c.Rules, Snapshot: r.Snapshot}
	in.Source, in.Changes = history.Fold(s, r.Snapshot)
	in.Source = in.Source.LookedAt(r.Details)
	return in
}

// keepUnwatched is how long a source is remembered that is not watched: it may be off for
// a while, or watched by another with the same store.
const keepUnwatched = 3 * 24 * time.Hour

// unwatched freezes sources that the config has no more, and drops them in the end.
func (p *pass) unwatched() {
	if p.c.Sources == nil {
		return
	}
	s := p.out.State
	open := map[string]bool{}
	for _, a := range s.Alerts.Alerts {
		open[a.Source] = open[a.Source] || a.State != alert.Resolved
	}
	maps.DeleteFunc(open, func(_ string, is bool) bool { return !is })
	maps.DeleteFunc(s.Unwatched, func(name string, _ time.Time) bool {
		_, known := s.Sources[name]
		_, down := s.Down[name]
		return slices.Contains(p.c.Sources, name) || !known && !down && !open[name]
	})
	known := slices.Concat(slices.Collect(maps.Keys(s.Sources)), slices.Collect(maps.Keys(s.Down)), slices.Collect(maps.Keys(open)))
	slices.Sort(known)
	for _, name := range slices.Compact(known) {
		if !slices.Contains(p.c.Sources, name) {
			p.leave(name)
		}
	}
}

// leave is for a source that is not watched.
func (p *pass) leave(name string) {
	s := p.out.State
	since, known := s.Unwatched[name]
	if !known || since.After(p.now) { // the clock was set back
		since = p.now
		s.Unwatched[name] = since
	}
	until := since.Add(keepUnwatched)
	if p.now.Before(until) && !slices.Contains(p.c.Ended, name) {
		if !known {
			p.out.Notes = append(p.out.Notes, "the source "+name+" is not watched any more: what is known of it, and its alerts, are kept until "+until.UTC().Format(time.RFC3339))
		}
		return
	}
	for key, a := range s.Alerts.Alerts {
		if a.Source == name {
			p.checked.Over[key] = "the source is not watched any more"
		}
	}
	delete(s.Sources, name)
	delete(s.Down, name)
	delete(s.Unwatched, name)
}

const (
	// maxDetails is for how many runs of a source details are asked in a pass.
	maxDetails = 20
	// detailsAge is how long details are good.
	detailsAge = 10 * time.Minute
)

// Wants are the ids of a source's runs whose tasks and log are worth asking for, the
// worst first: of those that a rule has just found, and of those of which only a task's
// time tells, for which half is kept. Of both those come first that were not looked at for
// the longest time, so that each has its turn. The caller asks for them and passes the
// snapshot that has them.
func Wants(s State, r Report, c Config, now time.Time) []string {
	if r.Failure != "" {
		return nil
	}
	in := c.take(s.Sources[r.Source], r)
	judged := judge.Judge(in).Findings
	slices.SortStableFunc(judged, func(a, b finding.Finding) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), s.Alerts.Alerts[a.Key].Looked.Compare(s.Alerts.Alerts[b.Key].Looked))
	})
	var found []string
	for _, f := range judged {
		a := s.Alerts.Alerts[f.Key]
		known := a.State != "" && a.State != alert.Resolved && a.Run == f.Run && !a.Looked.IsZero()
		fresh := known && now.Sub(a.Looked) < detailsAge
		if f.Run != "" && !fresh && (!known || a.Ack == nil) && f.Kind != rule.Lost && !slices.Contains(found, f.Run) {
			found = append(found, f.Run)
		}
	}
	mayBe := slices.DeleteFunc(in.TaskRuns(), func(id string) bool { return slices.Contains(found, id) })
	found = found[:min(len(found), maxDetails-min(len(mayBe), maxDetails/2))]
	return append(found, mayBe[:min(len(mayBe), maxDetails-len(found))]...)
}
