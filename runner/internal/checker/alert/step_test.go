package alert

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

var t0 = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return t0.Add(time.Duration(minutes) * time.Minute) }

// find is a finding of a workflow.
func find(kind rule.Kind, workflow string, f ...func(*finding.Finding)) finding.Finding {
	one := finding.Finding{
		Key: "prod|" + string(kind) + "|etl/" + workflow, Rule: string(kind), Kind: kind, Severity: rule.Warning, For: 1,
		Source: "prod", Project: "etl", Workflow: workflow, What: "x", Since: t0, Labels: map[string]string{"team": "data"},
	}
	for _, g := range f {
		g(&one)
	}
	return one
}

func part(kind rule.Kind, name string, times int) finding.Finding {
	return finding.Finding{Key: "prod|" + string(kind) + "|" + name, Rule: string(kind), Kind: kind, Severity: rule.Critical, For: times, Source: "prod", Part: name, Since: t0}
}

func severity(s rule.Severity) func(*finding.Finding) {
	return func(f *finding.Finding) { f.Severity = s }
}
func times(n int) func(*finding.Finding)     { return func(f *finding.Finding) { f.For = n } }
func retry(a string) func(*finding.Finding)  { return func(f *finding.Finding) { f.Retry = a } }
func source(s string) func(*finding.Finding) { return func(f *finding.Finding) { f.Source = s } }

// life plays checks a minute apart.
type life struct {
	book   Book
	policy Policy
	all    []Event
}

// over is all that is not found.
func (l *life) check(minute int, found ...finding.Finding) string {
	over := map[string]string{}
	for key := range l.book.Alerts {
		over[key] = "over"
	}
	return l.step(minute, Checked{Findings: found, Over: over})
}

func (l *life) step(minute int, c Checked) string {
	var events []Event
	l.book, events = Step(l.book, c, l.policy, at(minute))
	l.all = append(l.all, events...)
	return show(events)
}

