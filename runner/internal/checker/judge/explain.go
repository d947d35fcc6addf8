package judge

import (
	"fmt"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Deciding is a rule that decides about a workflow.
type Deciding struct {
	Rule     string        `json:"rule"`
	Kind     rule.Kind     `json:"kind"`
	Severity rule.Severity `json:"severity"`
	For      int           `json:"for"`
	Doc      string        `json:"doc"`
	Builtin  bool          `json:"builtin,omitempty"`
	// Off says who turned it off, config or owner: then nothing is looked for. "" where it
	// is not.
	Off string `json:"off,omitempty"`
	// Threshold as it is set, and From whom: config, owner or default.
	Threshold threshold.Spec `json:"threshold,omitzero"`
	From      string         `json:"from,omitempty"`
	// Limit is what the threshold comes to, for kinds that know what is usual.
	Limit *threshold.Limit `json:"limit,omitempty"`
	// Task is which tasks a rule of kind task means; all without it.
	Task rule.Globs `json:"task,omitempty"`
	// By, Days and Zone are a deadline's; Failures of the last Of sessions those of failed;
	// Above how many runs overlap lets be under way at once.
	By       rule.Clock `json:"by,omitzero"`
	Days     rule.Days  `json:"days,omitzero"`
	Zone     rule.Zone  `json:"zone,omitempty"`
	Failures int        `json:"failures,omitempty"`
	Of       int        `json:"of,omitempty"`
	Above    float64    `json:"above,omitempty"`
}

// Terms are what a rule says beside its threshold, in a few words; "" for nothing.
func (d Deciding) Terms() string {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if len(d.Task) > 0 {
		var globs []string
		for _, g := range d.Task {
			globs = append(globs, string(g))
		}
		add("of tasks %s", strings.Join(globs, " "))
	}
	if d.By != (rule.Clock{}) {
		days := d.Days.String()
		if days == "" {
			days = "every day"
		}
		add("by %s, %s, %s", d.By, days, d.Zone.Location())
	}
	if d.Of > 1 {
		add("%d of the last %d sessions", d.Failures, d.Of)
	}
	if d.Above > 0 {
		add("more than %s at once", number(d.Above))
	}
	if d.Off != "" {
		add("turned off by the %s", d.Off)
	}
	return strings.Join(all, "; ")
}

// Explain says which rules decide about a workflow: for a run that begins now where
// none is open. Of the rules for tasks, each may that matches a task of it. What is turned
// off is told too.
func (in Input) Explain(w *history.Workflow) (all []Deciding) {
	j := newJudge(in)
	s := j.subject(w)
	run := observe.Run{Created: j.at, Started: j.at}
	if open := j.open[s.key]; len(open) > 0 {
		run = open[0].Run
	}
	names, facts := rule.Kinds()
	for _, kind := range names {
		limited := kind == rule.Saturated && w.Schedule != nil && w.Schedule.MaxActive > 0
		if facts[kind].About == rule.AboutSource && !limited {
			continue
		}
		for _, d := range in.Rules.Could(kind, s.who, s.owner) {
			one := Deciding{Rule: d.Name, Kind: kind, Severity: d.Severity, For: d.For, Doc: facts[kind].Doc, Builtin: d.Builtin, Off: d.OffBy, Task: d.Task}
			if one.Off == "" {
				one.terms(d, w, run)
			}
			all = append(all, one)
		}
	}
	return all
}

// terms are what a rule that is not off wants.
func (one *Deciding) terms(d rule.Decision, w *history.Workflow, run observe.Run) {
	one.Threshold = d.Limit
	if !d.Limit.IsZero() {
		one.From = d.From
	}
	switch one.Kind {
	case rule.Running:
		l := w.Limit(d.Limit, d.Bounds, run)
		one.Limit = &l
	case rule.Fast:
		l := w.Under(d.Limit, d.Bounds, history.Outcome{Created: run.Created, Started: run.Started})
		one.Limit = &l
	case rule.Deadline:
		one.By, one.Days, one.Zone = d.By, d.Days, d.Zone
	case rule.Failed:
		one.Failures, one.Of = d.Failures, d.Of
	case rule.Overlap:
		one.Above = mostAtOnce(d, w)
	}
}
