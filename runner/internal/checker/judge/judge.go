package judge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Input is a source after a snapshot was taken in.
type Input struct {
	Name     string // of the source
	Source   history.Source
	Changes  history.Changes
	Snapshot observe.Snapshot
	Rules    *rule.Set
}

// Output is what the rules found.
type Output struct {
	Findings []finding.Finding
	// Baseline are the workflows that had failed before anybody watched: one summary, and
	// no alerts.
	Baseline []string
	// Notes are of settings that could not be understood.
	Notes []string
}

// judge is one judgement.
type judge struct {
	Input
	at   time.Time
	open map[string][]history.Open // by workflow
	seen map[string]observe.Run    // of the snapshot, by id
	out  Output
}

// Judge holds a source against the rules.
func Judge(in Input) Output {
	j := newJudge(in)
	if in.Changes.Old {
		return j.out
	}
	keys := slices.Sorted(maps.Keys(in.Source.Workflows))
	for _, key := range keys {
		w := in.Source.Workflows[key]
		s := j.subject(w)
		j.runs(s)
		if !w.Gone.IsZero() {
			j.broken(s)
			continue
		}
		j.failed(s)
		j.deadline(s)
		j.fresh(s)
		j.fast(s)
		j.overlap(s)
		j.schedule(s)
		j.broken(s)
		for _, p := range s.owner.Problems {
			j.out.Notes = append(j.out.Notes, j.address(key)+": "+p)
		}
	}
	j.unseen()
	j.lost()
	j.unread()
	j.health()
	j.stalled()
	j.saturated()
	j.signals()
	return j.out
}

func newJudge(in Input) *judge {
	j := &judge{Input: in, at: in.Source.At, open: map[string][]history.Open{}, seen: map[string]observe.Run{}}
	for _, id := range idsOf(in.Source.Open) {
		o := in.Source.Open[id]
		key := history.Key(o.Project, o.Workflow)
		j.open[key] = append(j.open[key], o)
	}
	for _, r := range in.Snapshot.Runs {
		j.seen[r.ID] = r
	}
	return j
}

// subject is a workflow with what rules match.
type subject struct {
	w     *history.Workflow
	key   string
	who   rule.Subject
	owner rule.Owner
}

func (j *judge) subject(w *history.Workflow) subject {
	var schedule map[string]string
	if w.Schedule != nil {
		schedule = w.Schedule.Labels
	}
	s := subject{w: w, key: w.Key()}
	s.who = rule.Subject{Source: j.Name, Project: w.Project, Workflow: w.Name, Labels: finding.Merge(schedule, w.Labels)}
	s.owner = rule.OwnerOf(schedule, w.Labels)
	return s
}

func (j *judge) address(of string) string { return j.Name + ":" + of }

// found starts a finding of a rule about a workflow.
func (j *judge) found(d rule.Decision, s subject, what string) finding.Finding {
	f := j.foundAt(d, what)
	f.Key = strings.Join([]string{j.Name, d.Name, s.key}, "|")
	f.Project, f.Workflow, f.Labels = s.w.Project, s.w.Name, s.who.Labels
	f.Address = j.address(s.key)
	f.Channel = s.owner.Channel
	f.Runbook = cmp.Or(f.Runbook, s.owner.Runbook)
	f.Notes = s.owner.Problems
	if d.Builtin || d.Runbook == "" {
		f.Runbook = cmp.Or(s.owner.Runbook, f.Runbook)
	}
	return f
}

// foundAt starts a finding about the source itself.
func (j *judge) foundAt(d rule.Decision, what string) finding.Finding {
	f := finding.Finding{
		Rule: d.Name, Kind: d.Kind, Severity: d.Severity, For: d.For, Source: j.Name, Engine: j.Source.Engine,
		Key: j.Name + "|" + d.Name, What: what, Owner: d.Owner, Runbook: d.Runbook,
	}
	if !d.Builtin {
		f.Text = d.Text
	}
	return f
}

func (j *judge) tell(f finding.Finding) { j.out.Findings = append(j.out.Findings, f) }

// ofRun makes a finding one about a run.
func (j *judge) ofRun(f finding.Finding, o history.Open) finding.Finding {
	f.Key += "@" + o.ID
	f.Run, f.RunState, f.Address, f.Link = o.ID, o.State, j.address(o.Address), o.Link
	f.Labels = finding.Merge(f.Labels, o.Labels)
	f.Tries = o.Try
	if o.Before > 0 {
		f.Total = threshold.Duration(time.Duration(o.Before)*time.Millisecond + history.Elapsed(o.Run, threshold.Created, j.at))
		f.What += fmt.Sprintf("; with the tries before it, %s in all", threshold.Short(time.Duration(f.Total)))
	}
	f.Changes = changes(o.Revised, o.Revision, o.Changed)
	return j.withDetails(f, o.ID)
}

// withDetails adds what the snapshot tells of a run's tasks.
func (j *judge) withDetails(f finding.Finding, id string) finding.Finding {
	r, ok := j.seen[id]
	if !ok {
		return f
	}
	f.LogTail = r.LogTail
	if t, ok := holder(r); ok {
		f.Holder = &finding.Task{
			Name: t.Name, Type: t.Type, State: cmp.Or(t.Word, string(t.State)), Since: t.Started,
			Tries: t.Tries, RetryAt: t.RetryAt, Error: t.Error,
		}
		until := cmp.Or(t.Ended, j.at)
		if !t.Started.IsZero() {
			f.Holder.Elapsed = threshold.Duration(max(0, until.Sub(t.Started)))
		}
		if w := j.Source.Workflows[history.Key(r.Project, r.Workflow)]; w != nil {
			f.Holder.Usual = w.TaskLimit(threshold.Usual(), threshold.Bounds{}, t.Name).Usually()
		}
	}
	return f
}

// holder is the task that failed, else the one that runs longest.
func holder(r observe.Run) (observe.Task, bool) {
	for _, t := range r.Tasks {
		if t.State == observe.Failed && !t.Group {
			return t, true
		}
	}
	return history.Holder(r.Tasks)
}

func changes(before, now string, params []string) (all []finding.Change) {
	if before != "" && before != now {
		all = append(all, finding.Change{What: "revision", Before: before, Now: now})
	}
	for _, key := range params {
		all = append(all, finding.Change{What: "parameter", Key: key})
	}
	return all
}

func short(d time.Duration) string { return threshold.Short(d) }