func show(events []Event) string {
	var lines []string
	for _, e := range events {
		var keys []string
		for _, a := range e.Alerts {
			keys = append(keys, a.Rule+"/"+a.Workflow+a.Part)
		}
		line := fmt.Sprintf("%s %s", e.Receiver, e.Kind)
		if e.Receiver == "" {
			line = string(e.Kind)
		}
		if e.Total > len(e.Alerts) || len(keys) > 3 {
			keys = []string{fmt.Sprintf("%d alerts", e.Total)}
		}
		line += " " + strings.Join(keys, "+")
		if e.Note != "" {
			line += " (" + e.Note + ")"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestALife(t *testing.T) {
	var l life
	f := find(rule.Running, "daily", times(3))
	expect(t, "first", l.check(0, f), "")
	expect(t, "second", l.check(1, f), "")
	if a := l.book.Alerts[f.Key]; a.State != Pending || a.Checks != 2 {
		t.Errorf("%+v", a)
	}
	expect(t, "third", l.check(2, f), "console new running/daily")
	expect(t, "again", l.check(3, f), "")
	expect(t, "over", l.check(63), "console resolved running/daily")
	a := l.book.Alerts[f.Key]
	if a.State != Resolved || a.Reason != "over" || !a.Fired.Equal(at(2)) || !a.Resolved.Equal(at(63)) {
		t.Errorf("%+v", a)
	}
	if e := l.all[1]; time.Duration(e.Downtime) != 63*time.Minute || e.Incident != l.all[0].Incident || e.Seq != 2 || e.Firing != 0 {
		t.Errorf("%+v", e)
	}
	expect(t, "nothing more", l.check(64), "")
	expect(t, "interrupted", l.check(70, f)+l.check(71)+l.check(72, f)+l.check(73, f)+l.check(74), "")
	l.check(63 + 25*60)
	if len(l.book.Alerts) > 0 || len(l.book.Incidents) > 0 {
		t.Errorf("%+v is never forgotten", l.book)
	}
}

func TestWhatCannotBeSeenIsFrozen(t *testing.T) {
	l := life{policy: Policy{Routes: []Route{{Receiver: "slack", Repeat: threshold.Duration(time.Hour)}}}}
	f := find(rule.Running, "daily")
	pending := find(rule.Late, "daily", times(2))
	l.check(0, f, pending)
	down := part(rule.Unreachable, "", 1)
	expect(t, "down", l.step(5, Checked{Findings: []finding.Finding{down}}), "slack new unreachable/")
	expect(t, "an hour later only that is repeated", l.step(90, Checked{Findings: []finding.Finding{down}}), "slack repeat unreachable/")
	if a := l.book.Alerts[f.Key]; a.State != Firing || !a.Frozen {
		t.Errorf("%+v", a)
	}
	if a := l.book.Alerts[pending.Key]; a.State != Pending || a.Checks != 1 {
		t.Errorf("%+v", a)
	}
	expect(t, "back", l.check(91, f), "slack repeat running/daily; slack resolved unreachable/")
	expect(t, "over", l.check(92), "slack resolved running/daily")
}

func TestFlappingIsDamped(t *testing.T) {
	var l life
	f := find(rule.Failed, "daily")
	var got []string
	for i := range 8 {
		got = append(got, l.check(4*i, f), l.check(4*i+2))
	}
	told := slices.DeleteFunc(got, func(s string) bool { return s == "" })
	if len(told) != 7 || told[6] != "console new failed/daily" {
		t.Errorf("%d messages: %q", len(told), told)
	}
	if a := l.book.Alerts[f.Key]; a.State != Firing || !a.Flapping {
		t.Errorf("%+v", a)
	}
	expect(t, "not quiet for long enough", l.check(44), "")
	expect(t, "quiet", l.check(45), "console resolved failed/daily")
}

func TestRoutesGroupsAndRepeat(t *testing.T) {
	data, err := ParseMatchers("team=data")
	if err != nil {
		t.Fatal(err)
	}
	critical, err := ParseMatchers("severity=critical")
	if err != nil {
		t.Fatal(err)
	}
	l := life{policy: Policy{Routes: []Route{
		{Match: critical, Receiver: "pager", Continue: true},
		{Match: data, Receiver: "slack", GroupBy: []string{"project"}, Repeat: threshold.Duration(time.Hour)},
		{Receiver: "mail"},
	}}}
	other := find(rule.Failed, "x", func(f *finding.Finding) { f.Labels = nil })
	expect(t, "each its own", l.check(0, find(rule.Failed, "a"), other), "mail new failed/x; slack new failed/a")
	expect(t, "one more in the group", l.check(10, find(rule.Failed, "a"), find(rule.Failed, "b"), other), "slack update failed/b")
	expect(t, "critical goes to both", l.check(20, find(rule.Failed, "a"), find(rule.Failed, "b"), other, find(rule.Failed, "c", severity(rule.Critical))), "pager new failed/c; slack update failed/c")
	expect(t, "one is over", l.check(30, find(rule.Failed, "a"), find(rule.Failed, "c", severity(rule.Critical)), other), "slack update failed/b")
	expect(t, "repeated", l.check(90, find(rule.Failed, "a"), find(rule.Failed, "c", severity(rule.Critical)), other), "slack repeat failed/c+failed/a")
	expect(t, "all over", l.check(91), "mail resolved failed/x; pager resolved failed/c; slack resolved failed/c+failed/a+failed/b")
}

func TestWorseIsTold(t *testing.T) {
	var l life
	early := find(rule.Deadline, "daily", func(f *finding.Finding) { f.Stage = "early" })
	l.check(0, early)
	expect(t, "missed now", l.check(1, find(rule.Deadline, "daily")), "console update deadline/daily (it got worse)")
	expect(t, "critical now", l.check(2, find(rule.Deadline, "daily", severity(rule.Critical))), "console update deadline/daily (it got worse)")
	expect(t, "no more than that", l.check(3, find(rule.Deadline, "daily", severity(rule.Critical))), "")
}

func TestAStormIsOneDigest(t *testing.T) {
	var l life
	var all []finding.Finding
	for i := range 1000 {
		all = append(all, find(rule.Failed, fmt.Sprintf("w%04d", i)))
	}
	all[700].Severity = rule.Critical
	expect(t, "a thousand at once", l.check(0, all...), "console new 1000 alerts")
	if e := l.all[0]; len(e.Alerts) != maxInDigest || !e.Storm || e.Alerts[0].Workflow != "w0700" || e.Firing != 1000 {
		t.Errorf("%d alerts, first %s", len(e.Alerts), e.Alerts[0].Key)
	}
	expect(t, "some recover", l.check(1, all[500:]...), "")
	expect(t, "one more", l.check(2, append(all[500:], find(rule.Late, "y"))...), "console new late/y")
	expect(t, "all over", l.check(3), "console resolved late/y; console resolved 1000 alerts")
	l = life{}
	expect(t, "ten are no storm", fmt.Sprint(strings.Count(l.check(0, all[:10]...), "new")), "10")
}

func TestADeadSchedulerSilencesWhatItCauses(t *testing.T) {
	var l life
	dead, late := part(rule.Stale, "scheduler", 2), find(rule.Late, "daily")
	other := find(rule.Late, "z", source("test"), func(f *finding.Finding) { f.Key = "test|late|z" })
	expect(t, "not sure yet: what is known is told", l.check(0, dead, late, other), "console new late/daily; console new late/z")
	if a := l.book.Alerts[dead.Key]; a.State != Pending {
		t.Errorf("%+v", a)
	}
	second := find(rule.Late, "second")
	expect(t, "dead", l.check(1, dead, late, other, second), "console new stale/scheduler")
	if a := l.book.Alerts[late.Key]; a.Muted != "caused by "+dead.Key || a.State != Firing {
		t.Errorf("%+v", a)
	}
	expect(t, "what it does not cause is told", l.check(2, dead, late, other, second, find(rule.Deadline, "daily")), "console new deadline/daily")
	missed := finding.Missed{Address: "prod:etl/daily", At: at(1)}
	before := finding.Missed{Address: "prod:etl/daily", At: at(-100)}
	got := l.step(3, Checked{Findings: []finding.Finding{late, other, second}, Over: map[string]string{dead.Key: "well"}, Missed: []finding.Missed{before, missed}})
	expect(t, "what is left is told then", got, "console new late/second; console resolved stale/scheduler")
	if e := l.all[len(l.all)-1]; len(e.Missed) != 1 || e.Missed[0] != missed {
		t.Errorf("missed %+v", e.Missed)
	}
}

func TestInhibition(t *testing.T) {
	for _, c := range []struct {
		cause, effect finding.Finding
		muted         bool
	}{
		{part(rule.Unhealthy, "database", 1), find(rule.Queued, "a"), true},
		{part(rule.Unhealthy, "triggerer", 1), find(rule.Late, "a"), false},
		{part(rule.Unhealthy, "scheduler", 1), find(rule.Running, "a"), false},
		{part(rule.Stalled, "", 1), find(rule.Missing, "a"), true},
		{part(rule.Saturated, "", 1), find(rule.Queued, "a"), true},
		{find(rule.Saturated, "a"), find(rule.Queued, "a"), true},
		{find(rule.Saturated, "b"), find(rule.Queued, "a"), false},
		{find(rule.Broken, "a"), find(rule.Late, "a"), true},
		{find(rule.Late, "a"), find(rule.Missing, "a"), true},
		{find(rule.Late, "b"), find(rule.Missing, "a"), false},
		{find(rule.Failed, "a"), find(rule.Fresh, "a"), false},
		{find(rule.Stale, "", severity(rule.None), func(f *finding.Finding) { f.Part = "scheduler" }), find(rule.Late, "a"), false},
	} {
		var l life
		l.check(0, c.cause, c.effect)
		if got := l.book.Alerts[c.effect.Key].Muted != ""; got != c.muted {
			t.Errorf("%s of %q mutes %s: %v", c.cause.Kind, c.cause.Workflow+c.cause.Part, c.effect.Kind, got)
		}
	}
}

func TestSilencesAndWindowsMute(t *testing.T) {
	m, err := ParseMatchers("project=etl,rule=late")
	if err != nil {
		t.Fatal(err)
	}
	var nightly Cron
	if err := nightly.UnmarshalText([]byte("0 2 * * *")); err != nil {
		t.Fatal(err)
	}
	l := life{policy: Policy{
		Silences: []Silence{{ID: "s1", Match: m, From: at(0), Until: at(60), Reason: "deploy"}},
		Windows:  []Window{{Name: "backup", Cron: nightly, For: threshold.Duration(30 * time.Minute)}},
	}}
	late := find(rule.Late, "daily")
	expect(t, "silenced", l.check(1, late), "")
	if a := l.book.Alerts[late.Key]; a.State != Firing || a.Muted != "silence s1: deploy" {
		t.Errorf("%+v", a)
	}
	expect(t, "others are not", l.check(2, late, find(rule.Failed, "daily")), "console new failed/daily")
	expect(t, "it ends", l.check(60, late, find(rule.Failed, "daily")), "console new late/daily")
	expect(t, "a recovery in the window is told", l.check(121, find(rule.Failed, "daily")), "console resolved late/daily")
	expect(t, "in the window", l.check(125, find(rule.Lost, "x")), "console resolved failed/daily")
	expect(t, "over before the window ends", l.check(126), "")
}

func TestAcknowledge(t *testing.T) {
	l := life{policy: Policy{Routes: []Route{{Receiver: "slack", Repeat: threshold.Duration(time.Hour), After: threshold.Duration(30 * time.Minute), Second: "boss"}}}}
	f, g := find(rule.Failed, "a"), find(rule.Failed, "b")
	l.check(0, f, g)
	b, events, err := Acknowledge(l.book, f.Key, "ann", "on it", at(5))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "ack", show(events), "slack acknowledged failed/a (on it)")
	l.book = b
	expect(t, "the second is called for the other alone", l.check(31, f, g), "boss escalated failed/b (unacknowledged for 31m)")
	expect(t, "not again", l.check(32, f, g), "")
	expect(t, "repeated where nobody cares", l.check(61, f, g), "slack repeat failed/b")
	expect(t, "the second hears of the recovery", l.check(62, f), "boss resolved failed/b; slack resolved failed/b")
	if _, _, err := Acknowledge(l.book, "nothing", "ann", "", at(63)); err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Error(err)
	}
	expect(t, "worse undoes it", l.check(64, find(rule.Failed, "a", severity(rule.Critical))), "slack update failed/a (it got worse)")
	expect(t, "and the second is called for that", l.check(94, find(rule.Failed, "a", severity(rule.Critical))), "boss escalated failed/a (unacknowledged for 30m)")
	if l.book.Alerts[f.Key].Ack != nil {
		t.Error("still acknowledged")
	}
}

func TestARetryAcknowledges(t *testing.T) {
	var l life
	f := find(rule.Failed, "a")
	l.check(0, f)
	retried := find(rule.Failed, "a", retry("prod:etl/a@2"))
	expect(t, "retried", l.check(5, retried), "console acknowledged failed/a")
	if a := l.book.Alerts[f.Key]; a.Ack == nil || a.Ack.By != "retry" || a.Ack.Note != "retried: prod:etl/a@2" {
		t.Errorf("%+v", a.Ack)
	}
	expect(t, "once", l.check(6, retried), "")
	expect(t, "another one", l.check(7, find(rule.Failed, "a", retry("prod:etl/a@3"))), "console acknowledged failed/a")
	expect(t, "nothing is repeated", l.check(600, retried), "console acknowledged failed/a")
}

func TestSeverityNoneActsOnceAndTellsNobody(t *testing.T) {
	var l life
	f := find(rule.Signal, "", severity(rule.None), func(f *finding.Finding) { f.EventKey = "order-7" })
	expect(t, "acts", l.check(0, f), "act signal/")
	if e := l.all[0]; e.EventKey != "order-7" || e.Receiver != "" {
		t.Errorf("%+v", e)
	}
	expect(t, "once", l.check(1, f)+l.check(2)+l.check(3, f), "")
	g := find(rule.Running, "a", severity(rule.None))
	expect(t, "without an event key, each time it fires", l.check(4, g)+"; "+l.check(5)+l.check(6, g), "act running/a; act running/a")
	l.check(7 * 24 * 61)
	if l.check(8*24*60 + 7*24*60); len(l.book.Acted) > 0 {
		t.Errorf("%v is never forgotten", l.book.Acted)
	}
}

func TestAClockThatIsSetBack(t *testing.T) {
	l := life{policy: Policy{Routes: []Route{{Receiver: "slack", Repeat: threshold.Duration(time.Hour)}}}}
	f := find(rule.Failed, "a")
	l.check(600, f)
	expect(t, "back by ten hours", l.check(0, f), "")
	expect(t, "an hour on", l.check(60, f), "slack repeat failed/a")
	expect(t, "over", l.check(61), "slack resolved failed/a")
}

func TestDetailsAreKept(t *testing.T) {
	var l life
	l.check(0, find(rule.Running, "a", func(f *finding.Finding) { f.LogTail, f.Holder = "tail", &finding.Task{Name: "+a"} }))
	l.check(1, find(rule.Running, "a"))
	if a := l.book.Alerts["prod|running|etl/a"]; a.LogTail != "tail" || a.Holder == nil {
		t.Errorf("%+v", a)
	}
	over := l
	over.check(2)
	if a := over.book.Alerts["prod|running|etl/a"]; a.LogTail != "" || over.all[len(over.all)-1].Alerts[0].LogTail != "tail" {
		t.Errorf("a log is kept of what is over, or its recovery has none: %+v", a)
	}
	l.check(2, find(rule.Running, "a", func(f *finding.Finding) { f.Run = "2" }))
	if a := l.book.Alerts["prod|running|etl/a"]; a.LogTail != "" {
		t.Errorf("the log of another run: %+v", a)
	}
}

func TestNoRouteLosesNothing(t *testing.T) {
	m, err := ParseMatchers("project=other")
	if err != nil {
		t.Fatal(err)
	}
	l := life{policy: Policy{Routes: []Route{{Match: m, Receiver: "slack"}}}}
	expect(t, "no route", l.check(0, find(rule.Failed, "a")), "slack new failed/a")
}

func TestAnOwnersChannelIsItsOwnIncident(t *testing.T) {
	l := life{policy: Policy{Routes: []Route{{Receiver: "slack", GroupBy: []string{"project"}}}}}
	own := find(rule.Failed, "b", func(f *finding.Finding) { f.Channel = "#data" })
	expect(t, "two threads", l.check(0, find(rule.Failed, "a"), own), "slack new failed/a; slack new failed/b")
	if l.all[0].Channel != "" || l.all[1].Channel != "#data" {
		t.Errorf("%q, %q", l.all[0].Channel, l.all[1].Channel)
	}
	l.check(1)
	if e := l.all[2]; e.Kind != Recovered || e.Channel != "#data" {
		t.Errorf("%+v", e)
	}
}
