package judge

import (
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// unseen are workflows that a rule waits for by their whole names, and that nobody has
// seen: one that is not there does not succeed either.
func (j *judge) unseen() {
	for _, r := range j.Rules.All() {
		if r.Off || r.Kind != rule.Deadline && r.Kind != rule.Fresh || !r.Source.Match(j.Name) || len(r.Workflow) != 1 || len(r.Project) > 1 || len(r.Labels) > 0 {
			continue
		}
		w := &history.Workflow{Name: string(r.Workflow[0])}
		if len(r.Project) == 1 {
			w.Project = string(r.Project[0])
		}
		if w.Project == "" && j.Source.Engine == "digdag" || strings.ContainsAny(w.Key(), `*?[\`) || j.Source.Workflows[w.Key()] != nil || j.Changes.Blind.Runs || j.Changes.Blind.Schedules {
			continue
		}
		since := j.Source.Since.Add(r.Threshold.Fixed)
		if r.Kind == rule.Deadline {
			since = r.Deadlines(j.at).Last
		}
		if !since.After(j.Source.Since) || since.After(j.at) {
			continue
		}
		s := j.subject(w)
		f := j.found(rule.Decision{Rule: r, Limit: r.Threshold}, s, fmt.Sprintf("no success by %s, and nobody has seen a workflow of this name", since.In(r.Zone.Location()).Format("15:04 MST on Mon 2 Jan")))
		f.Since, f.Elapsed = since, threshold.Duration(max(0, j.at.Sub(since)).Round(time.Second))
		j.tell(f)
	}
}
