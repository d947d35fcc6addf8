package judge

import (
	"fmt"
	"slices"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Absent says what to think of something that was found before and is not now: it is
// over, for a reason, or nothing is known, as that part could not be looked at.
func (in Input) Absent(f finding.Finding) (reason string, over bool) {
	b := in.Changes.Blind
	switch {
	case !in.Rules.Has(f.Rule, f.Kind):
		return "the rule is not there any more", true
	case in.Changes.Old:
		return "", false
	case in.Changes.Reset && in.Rules.About(f.Kind) != rule.AboutSource:
		return "the engine began its ids anew", true
	case f.Kind == rule.Unreachable:
		return "it answers again", true
	case f.Kind == rule.Unhealthy || f.Kind == rule.Stale:
		i := slices.IndexFunc(in.Source.Health, func(h observe.Health) bool { return h.Name == f.Part })
		if i < 0 || b.Health {
			return "", false
		}
		if !in.Source.Health[i].OK {
			return f.Part + " is not well in another way now", true
		}
		return f.Part + " is well again", true
	case f.Kind == rule.Broken && f.Workflow == "":
		return "it can be read again", !b.Signals
	case f.Kind == rule.Stalled:
		return "runs begin and end again", !b.Runs
	case f.Kind == rule.Signal || f.Kind == rule.Saturated && f.Workflow == "":
		return "it is not so any more", !b.Signals && (in.reports(f) || in.Changes.Reset)
	}
	w := in.Source.Workflows[history.Key(f.Project, f.Workflow)]
	switch {
	case w == nil:
		return "the workflow is not known any more", true
	case !w.Gone.IsZero() && f.Kind != rule.Broken:
		if w.Renamed != "" {
			return "the workflow is gone: " + w.Renamed + " came in its place", true
		}
		return "the workflow is gone: it was renamed or deleted", true
	}
	switch f.Kind {
	case rule.Running, rule.Task, rule.Queued, rule.Cancelling, rule.Lost:
		return in.absentRun(f, w)
	case rule.Late, rule.Disabled, rule.Broken:
		return scheduleOver(f.Kind, w), !b.Schedules
	case rule.Missing, rule.Saturated:
		return "runs start again", !b.Schedules && !b.Runs
	}
	reason = "it is not so any more"
	if w.Good != nil && !w.Good.Ended.Before(f.Since) { // both are whole seconds
		reason = "it succeeded at " + w.Good.Ended.UTC().Format("15:04 MST on 2 Jan")
	}
	return reason, !b.Runs
}

// reports reports whether the signal of a finding was looked at.
func (in Input) reports(f finding.Finding) bool {
	for _, s := range slices.Concat(in.Snapshot.Signals, taken(in.Snapshot.Signals)) {
		if s.Name == f.Signal || rule.Glob(f.Signal).Match(s.Name) {
			return true
		}
	}
	for key := range in.Source.Signals { // reported until lately
		if name, _, _ := cut(key); name == f.Signal {
			return false
		}
	}
	return true
}

func cut(key string) (name, rest string, found bool) {
	for i := range key {
		if key[i] == 0 {
			return key[:i], key[i+1:], true
		}
	}
	return key, "", false
}

func scheduleOver(kind rule.Kind, w *history.Workflow) string {
	switch {
	case kind == rule.Late && w.Schedule != nil && w.Schedule.Off:
		return "its schedule was turned off"
	case kind == rule.Late:
		return "it was started"
	case kind == rule.Disabled:
		return "its schedule is on again"
	case !w.Gone.IsZero():
		return "it is gone for long"
	}
	return "it can be read again"
}

func (in Input) absentRun(f finding.Finding, w *history.Workflow) (string, bool) {
	b := in.Changes.Blind
	if o, open := in.Source.Open[f.Run]; open {
		reported := slices.IndexFunc(in.Snapshot.Runs, func(r observe.Run) bool { return r.ID == f.Run })
		switch {
		case b.Runs || slices.Contains(b.RunIDs, f.Run) || reported < 0:
			return "", false
		case f.Kind == rule.Task:
			tasks := in.Snapshot.Runs[reported].Tasks
			i := slices.IndexFunc(tasks, func(t observe.Task) bool { return t.Name == f.Task })
			if i < 0 {
				return "", false // its tasks were not looked at
			}
			return fmt.Sprintf("the task is %s", tasks[i].State), true
		case f.Kind == rule.Running && o.State == observe.Running:
			return "it is not too long by the threshold that holds now", true
		}
		return fmt.Sprintf("it is %s now", o.State), true
	}
	for _, l := range in.Source.Lost {
		if l.ID == f.Run {
			return "the engine has it no more", true
		}
	}
	for _, o := range w.Outcomes {
		if o.ID == f.Run {
			return fmt.Sprintf("it ended: %s", o.State), true
		}
	}
	if f.Kind == rule.Lost {
		return "it is long ago, or it succeeded since", true
	}
	return "it is over", !b.Runs
}
