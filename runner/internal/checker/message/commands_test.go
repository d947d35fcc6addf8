package message

import (
	"slices"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// TestTheLedgersRuns have names, which are told, and verbs of their own.
func TestTheLedgersRuns(t *testing.T) {
	of := func(kind rule.Kind, run string) alert.Alert {
		return alert.Alert{State: alert.Firing, Finding: finding.Finding{
			Key: "k", Rule: string(kind), Kind: kind, Severity: rule.Critical, Source: "book", Engine: finding.Ledger, Workflow: "backup",
			Run: run, Address: "book:" + run, What: "failed after 4ms", Missed: []finding.Missed{{Address: "book:backup", At: t0, Last: "01M81"}},
		}}
	}
	late := of(rule.Late, "")
	late.Address = "book:backup"
	for _, c := range []struct {
		alert alert.Alert
		title string
		want  []string
	}{
		{of(rule.Failed, "01M82"), "CRITICAL: book:backup run 01M82: failed after 4ms", []string{"outrider runs logs 01M82", "outrider runs rerun 01M82"}},
		{of(rule.Running, "01M82"), "CRITICAL: book:backup run 01M82: failed after 4ms", []string{"outrider runs logs 01M82", "outrider runs cancel 01M82"}},
		{of(rule.Lost, "01M82"), "CRITICAL: book:backup run 01M82: failed after 4ms", []string{"outrider runs logs 01M82"}},
		{late, "CRITICAL: book:backup: failed after 4ms", []string{"outrider runs rerun 01M81"}},
	} {
		m := Of(alert.Event{Kind: alert.New, Alerts: []alert.Alert{c.alert}, Total: 1, At: t0})
		var got []string
		for _, x := range m.Items[0].Commands {
			got = append(got, x.Line)
		}
		if got = got[:len(got)-2]; !slices.Equal(got, c.want) || m.Title != c.title { // the last two are the checker's own
			t.Errorf("%s: %s %q, want %s %q", c.alert.Kind, m.Title, got, c.title, c.want)
		}
	}
}
