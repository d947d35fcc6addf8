package message

import (
	"slices"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
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

// TestADeadlinesLines: an open run is killed, one that ended badly retried, and where none
// came the due one is started.
func TestADeadlinesLines(t *testing.T) {
	session := t0.Add(-time.Hour)
	due := []finding.Missed{{Address: "prod:etl/report", At: t0, Session: session}}
	for name, c := range map[string]struct {
		engine string
		run    string
		state  observe.State
		missed []finding.Missed
		want   []string
	}{
		"open":                 {run: "7", state: observe.Running, want: []string{"outrider logs prod:etl/report@7", "outrider kill --yes prod:etl/report@7"}},
		"being cancelled":      {run: "7", state: observe.Cancelling, want: []string{"outrider logs prod:etl/report@7", "outrider kill --yes prod:etl/report@7"}},
		"failed":               {run: "7", state: observe.Failed, want: []string{"outrider logs prod:etl/report@7", "outrider retry prod:etl/report@7"}},
		"cancelled":            {run: "7", state: observe.Cancelled, want: []string{"outrider logs prod:etl/report@7", "outrider retry prod:etl/report@7"}},
		"nobody knows how":     {run: "7", want: []string{"outrider logs prod:etl/report@7"}},
		"none came":            {missed: due, want: []string{"outrider start prod:etl/report@" + session.Format(time.RFC3339)}},
		"none was due":         {},
		"open in the ledger":   {engine: finding.Ledger, run: "7", state: observe.Running, want: []string{"outrider runs logs 7", "outrider runs cancel 7"}},
		"failed in the ledger": {engine: finding.Ledger, run: "7", state: observe.Failed, want: []string{"outrider runs logs 7", "outrider runs rerun 7"}},
	} {
		f := finding.Finding{Key: "k", Rule: "by7", Kind: rule.Deadline, Source: "prod", Engine: c.engine, Run: c.run, RunState: c.state, Address: "prod:etl/report", Missed: c.missed}
		if c.run != "" {
			f.Address += "@" + c.run
		}
		m := Of(alert.Event{Kind: alert.New, Alerts: []alert.Alert{{State: alert.Firing, Finding: f}}, Total: 1, At: t0})
		var got []string
		for _, x := range m.Items[0].Commands {
			got = append(got, x.Line)
		}
		if got = got[:len(got)-2]; !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestLinesLeadToTheChecker that tells, with what a shell has to be told of them.
func TestLinesLeadToTheChecker(t *testing.T) {
	a := alert.Alert{State: alert.Firing, Finding: finding.Finding{Key: "k", Rule: "late", Kind: rule.Late, Source: "prod"}}
	m := Of(alert.Event{Kind: alert.New, Alerts: []alert.Alert{a}, Total: 1, At: t0}, "--config", "/etc/o u/outrider.yml", "--digdag", "http://d/?a=b&c='d'")
	const memory = `--config '/etc/o u/outrider.yml' --digdag 'http://d/?a=b&c='\''d'\'''`
	want := []string{
		"outrider-checker alerts ack " + memory + " k",
		"outrider-checker alerts silence " + memory + " --match 'source=prod,rule=late' --for 2h --reason '…'",
	}
	for i, x := range m.Items[0].Commands {
		if x.Line != want[i] {
			t.Errorf("%s\nwant %s", x.Line, want[i])
		}
	}
}
