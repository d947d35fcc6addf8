package judge

import (
	"fmt"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// runs judges the open runs of a workflow.
func (j *judge) runs(s subject) {
	for _, o := range j.open[s.key] {
		who := s.who
		switch o.State {
		case observe.Running:
			for _, d := range j.Rules.Decide(rule.Running, who, s.owner) {
				j.running(s, d, o)
			}
			j.tasks(s, o)
		case observe.Queued:
			for _, d := range j.Rules.Decide(rule.Queued, who, s.owner) {
				j.queued(s, d, o)
			}
		case observe.Cancelling:
			for _, d := range j.Rules.Decide(rule.Cancelling, who, s.owner) {
				j.cancelling(s, d, o)
			}
		}
	}
}

func (j *judge) running(s subject, d rule.Decision, o history.Open) {
	l := s.w.Limit(d.Limit, d.Bounds, o.Run)
	took := history.Elapsed(o.Run, l.Clock, j.at)
	if took <= time.Duration(l.At) {
		return
	}
	f := j.found(d, s, "")
	f.What = "running for " + short(took)
	if usual := l.Usually(); usual != "" {
		f.What += ", usually " + short(time.Duration(l.Median))
	}
	f.Since = j.at.Add(time.Duration(l.At) - took)
	f.Elapsed, f.Limit = threshold.Duration(took), &l
	run := o.Run
	run.Tasks = j.seen[o.ID].Tasks
	if eta, ok := s.w.ETA(run, j.at); ok {
		f.ETA = eta.At
	}
	j.tell(j.ofRun(f, o))
}

func (j *judge) tasks(s subject, o history.Open) {
	for _, t := range j.seen[o.ID].Tasks {
		if t.Group || t.State != observe.Running || t.Started.IsZero() {
			continue
		}
		who := s.who
		who.Task = t.Name
		for _, d := range j.Rules.Decide(rule.Task, who, s.owner) {
			l := s.w.TaskLimit(d.Limit, d.Bounds, t.Name)
			took := j.at.Sub(t.Started)
			if took <= time.Duration(l.At) {
				continue
			}
			f := j.found(d, s, fmt.Sprintf("task %s running for %s", t.Name, short(took)))
			if l.N > 0 {
				f.What += ", usually " + short(time.Duration(l.Median))
			}
			f.Since = t.Started.Add(time.Duration(l.At))
			f.Elapsed, f.Limit = threshold.Duration(took), &l
			f = j.ofRun(f, o)
			f.Task, f.Key = t.Name, f.Key+"|"+t.Name
			j.tell(f)
		}
	}
}

// queued leaves out the runs of a backfill that wait for the one before them.
func (j *judge) queued(s subject, d rule.Decision, o history.Open) {
	took := history.Elapsed(o.Run, threshold.Created, j.at)
	if took <= d.Limit.Fixed || j.itsTurn(s.key, o) != "" {
		return
	}
	f := j.found(d, s, "waiting to begin for "+short(took))
	f.Since, f.Elapsed = o.Created.Add(d.Limit.Fixed), threshold.Duration(took)
	j.tell(j.ofRun(f, o))
}

// itsTurn is the run that another waits for by its own workflow's rules, "" if it
// waits for something else.
func (j *judge) itsTurn(key string, o history.Open) string {
	running := 0
	first := ""
	for _, other := range j.open[key] {
		if other.ID != o.ID && other.State != observe.Queued {
			running++
			first = other.Address
		}
	}
	w := j.Source.Workflows[key]
	full := w != nil && w.Schedule != nil && w.Schedule.MaxActive > 0 && running >= w.Schedule.MaxActive
	if running > 0 && (o.Trigger == "backfill" || full) {
		return first
	}
	return ""
}

func (j *judge) cancelling(s subject, d rule.Decision, o history.Open) {
	took := j.at.Sub(o.Cancelling)
	if o.Cancelling.IsZero() || took <= d.Limit.Fixed {
		return
	}
	f := j.found(d, s, fmt.Sprintf("its end was asked for at least %s ago, and it goes on", short(took)))
	f.Since, f.Elapsed = o.Cancelling, threshold.Duration(took)
	j.tell(j.ofRun(f, o))
}

func (j *judge) lost() {
	for _, l := range j.Source.Lost {
		w := j.Source.Workflows[history.Key(l.Project, l.Workflow)]
		if w == nil {
			continue
		}
		s := j.subject(w)
		for _, d := range j.Rules.Decide(rule.Lost, s.who, s.owner) {
			f := j.found(d, s, "it was open, and the engine has it no more")
			f.Since = l.At
			f = j.ofRun(f, l.Open)
			f.RunState = "" // what became of it nobody knows
			j.tell(f)
		}
	}
}
