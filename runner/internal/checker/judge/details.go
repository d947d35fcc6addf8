package judge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TaskRuns are open runs of which their tasks alone may tell something: that one is beyond
// its threshold, or that none ever began. No task is older than its run, and none is looked
// at without need. Those that were not looked at for the longest time come first, so that
// each has its turn.
func (in Input) TaskRuns() (ids []string) {
	var rules []*rule.Rule
	for _, r := range in.Rules.All() {
		if r.Kind == rule.Task && !r.Off {
			rules = append(rules, r)
		}
	}
	j := newJudge(in)
	for _, id := range idsOf(in.Source.Open) {
		o := in.Source.Open[id]
		w := in.Source.Workflows[history.Key(o.Project, o.Workflow)]
		if w != nil && j.unbegun(w, o) {
			ids = append(ids, id)
			continue
		}
		if w == nil || o.State != observe.Running {
			continue
		}
		took := max(history.Elapsed(o.Run, threshold.Created, j.at), history.Elapsed(o.Run, threshold.Started, j.at))
		if slices.ContainsFunc(rules, func(r *rule.Rule) bool { return j.mayHave(r, w, took) }) {
			ids = append(ids, id)
		}
	}
	slices.SortStableFunc(ids, func(a, b string) int {
		return in.Source.Open[a].Looked.Compare(in.Source.Open[b].Looked)
	})
	return ids
}

// idsOf are those of open runs in their order: 9 before 10.
func idsOf(open map[string]history.Open) []string {
	order := func(id string) string {
		if n, err := strconv.ParseUint(id, 10, 64); err == nil {
			return fmt.Sprintf("%020d", n)
		}
		return id
	}
	return slices.SortedFunc(maps.Keys(open), func(a, b string) int {
		return cmp.Or(strings.Compare(order(a), order(b)), strings.Compare(a, b))
	})
}

// unbegun reports whether nobody knows that a run ever began, and it waits for too long if it
// did not: some engines call a run running that only its tasks tell to wait.
func (j *judge) unbegun(w *history.Workflow, o history.Open) bool {
	if !o.Started.IsZero() || o.State != observe.Running && !o.NotBegun {
		return false
	}
	s := j.subject(w)
	took := history.Elapsed(o.Run, threshold.Created, j.at)
	over := func(d rule.Decision) bool { return took > d.Limit.Fixed }
	return slices.ContainsFunc(j.Rules.Decide(rule.Queued, s.who, s.owner), over) ||
		slices.ContainsFunc(j.Rules.Decide(rule.Stalled, rule.Subject{Source: j.Name}, rule.Owner{}), over)
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
		if r.Task.MatchTask(name) {
			least = min(least, time.Duration(w.TaskLimit(spec, r.Bounds, name).At))
		}
	}
	return took > least
}
