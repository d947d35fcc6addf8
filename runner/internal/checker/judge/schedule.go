package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// schedule judges when a workflow should run.
func (j *judge) schedule(s subject) {
	c := s.w.Schedule
	if c == nil {
		return
	}
	if c.Off {
		j.disabled(s, c)
		return
	}
	j.late(s, c)
	j.missing(s)
}

// late wants the engine to start what is due, until a run of that session was seen: somebody
// may have started it by hand, and the engine not gone on. Where an engine says how many runs
// may be open and as many are, the next one waits its turn: Airflow starts none at
// max_active_runs, and Airflow 3 leaves the next time in the past meanwhile. Digdag and the
// ledger have no such limit: there a run that hangs hides no other that is due. The time of
// one that is new, was turned on or catches up is past from the beginning, and soon over.
func (j *judge) late(s subject, c *history.Schedule) {
	due := history.Due{At: c.Next, Session: c.Session}
	full := c.MaxActive > 0 && len(j.open[s.key]) >= c.MaxActive
	if c.Next.IsZero() || full || s.w.Came(due, j.open[s.key]) {
		return
	}
	for _, d := range j.Rules.Decide(rule.Late, s.who, s.owner) {
		if took := j.at.Sub(c.Next); j.at.Sub(later(c.Next, c.Late)) > d.Limit.Fixed {
			f := j.found(d, s, fmt.Sprintf("due at %s, %s ago, and not started", c.Next.UTC().Format("15:04 MST"), short(took)))
			f.Since, f.Elapsed = c.Next, threshold.Duration(took)
			f.Missed = []finding.Missed{j.missed(s.w, due)}
			j.tell(f)
		}
	}
}

// tellMissing is how long a missing run is told of at least, though the next one came.
const tellMissing = 30 * time.Minute

func (j *judge) missing(s subject) {
	if len(s.w.Due) == 0 {
		return
	}
	for _, d := range j.Rules.Decide(rule.Missing, s.who, s.owner) {
		var missed []finding.Missed
		for _, due := range s.w.Due {
			age := j.at.Sub(due.At)
			if age > d.Limit.Fixed && (age <= d.Limit.Fixed+tellMissing || !s.w.LastRun.After(due.At)) {
				missed = append(missed, j.missed(s.w, due))
			}
		}
		if len(missed) == 0 {
			continue
		}
		first := missed[0]
		f := j.found(d, s, fmt.Sprintf("the run due at %s never started", first.At.UTC().Format("15:04 MST")))
		if len(missed) > 1 {
			f.What = fmt.Sprintf("%d due runs never started, the first due at %s", len(missed), first.At.UTC().Format("15:04 MST"))
		}
		if first.While != "" {
			f.What += fmt.Sprintf("; %s was open then", first.While)
		}
		f.Since, f.Elapsed, f.Missed = first.At, threshold.Duration(j.at.Sub(first.At)), missed
		j.tell(f)
	}
}

// due are a workflow's runs that should have come by now and have not, also the one that the
// engine has not gone on from.
func (j *judge) due(s subject) []history.Due {
	all := slices.Clone(s.w.Due)
	if c := s.w.Schedule; c != nil && !c.Off && !c.Next.IsZero() && !c.Next.After(j.at) {
		if due := (history.Due{At: c.Next, Session: c.Session}); !s.w.Came(due, j.open[s.key]) {
			all = append(all, due)
		}
	}
	return all
}

func (j *judge) missed(w *history.Workflow, d history.Due) finding.Missed {
	m := finding.Missed{Address: j.address(w.Key()), At: d.At, Session: d.Session}
	if j.Source.Engine == finding.Ledger {
		m.Last = w.Last()
	}
	if d.While != "" {
		m.While = j.address(d.While)
	}
	return m
}

// Missed are the due runs of a source that never started, from a time on; of project
// and workflow where they are given.
func Missed(name string, s history.Source, project, workflow string, from time.Time) (all []finding.Missed) {
	j := judge{Input: Input{Name: name, Source: s}}
	for _, w := range s.Workflows {
		if workflow != "" && (w.Project != project || w.Name != workflow) {
			continue
		}
		for _, d := range w.Due {
			if !d.At.Before(from) {
				all = append(all, j.missed(w, d))
			}
		}
	}
	slices.SortFunc(all, func(a, b finding.Missed) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return compareText(a.Address, b.Address)
	})
	return all
}

// disabled leaves out what was off before anybody watched.
func (j *judge) disabled(s subject, c *history.Schedule) {
	if !c.OffSince.After(j.Source.Since) {
		return
	}
	for _, d := range j.Rules.Decide(rule.Disabled, s.who, s.owner) {
		if took := j.at.Sub(c.OffSince); took > d.Limit.Fixed {
			f := j.found(d, s, "its schedule is off for "+short(took))
			f.Since, f.Elapsed = c.OffSince, threshold.Duration(took)
			j.tell(f)
		}
	}
}

// broken finds what cannot be read, and what is gone though it ran lately. A workflow
// that came in its place makes up for it. Airflow lists its DAGs with a schedule or without
// one; Digdag only what has one, so that nobody can tell there that another is gone.
func (j *judge) broken(s subject) {
	c := s.w.Schedule
	if c == nil || c.Broken == "" && s.w.Gone.IsZero() {
		return
	}
	for _, d := range j.Rules.Decide(rule.Broken, s.who, s.owner) {
		switch {
		case s.w.Gone.IsZero():
			f := j.found(d, s, "it cannot be read: "+firstLine(c.Broken))
			f.Since = j.at
			j.tell(f)
		case s.w.Renamed == "" && !s.w.LastRun.IsZero() && j.at.Sub(s.w.LastRun) <= d.Limit.Fixed && s.w.Gone.After(j.Source.Since):
			what := "its schedule"
			if c.Next.IsZero() && c.Expression == "" { // it had none
				what = "it"
			}
			f := j.found(d, s, fmt.Sprintf("%s is gone, and it ran last %s ago", what, short(j.at.Sub(s.w.LastRun))))
			f.Since = s.w.Gone
			j.tell(f)
		}
	}
}

// unread are files of which not even the workflows are known, as Airflow tells of them
// by a signal. What a schedule tells is not told twice.
func (j *judge) unread() {
	for _, sig := range j.Snapshot.Signals {
		why := sig.Labels["error"]
		if sig.Name != "import_error" || slices.ContainsFunc(j.Snapshot.Schedules, func(s observe.Schedule) bool {
			return s.Broken != "" && (why == "" || strings.Contains(s.Broken, why))
		}) {
			continue
		}
		who := rule.Subject{Source: j.Name, Labels: sig.Labels}
		for _, d := range j.Rules.Decide(rule.Broken, who, rule.Owner{}) {
			f := j.foundAt(d, sig.Labels["file"]+" cannot be read: "+firstLine(why))
			f.Key, f.Part, f.Since = f.Key+"|"+sig.Labels["file"], sig.Labels["file"], j.at
			j.tell(f)
		}
	}
}
