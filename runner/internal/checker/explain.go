package checker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/judge"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Explanation is what is known of a workflow, and what would be told of it when.
type Explanation struct {
	Address string           `json:"address"`
	Rules   []judge.Deciding `json:"rules"`
	Good    *history.Good    `json:"last_success,omitempty"`
	// Schedule as it was seen last; nil where there is none.
	Schedule *history.Schedule `json:"schedule,omitempty"`
	Gone     bool              `json:"gone,omitempty"`
	Alerts   []alert.Alert     `json:"alerts,omitempty"`
	Runs     []RunETA          `json:"runs,omitempty"`
}

// Explain says which rules decide about SOURCE:PROJECT/WORKFLOW (or SOURCE:DAG), by
// which threshold and why. A run or task at the end of the address is passed over.
func Explain(s State, c Config, address string) (Explanation, error) {
	name, key, found := strings.Cut(address, ":")
	source, known := s.Sources[name]
	if !found || !known {
		return Explanation{}, fmt.Errorf("explain %q: want SOURCE:PROJECT/WORKFLOW or SOURCE:DAG, where SOURCE is one of %s", address, strings.Join(slices.Sorted(maps.Keys(s.Sources)), ", "))
	}
	w := source.Workflows[key]
	if w == nil {
		key, _, _ = strings.Cut(key, "@")
		key, _, _ = strings.Cut(key, "+")
		w = source.Workflows[key]
	}
	if w == nil {
		return Explanation{}, fmt.Errorf("explain %q: no such workflow has been seen at %s%s", address, name, near(key, source))
	}
	e := Explanation{Address: name + ":" + key, Good: w.Good, Schedule: w.Schedule, Gone: !w.Gone.IsZero()}
	e.Rules = judge.Input{Name: name, Source: source, Rules: c.Rules}.Explain(w)
	for _, k := range slices.Sorted(maps.Keys(s.Alerts.Alerts)) {
		if a := s.Alerts.Alerts[k]; a.Source == name && history.Key(a.Project, a.Workflow) == key && a.State != alert.Resolved {
			e.Alerts = append(e.Alerts, a)
		}
	}
	for _, r := range ETAs(name, source, observe.Snapshot{}) {
		if strings.HasPrefix(r.Address, e.Address+"@") || r.Address == e.Address {
			e.Runs = append(e.Runs, r)
		}
	}
	return e, nil
}

// near names workflows that may have been meant.
func near(key string, s history.Source) string {
	keys := slices.Sorted(maps.Keys(s.Workflows))
	slices.SortStableFunc(keys, func(a, b string) int {
		return cmp.Compare(levenshtein.ComputeDistance(key, a), levenshtein.ComputeDistance(key, b))
	})
	keys = slices.DeleteFunc(keys[:min(3, len(keys))], func(k string) bool { return levenshtein.ComputeDistance(key, k) > max(2, len(key)/3) })
	if len(keys) == 0 {
		return ""
	}
	return "; near it: " + strings.Join(keys, ", ")
}
