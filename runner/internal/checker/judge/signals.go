package judge

import (
	"cmp"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
)

// signals holds every rule against every signal: each says for itself which it means.
func (j *judge) signals() {
	alone := map[string]float64{}
	for _, s := range j.Snapshot.Signals {
		if len(s.Labels) == 0 {
			alone[s.Name] = s.Value
		}
	}
	for _, r := range j.Rules.All() {
		if r.Kind != rule.Signal || r.Off || !r.Source.Match(j.Name) {
			continue
		}
		d := rule.Decision{Rule: r, Limit: r.Threshold}
		n := 0
		for _, s := range j.Snapshot.Signals {
			if r.Signal.Match(s.Name) && r.Match(rule.Subject{Source: j.Name, Labels: s.Labels}) {
				n++
				j.signal(d, s, alone)
			}
		}
		if r.Absent && n == 0 && !j.Changes.Blind.Signals {
			f := j.foundAt(d, fmt.Sprintf("no signal %s", r.Signal))
			f.Signal, f.Since = string(r.Signal), j.at
			j.tell(f)
		}
	}
}

func (j *judge) signal(d rule.Decision, s observe.Signal, alone map[string]float64) {
	v := j.Source.Signals[history.SignalKey(s)]
	what, since := "", j.at
	switch {
	case d.Above != nil && s.Value > *d.Above:
		what = fmt.Sprintf("is %s, above %s", number(s.Value), number(*d.Above))
	case d.Below != nil && s.Value < *d.Below:
		what = fmt.Sprintf("is %s, below %s", number(s.Value), number(*d.Below))
	case d.Changed && !v.Changed.IsZero() && j.at.Sub(v.Changed) < cmp.Or(d.Limit.Fixed, time.Hour):
		what, since = fmt.Sprintf("changed to %s", number(s.Value)), v.Changed
	case d.When != "":
		is, err := j.Rules.When(d.Rule, rule.Condition{Value: s.Value, Previous: v.Previous, Name: s.Name, Source: j.Name, Labels: s.Labels, Signals: alone})
		if err != nil {
			j.out.Notes = append(j.out.Notes, err.Error())
		}
		if is {
			what = fmt.Sprintf("is %s: %s", number(s.Value), d.When)
		}
	}
	if what == "" {
		return
	}
	name := s.Name + labelText(s.Labels)
	f := j.foundAt(d, name+" "+what)
	f.Key, f.Signal, f.Labels, f.Since = f.Key+"|"+name, s.Name, s.Labels, since
	f.EventKey = s.Labels["event_key"]
	j.tell(f)
}
