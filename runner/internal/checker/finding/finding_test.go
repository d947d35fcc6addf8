package finding

import (
	"maps"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

func TestGetKnowsFieldsAndLabels(t *testing.T) {
	f := Finding{
		Key: "k", Rule: "r", Kind: rule.Late, Severity: rule.Info, Source: "s", Project: "p", Workflow: "w", Run: "1", Address: "a",
		Task: "t", Part: "scheduler", Signal: "q", Owner: "o", Channel: "#c", Labels: map[string]string{"team": "x", "source": "forged"},
	}
	for name, want := range map[string]string{
		"key": "k", "rule": "r", "kind": "late", "severity": "info", "source": "s", "project": "p", "workflow": "w", "run": "1", "address": "a",
		"task": "t", "part": "scheduler", "signal": "q", "owner": "o", "channel": "#c", "team": "x", "else": "",
	} {
		if got := f.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestMergeLeavesOutWhatTheCheckerReads(t *testing.T) {
	got := Merge(map[string]string{"team": "a", rule.LabelOff: "true"}, nil, map[string]string{"team": "b", rule.LabelThreshold: "2h"})
	if !maps.Equal(got, map[string]string{"team": "b"}) {
		t.Errorf("%v", got)
	}
	if Merge(nil, nil) != nil {
		t.Error("no labels are nil")
	}
}

func TestWhereNamesTheWorkflow(t *testing.T) {
	for want, f := range map[string]Finding{
		"prod":                    {Source: "prod"},
		"prod:etl/daily@9":        {Source: "prod", Engine: "digdag", Workflow: "daily", Run: "9", Address: "prod:etl/daily@9"},
		"outrider:nightly run 01": {Source: "outrider", Engine: Ledger, Workflow: "nightly", Run: "01", Address: "outrider:01"},
		"outrider:nightly":        {Source: "outrider", Engine: Ledger, Workflow: "nightly", Address: "outrider:nightly"},
		"prod:scheduler":          {Source: "prod", Address: "prod:scheduler"},
	} {
		if got := f.Where(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
