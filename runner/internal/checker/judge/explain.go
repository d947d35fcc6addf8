package judge

import (
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
	// Threshold as it is set, and From whom: config, owner or default.
	Threshold threshold.Spec `json:"threshold,omitzero"`
	From      string         `json:"from,omitempty"`
	// Limit is what the threshold comes to, for kinds that know what is usual.
	Limit *threshold.Limit `json:"limit,omitempty"`
}

// Explain says which rules decide about a workflow: for a run that begins now where
// none is open.
func (in Input) Explain(w *history.Workflow) (all []Deciding) {
	j := newJudge(in)
	s := j.subject(w)
	run := observe.Run{Created: j.at, Started: j.at}
	if open := j.open[s.key]; len(open) > 0 {
		run = open[0].Run
	}
	names, facts := rule.Kinds()
	for _, kind := range names {
		if facts[kind].About == rule.AboutSource {
			continue
		}
		for _, d := range in.Rules.Decide(kind, s.who, s.owner) {
			one := Deciding{Rule: d.Name, Kind: kind, Severity: d.Severity, For: d.For, Doc: facts[kind].Doc, Builtin: d.Builtin, Threshold: d.Limit, From: d.From}
			if d.Limit.IsZero() {
				one.From = ""
			}
			switch kind {
			case rule.Running:
				l := w.Limit(d.Limit, d.Bounds, run)
				one.Limit = &l
			case rule.Fast:
				l := w.Under(d.Limit, d.Bounds, history.Outcome{Created: run.Created, Started: run.Started})
				one.Limit = &l
			}
			all = append(all, one)
		}
	}
	return all
}
