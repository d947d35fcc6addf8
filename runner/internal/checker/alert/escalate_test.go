package alert

import (
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

func escalating() life {
	return life{policy: Policy{Routes: []Route{{Receiver: "slack", Repeat: threshold.Duration(12 * time.Hour), After: threshold.Duration(30 * time.Minute), Second: "boss"}}}}
}

// TestWhatGotWorseEscalatesAnew: the time begins again, and the second receiver is told in
// its thread.
func TestWhatGotWorseEscalatesAnew(t *testing.T) {
	l := escalating()
	f, worse := find(rule.Failed, "a"), find(rule.Failed, "a", severity(rule.Critical))
	l.check(0, f)
	expect(t, "escalated", l.check(30, f), "boss escalated failed/a (unacknowledged for 30m)")
	thread := l.all[1].Incident
	expect(t, "once", l.check(200, f), "")
	expect(t, "worse", l.check(201, worse), "boss update failed/a (it got worse); slack update failed/a (it got worse)")
	expect(t, "not at once", l.check(230, worse), "")
	expect(t, "anew", l.check(231, worse), "boss escalated failed/a (unacknowledged for 30m)")
	if e := l.all[len(l.all)-1]; e.Incident != thread || e.Seq != 3 {
		t.Errorf("number %d of %s, want 3 of %s", e.Seq, e.Incident, thread)
	}
	expect(t, "once more", l.check(400, worse), "")
	expect(t, "each thread ends once", l.check(401), "boss resolved failed/a; slack resolved failed/a")
}

// TestWorseBeforeTheSecondIsTold puts nothing off.
func TestWorseBeforeTheSecondIsTold(t *testing.T) {
	l := escalating()
	worse := find(rule.Failed, "a", severity(rule.Critical))
	l.check(0, find(rule.Failed, "a"))
	l.check(29, worse)
	expect(t, "by the first time", l.check(30, worse), "boss escalated failed/a (unacknowledged for 30m)")
}

// TestWorseAndTheClockIsSetBack: it does not wait for the clock to come round again.
func TestWorseAndTheClockIsSetBack(t *testing.T) {
	l := escalating()
	worse := find(rule.Failed, "a", severity(rule.Critical))
	l.check(600, find(rule.Failed, "a"))
	l.check(630, find(rule.Failed, "a"))
	l.check(631, worse)
	expect(t, "back", l.check(0, worse)+l.check(29, worse), "")
	expect(t, "anew", l.check(30, worse), "boss escalated failed/a (unacknowledged for 30m)")
}

// TestAnEscalationInAThreadIsNoBeginning: who was told before is not told that it was over
// before it could be.
func TestAnEscalationInAThreadIsNoBeginning(t *testing.T) {
	again := Event{Kind: Escalated, Receiver: "boss", Incident: "i", Seq: 3}
	over := Event{Kind: Recovered, Receiver: "boss", Incident: "i", Seq: 4}
	if got := Merge([]Event{again}, over); len(got) != 1 || got[0].Merged {
		t.Errorf("%+v", got)
	}
	first := again
	first.Seq = 1
	if got := Merge([]Event{first}, over); len(got) != 1 || !got[0].Merged {
		t.Errorf("%+v", got)
	}
}

// TestASilencedCauseStillMutesItsEffects, as long as it is silenced and fires; a pending one
// does not.
func TestASilencedCauseStillMutesItsEffects(t *testing.T) {
	m, err := ParseMatchers("kind=stale")
	if err != nil {
		t.Fatal(err)
	}
	l := life{policy: Policy{Silences: []Silence{{ID: "s", Match: m, From: at(0), Until: at(60)}}}}
	dead, late := part(rule.Stale, "scheduler", 1), find(rule.Late, "a")
	expect(t, "silenced", l.check(1, dead, late)+l.check(2, dead, late), "")
	if a := l.book.Alerts[late.Key]; a.Muted != "caused by "+dead.Key {
		t.Errorf("muted: %q", a.Muted)
	}
	expect(t, "the silence ends", l.check(60, dead, late), "console new stale/scheduler")
	expect(t, "over", l.check(61, late), "console new late/a; console resolved stale/scheduler")
	l = life{}
	expect(t, "pending", l.check(1, part(rule.Stale, "scheduler", 2), late), "console new late/a")
}

// TestAMutedAlertIsNotToldOn: what was told and is silenced then is neither repeated nor
// escalated, until the silence ends.
func TestAMutedAlertIsNotToldOn(t *testing.T) {
	m, err := ParseMatchers("workflow=a")
	if err != nil {
		t.Fatal(err)
	}
	l := escalating()
	l.policy.Routes[0].Repeat = threshold.Duration(time.Hour)
	f := find(rule.Failed, "a")
	expect(t, "told", l.check(0, f), "slack new failed/a")
	l.policy.Silences = []Silence{{ID: "s", Match: m, From: at(10), Until: at(100)}}
	expect(t, "muted", l.check(31, f)+l.check(61, f)+l.check(99, f), "")
	expect(t, "the silence ends", l.check(100, f), "boss escalated failed/a (unacknowledged for 1h40m); slack repeat failed/a")
	l.policy.Silences = []Silence{{ID: "s", Match: m, From: at(110), Until: at(1000)}}
	expect(t, "its end is told all the same", l.check(111), "boss resolved failed/a; slack resolved failed/a")
}

// TestAWindowMutesWhatItMatches alone.
func TestAWindowMutesWhatItMatches(t *testing.T) {
	m, err := ParseMatchers("workflow=a")
	if err != nil {
		t.Fatal(err)
	}
	var nightly Cron
	if err := nightly.UnmarshalText([]byte("0 2 * * *")); err != nil {
		t.Fatal(err)
	}
	l := life{policy: Policy{Windows: []Window{{Name: "backup", Match: m, Cron: nightly, For: threshold.Duration(30 * time.Minute)}}}}
	a, b := find(rule.Failed, "a"), find(rule.Failed, "b")
	expect(t, "in the window", l.check(125, a, b), "console new failed/b")
	if got := l.book.Alerts[a.Key].Muted; got != "window backup" {
		t.Errorf("muted: %q", got)
	}
	expect(t, "after it", l.check(150, a, b), "console new failed/a")
}
