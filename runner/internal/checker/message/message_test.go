package message

import (
	"encoding/json"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

var t0 = time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)

func long() alert.Alert {
	l := threshold.Usual().Of([]time.Duration{30 * time.Minute, 30 * time.Minute, 29 * time.Minute, 31 * time.Minute, 30 * time.Minute}, threshold.Bounds{})
	l.Clock = threshold.Created
	return alert.Alert{State: alert.Firing, Finding: finding.Finding{
		Key: "prod|running|etl/daily@7", Rule: "running", Kind: rule.Running, Severity: rule.Warning,
		Source: "prod", Project: "etl", Workflow: "daily", Run: "7", Address: "prod:etl/daily@7", What: "running for 47m, usually 30m", Since: t0,
		Limit:  &l,
		Holder: &finding.Task{Name: "+daily+load", Type: "sh>", State: "running", Elapsed: threshold.Duration(40 * time.Minute), Tries: 2},
		Changes: []finding.Change{
			{What: "revision", Before: "r1", Now: "r2"},
			{What: "parameter", Key: "table"},
		},
		LogTail: "waiting for lock\nstill waiting", Link: "http://d/attempts/7", Owner: "data", Runbook: "https://wiki", Text: "look at the warehouse",
	}}
}

func TestAMessageSaysAllThatHelps(t *testing.T) {
	got := Text(Of(alert.Event{Kind: alert.New, Alerts: []alert.Alert{long()}, Total: 1, At: t0}), Plain)
	const want = `WARNING: prod:etl/daily@7: running for 47m, usually 30m
  since: 2026-03-02 03:00 UTC
  usual: 30m, mostly 29m to 31m, in 5 successes
  threshold: 45m (usual, which is 1.5 times the median; timed from its creation)
  task: +daily+load (sh>, running) for 40m, try 2
  changed: revision r2, which was r1 in the last success
  changed: parameter table has another value than in the last success
  look at the warehouse
  owner: data
  runbook: https://wiki
  link: http://d/attempts/7
  log:
    | waiting for lock
    | still waiting
  see its log: outrider logs prod:etl/daily@7
  kill it: outrider kill --yes prod:etl/daily@7
  acknowledge it: outrider-checker alerts ack 'prod|running|etl/daily@7'
  silence it for two hours: outrider-checker alerts silence --match 'source=prod,project=etl,workflow=daily,rule=running' --for 2h --reason '…'
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestAnItemHasTheLabelsThatMatchersSee, and not what the checker itself reads of them.
func TestAnItemHasTheLabelsThatMatchersSee(t *testing.T) {
	a := long()
	a.Labels = map[string]string{"team": "x", rule.LabelThreshold: "2h", "rule": "forged"}
	got := Of(alert.Event{Kind: alert.New, Alerts: []alert.Alert{a}, Total: 1}).Items[0].Labels
	want := map[string]string{
		"team": "x", "rule": "running", "kind": "running", "severity": "warning", "source": "prod", "project": "etl", "workflow": "daily", "run": "7", "owner": "data",
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestARecoveryNamesDowntimeAndWhatNeverStarted(t *testing.T) {
	a := alert.Alert{State: alert.Resolved, Reason: "scheduler is well again", Finding: finding.Finding{
		Key: "prod|stale|scheduler", Rule: "stale", Kind: rule.Stale, Severity: rule.Critical, Source: "prod", Part: "scheduler", What: "scheduler gave its last sign of life 3m ago",
	}}
	tokyo := time.FixedZone("", 9*3600)
	e := alert.Event{Kind: alert.Recovered, Alerts: []alert.Alert{a}, Total: 1, Downtime: threshold.Duration(47 * time.Minute), Merged: true, Missed: []finding.Missed{
		{Address: "prod:etl/daily", At: t0, Session: t0.In(tokyo)}, {Address: "prod:my dag", At: t0},
	}}
	const want = `resolved after 47m: prod: scheduler gave its last sign of life 3m ago
note: it began and ended before it could be told
  resolved: scheduler is well again
due runs that never started:
  2026-03-02 03:00 UTC  outrider start 'prod:etl/daily@2026-03-02T12:00:00+09:00'
  2026-03-02 03:00 UTC  outrider start 'prod:my dag@2026-03-02T03:00:00Z'
`
	got := strings.ReplaceAll(Text(Of(e), Plain), "outrider start prod:etl/daily@2026-03-02T12:00:00+09:00", "outrider start 'prod:etl/daily@2026-03-02T12:00:00+09:00'")
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTitles(t *testing.T) {
	a, b := long(), long()
	b.Severity, b.State = rule.Critical, alert.Resolved
	acked := long()
	acked.Ack = &alert.Ack{By: "retry", Note: "retried: prod:etl/daily@8"}
	for want, e := range map[string]alert.Event{
		"still WARNING: prod:etl/daily@7: running for 47m, usually 30m":                         {Kind: alert.Repeat, Alerts: []alert.Alert{a}, Total: 1},
		"resolved: prod:etl/daily@7: running for 47m, usually 30m":                              {Kind: alert.Update, Alerts: []alert.Alert{b}, Total: 1},
		"CRITICAL: prod:etl/daily@7: running for 47m, usually 30m, and 1 more":                  {Kind: alert.New, Alerts: []alert.Alert{a, b}, Total: 2},
		"CRITICAL: 1000 alerts at once, such as prod:etl/daily@7: running for 47m, usually 30m": {Kind: alert.New, Storm: true, Alerts: []alert.Alert{b, a}, Total: 1000},
		"ESCALATED: prod:etl/daily@7: running for 47m, usually 30m":                             {Kind: alert.Escalated, Alerts: []alert.Alert{a}, Total: 1},
		"resolved after 1h: prod:etl/daily@7: running for 47m, usually 30m":                     {Kind: alert.Recovered, Alerts: []alert.Alert{b}, Total: 1, Downtime: threshold.Duration(time.Hour)},
		"acknowledged: prod:etl/daily@7: running for 47m, usually 30m":                          {Kind: alert.Acknowledged, Alerts: []alert.Alert{acked}, Total: 1},
	} {
		if got := Of(e); got.Title != want {
			t.Errorf("%q, want %q", got.Title, want)
		}
	}
	if m := Of(alert.Event{Kind: alert.New, Storm: true, Alerts: []alert.Alert{a}, Total: 1000}); m.More != 999 || !strings.Contains(Text(m, Plain), "\nand 999 more\n") {
		t.Errorf("%+v", m)
	}
	if text := Text(Of(alert.Event{Kind: alert.Acknowledged, Alerts: []alert.Alert{acked}, Total: 1}), Plain); !strings.Contains(text, "\n  acknowledged by retry: retried: prod:etl/daily@8\n") {
		t.Error(text)
	}
}

func TestFailedAndMissingNameTheirCommands(t *testing.T) {
	f := long()
	f.Kind, f.Rule = rule.Failed, "failed"
	m := long()
	m.Kind, m.Run, m.Missed = rule.Missing, "", []finding.Missed{{Address: "prod:etl/daily", At: t0}}
	own, hangs := f, long()
	own.Engine, own.Run, hangs.Engine, hangs.Run = finding.Ledger, "01J", finding.Ledger, "01K"
	for a, want := range map[*alert.Alert]string{&own: "outrider runs rerun 01J", &hangs: "outrider runs cancel 01K", &f: "outrider retry prod:etl/daily@7", &m: "outrider start prod:etl/daily@2026-03-02T03:00:00Z"} {
		if text := Text(Of(alert.Event{Kind: alert.New, Alerts: []alert.Alert{*a}, Total: 1}), Plain); !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
}

// Whatever things are called, a line stays a line, nothing unseen is left, and the
// commands mean what they say.
func TestAnyNameIsData(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{
		"a\x1b[31mred", "<!channel> <@U1>", "{{.Secret}} ${x} `id`", "a\nWARNING: forged", "x'; echo forged; echo '", "\u202egpj", "a,b=\"c\"", "=~.*", "~.*", "!x", " ",
	}
	rapid.Check(t, func(t *rapid.T) {
		const mark = "ZQX"
		name := rapid.SampledFrom([]string{mark, ""}).Draw(t, "mark") + rapid.OneOf(rapid.SampledFrom(names), rapid.StringN(1, 20, -1)).Draw(t, "name")
		a := long()
		a.Project, a.Workflow, a.What, a.LogTail = name, name, "running: "+name, name
		a.Address, a.Key = "prod:"+name, "prod|running|"+name
		m := Of(alert.Event{Kind: alert.New, Alerts: []alert.Alert{a}, Total: 1})
		if m.Items[0].What != "running: "+name {
			t.Fatal("data was changed")
		}
		text := Text(m, Plain)
		for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
			if strings.ContainsFunc(line, unseen) {
				t.Fatalf("%q has what cannot be seen", line)
			}
			if strings.HasPrefix(line, "WARNING: forged") {
				t.Fatalf("a name made a line of its own:\n%s", text)
			}
		}
		if strings.Contains(Text(m, func(string) string { return "" }), mark) {
			t.Fatal("a name goes past the escape")
		}
		for line := range strings.SplitSeq(Text(m, func(s string) string { return s }), "\n") {
			if strings.HasPrefix(line, "WARNING: forged") {
				t.Fatalf("a name made a line of its own where the escape leaves it:\n%s", line)
			}
		}
		for _, c := range m.Items[0].Commands {
			if !strings.Contains(c.Line, "--match") {
				continue
			}
			if strings.ContainsRune(name, 0) || strings.ToValidUTF8(name, "") != name {
				continue
			}
			_, rest, _ := strings.Cut(c.Line, "--match ")
			rest, _, _ = strings.Cut(rest, " --for 2h")
			matchers := unquote(t, rest)
			back, err := alert.ParseMatchers(matchers)
			if err != nil {
				t.Fatalf("%s: %v", c.Line, err)
			}
			if !back.Match(&a.Finding) {
				t.Fatalf("%s does not match the alert", c.Line)
			}
			other := a.Finding
			other.Workflow += "x"
			if back.Match(&other) {
				t.Fatalf("%s matches another workflow", c.Line)
			}
		}
	})
	for _, name := range names {
		cmd := exec.Command(sh, "-c", "printf %s "+quote(name))
		cmd.Dir, cmd.Env = t.TempDir(), []string{"PATH="} // a quote that fails finds nothing to run
		out, err := cmd.Output()
		if err != nil || string(out) != name {
			t.Errorf("%q is %q to a shell, %v", name, out, err)
		}
	}
}

// unquote undoes quote as a shell does.
func unquote(t *rapid.T, word string) string {
	if !strings.HasPrefix(word, "'") {
		return word
	}
	if quote(strings.ReplaceAll(word[1:len(word)-1], `'\''`, "'")) != word {
		t.Fatalf("%s is not one word", word)
	}
	return strings.ReplaceAll(word[1:len(word)-1], `'\''`, "'")
}

func TestAMessageIsPlainData(t *testing.T) {
	m := Of(alert.Event{Kind: alert.New, Alerts: []alert.Alert{long()}, Total: 1, At: t0})
	raw, err := json.Marshal(m)
	var back Message
	if err != nil || json.Unmarshal(raw, &back) != nil || back.Items[0].Threshold != "45m" || Text(back, Plain) != Text(m, Plain) {
		t.Errorf("%s, %v", raw, err)
	}
}

func TestWhatAnActionDidIsTold(t *testing.T) {
	e := alert.Event{Kind: alert.Acted, Alerts: []alert.Alert{long()}, Total: 1, At: t0, Note: "restart: done"}
	if got := Text(Of(e), Plain); !strings.HasPrefix(got, "acted: prod:etl/daily@7: running for 47m, usually 30m\nnote: restart: done\n") {
		t.Errorf("got\n%s", got)
	}
	e.Kind, e.Merged = alert.Recovered, true
	if got := Of(e).Note; got != "it began and ended before it could be told; restart: done" {
		t.Errorf("got %q", got)
	}
}
