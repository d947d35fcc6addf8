package checker

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Suggestion is a rule that a workflow's history speaks for.
type Suggestion struct {
	Rule rule.Rule `json:"rule"`
	// Why says what it is made of.
	Why string `json:"why"`
}

const (
	// enoughToSuggest is how many successes a suggestion needs.
	enoughToSuggest = 10
	// regular is within how much of the median most gaps between successes have to lie.
	regular = 0.25
)

// Suggest makes rules from the histories of a source, for those that match: how long a
// run may take, its tasks too where they are known, and for how long there may be no
// success, where those come regularly.
func Suggest(name string, s history.Source, match func(*history.Workflow) bool) []Suggestion {
	var all []Suggestion
	for _, key := range slices.Sorted(maps.Keys(s.Workflows)) {
		w := s.Workflows[key]
		if !w.Gone.IsZero() || len(w.Runs.Samples()) < enoughToSuggest || !match(w) {
			continue
		}
		r := rule.Rule{Source: rule.Globs{literal(name)}, Workflow: rule.Globs{literal(w.Name)}}
		if w.Project != "" {
			r.Project = rule.Globs{literal(w.Project)}
		}
		all = append(all, suggestRunning(w, r), suggestFresh(w, r))
		for _, task := range slices.Sorted(maps.Keys(w.Tasks)) {
			all = append(all, suggestTask(w, r, task))
		}
	}
	return slices.DeleteFunc(all, func(s Suggestion) bool { return s.Rule.Name == "" })
}

func suggestRunning(w *history.Workflow, r rule.Rule) Suggestion {
	l := w.Limit(threshold.Usual(), threshold.Bounds{}, observe.Run{Created: newest(w)})
	r.Name, r.Kind = ruleName(w, "running"), rule.Running
	r.Threshold = threshold.Fixed(roundUp(time.Duration(l.At)))
	return Suggestion{r, "it usually takes " + l.Usually() + "; " + l.Why()}
}

func suggestTask(w *history.Workflow, r rule.Rule, task string) Suggestion {
	if len(w.TaskPast(task)) < enoughToSuggest {
		return Suggestion{}
	}
	l := w.TaskLimit(threshold.Usual(), threshold.Bounds{}, task)
	r.Name, r.Kind, r.Task = ruleName(w, "task"+task), rule.Task, rule.Globs{literal(task)}
	r.Threshold = threshold.Fixed(roundUp(time.Duration(l.At)))
	return Suggestion{r, "it usually takes " + l.Usually()}
}

// suggestFresh wants successes as regularly as they come: by the longest gap of late.
func suggestFresh(w *history.Workflow, r rule.Rule) Suggestion {
	var gaps []time.Duration
	runs := w.Runs.Samples()
	for i := 1; i < len(runs); i++ {
		gaps = append(gaps, time.Duration(runs[i].Start-runs[i-1].Start)*time.Millisecond)
	}
	slices.Sort(gaps)
	median, long := gaps[len(gaps)/2], gaps[len(gaps)-1]
	near := 0
	for _, g := range gaps {
		if (g - median).Abs() <= time.Duration(regular*float64(median)) {
			near++
		}
	}
	if median <= 0 || near*2 <= len(gaps) {
		return Suggestion{}
	}
	usual := w.Limit(threshold.Usual(), threshold.Bounds{}, observe.Run{Created: newest(w)})
	r.Name, r.Kind = ruleName(w, "fresh"), rule.Fresh
	r.Threshold = threshold.Fixed(roundUp(long + time.Duration(usual.At)))
	return Suggestion{r, fmt.Sprintf("it succeeds every %s, of late at least every %s", threshold.Short(median), threshold.Short(long))}
}

func newest(w *history.Workflow) time.Time {
	runs := w.Runs.Samples()
	return time.UnixMilli(runs[len(runs)-1].Start).UTC()
}

// roundUp is a number that a person would write.
func roundUp(d time.Duration) time.Duration {
	step := time.Minute
	switch {
	case d > 12*time.Hour:
		step = time.Hour
	case d > 2*time.Hour:
		step = 15 * time.Minute
	case d > 20*time.Minute:
		step = 5 * time.Minute
	}
	return (d + step - 1) / step * step
}

// ruleName is a name that a rule may have.
func ruleName(w *history.Workflow, what string) string {
	name := []rune(w.Key() + "-" + what)
	for i, r := range name {
		if r < '!' || r == '|' || r == 0x7f {
			name[i] = '_'
		}
	}
	text := string(name)
	for len(text) > 100 {
		name = name[1:]
		text = string(name)
	}
	return text
}

// literal is a pattern that means a name alone.
func literal(name string) rule.Glob {
	var out []rune
	for _, r := range name {
		if r == '*' || r == '?' || r == '[' || r == '\\' {
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return rule.Glob(out)
}
