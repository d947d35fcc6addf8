package judge

import (
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TaskRuns are open runs that may have a task beyond its threshold: no task is older
// than its run, and none is looked at without need.
func (in Input) TaskRuns() (ids []string) {
	var rules []*rule.Rule
	for _, r := range in.Rules.All() {
		if r.Kind == rule.Task && !r.Off {
			rules = append(rules, r)
		}
	}
	if len(rules) == 0 {
		return nil
	}
	j := newJudge(in)
	for _, id := range slices.Sorted(maps.Keys(in.Source.Open)) {
		o := in.Source.Open[id]
		w := in.Source.Workflows[history.Key(o.Project, o.Workflow)]
		if w == nil || o.State != observe.Running {
			continue
		}
		took := max(history.Elapsed(o.Run, threshold.Created, j.at), history.Elapsed(o.Run, threshold.Started, j.at))
		if slices.ContainsFunc(rules, func(r *rule.Rule) bool { return j.mayHave(r, w, took) }) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Unbegun are open runs of which it is not known whether anything of them ever began, and
// which wait for too long if nothing did: some engines call a run running that only their
// tasks tell to wait.
func (in Input) Unbegun() (ids []string) {
	j := newJudge(in)
	for _, id := range slices.Sorted(maps.Keys(in.Source.Open)) {
		o := in.Source.Open[id]
		w := in.Source.Workflows[history.Key(o.Project, o.Workflow)]
		if w == nil || !o.Started.IsZero() || o.State != observe.Running && !o.NotBegun {
			continue
		}
		s := j.subject(w)
		took := history.Elapsed(o.Run, threshold.Created, j.at)
		over := func(d rule.Decision) bool { return took > d.Limit.Fixed }
		if slices.ContainsFunc(in.Rules.Decide(rule.Queued, s.who, s.owner), over) ||
			slices.ContainsFunc(in.Rules.Decide(rule.Stalled, rule.Subject{Source: in.Name}, rule.Owner{}), over) {
			ids = append(ids, id)
		}
	}
	return ids
}

// mayHave reports whether a task rule can hold for a run that takes so long.
func (j *judge) mayHave(r *rule.Rule, w *history.Workflow, took time.Duration) bool {
	who := j.subject(w).who
	if !r.Source.Match(who.Source) || !r.Project.Match(who.Project) || !r.Workflow.Match(who.Workflow) {
		return false
	}
	if r.Threshold.Fixed > 0 {
		return took > r.Threshold.Fixed
	}
	spec := r.Threshold
	if spec.IsZero() {
		spec = threshold.Usual()
	}
	least := time.Duration(w.TaskLimit(spec, r.Bounds, "").At) // of one without a history
	for name := range w.Tasks {
		if r.Task.Match(name) {
			least = min(least, time.Duration(w.TaskLimit(spec, r.Bounds, name).At))
		}
	}
	return took > least
}
