package action

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

const run1 = `shell.restart {"unit":"airflow-scheduler"}`

func TestAnAlertIsActedOnOnce(t *testing.T) {
	s := newStage(t, restart(t))
	for range 5 {
		s.pass(time.Hour, scheduler())
	}
	s.wantCalls(run1)
	if s.state() != Done {
		t.Errorf("it is %s", s.state())
	}
}

func TestWhenItComesAgainItIsActedOnAgain(t *testing.T) {
	s := newStage(t, restart(t))
	s.pass(0, scheduler())
	s.pass(time.Hour)
	s.pass(time.Hour, scheduler())
	s.wantCalls(run1, run1)
}

func TestWhatDoesNotMatchIsLeftAlone(t *testing.T) {
	s := newStage(t, restart(t))
	s.pass(0, scheduler(func(f *finding.Finding) { f.Rule = "late" }))
	s.wantCalls()
}

// TestNobodyActsOn what is pending, muted or could not be told of.
func TestNobodyActsOn(t *testing.T) {
	s := newStage(t, restart(t))
	s.policy.Silences = []alert.Silence{{ID: "s", Match: matching(t, "part=scheduler"), From: t0, Until: t0.Add(time.Hour)}}
	s.pass(0, scheduler(func(f *finding.Finding) { f.For = 2 }))
	s.pass(time.Minute, scheduler())
	s.wantCalls()
	s.now = s.now.Add(2 * time.Hour)
	s.book, s.events = alert.Step(s.book, alert.Checked{}, s.policy, s.now) // neither found nor over
	s.act()
	s.wantCalls()
	s.pass(time.Minute, scheduler())
	s.wantCalls(run1)
}

func TestCooldown(t *testing.T) {
	s := newStage(t, restart(t))
	s.pass(0, scheduler())
	s.pass(time.Minute)
	s.told = nil
	s.pass(time.Minute, scheduler())
	s.pass(time.Minute, scheduler())
	s.wantCalls(run1)
	s.wantNotes("team: ", "team: restart: was not done: cooldown until 2026-03-02 03:15 UTC")
	s.pass(13*time.Minute, scheduler())
	s.wantCalls(run1, run1)
}

// TestCooldownIsPerAlert: another alert of the same action does not wait.
func TestCooldownIsPerAlert(t *testing.T) {
	s := newStage(t, restart(t))
	s.pass(0, scheduler(), scheduler(func(f *finding.Finding) { f.Key, f.Part = "prod|stale|triggerer", "triggerer" }))
	if len(s.calls) != 2 {
		t.Errorf("ran %q", s.calls)
	}
}

func TestAHeldActionIsNotDoneWhenSomebodyCares(t *testing.T) {
	s := newStage(t, restart(t))
	s.pass(0, scheduler())
	s.pass(time.Minute)
	s.pass(time.Minute, scheduler())
	s.acknowledge("ada")
	s.pass(time.Hour, scheduler())
	s.wantCalls(run1)
}

func (s *stage) acknowledge(by string) {
	s.t.Helper()
	var err error
	if s.book, _, err = alert.Acknowledge(s.book, scheduler().Key, by, "", s.now); err != nil {
		s.t.Fatal(err)
	}
}

func TestAtMost(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.AtMost, a.Window = 2, 6*time.Hour }))
	for range 3 {
		s.pass(time.Hour, scheduler())
		s.pass(time.Hour)
	}
	s.wantCalls(run1, run1)
	if got := s.told[len(s.told)-2].Note; got != "restart: was not done: it began 2 times within 6h, which is the most; not before 2026-03-02 10:00 UTC" {
		t.Errorf("told %q", got)
	}
	s.pass(30*time.Minute, scheduler()) // within the window yet
	s.wantCalls(run1, run1)
	s.pass(time.Hour, scheduler())
	s.wantCalls(run1, run1, run1)
}

// TestAtMostInOnePass: what has just been decided counts too.
func TestAtMostInOnePass(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.AtMost = 3 }))
	s.pass(0, many(1000)...)
	if len(s.calls) != 3 {
		t.Errorf("ran %d", len(s.calls))
	}
	if n := states(s.acts)[Skipped]; n != 997 {
		t.Errorf("%d are held back", n)
	}
	notes := map[string]int{}
	for _, e := range s.told {
		if e.Kind == alert.Acted {
			notes[e.Note]++
		}
	}
	if len(notes) != 4 { // one digest for all that are held back
		t.Errorf("told %v", notes)
	}
}

func many(n int) (all []finding.Finding) {
	for i := range n {
		all = append(all, scheduler(func(f *finding.Finding) { f.Part = "p" + string(rune('0'+i%10)); f.Key += time.Duration(i).String() }))
	}
	return all
}

func TestNeedsAck(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.NeedsAck = true }))
	s.pass(0, scheduler())
	s.pass(time.Minute, scheduler())
	s.wantNotes("team: ", "team: restart: waits until somebody acknowledges the alert")
	if s.state() != WaitingAck {
		t.Errorf("it is %s", s.state())
	}
	s.acknowledge(alert.Retried)
	s.pass(time.Minute, scheduler())
	s.wantCalls()
	s.acknowledge("ada")
	s.pass(time.Minute, scheduler())
	s.wantCalls(run1)
}

func TestNobodyAcknowledged(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.NeedsAck = true }))
	s.pass(0, scheduler())
	s.pass(time.Minute)
	if s.state() != Skipped {
		t.Errorf("it is %s", s.state())
	}
	s.wantCalls()
}

func TestDryRun(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.DryRun = true; a.Do = append(a.Do, Step{Component: "b.c"}) }))
	s.pass(0, scheduler())
	s.pass(time.Hour, scheduler())
	s.wantCalls()
	s.wantNotes("team: ", "team: restart: would be done: shell.restart, b.c")
}

func TestVerified(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.Verify = 3 * time.Minute }))
	s.pass(0, scheduler())
	s.pass(time.Minute, scheduler())
	if s.state() != Verifying {
		t.Errorf("it is %s", s.state())
	}
	s.pass(time.Minute)
	s.pass(time.Minute)
	s.wantNotes("team: ", "team: restart: done: shell.restart (run r-action restart prod%7Cstale%7Cscheduler@2026-03-02T03:00:00Z 1); it should be over by 2026-03-02 03:03 UTC",
		"team: ", "team: restart: verified: healthy after 2m")
	if s.state() != Done {
		t.Errorf("it is %s", s.state())
	}
	kinds := s.told[2:]
	if kinds[0].Kind != alert.Recovered || kinds[1].Kind != alert.Acted || kinds[1].Seq != kinds[0].Seq+1 || kinds[1].Incident != kinds[0].Incident {
		t.Errorf("the note is not in the thread of the recovery: %+v", kinds)
	}
}

func TestItDidNotHelp(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.Verify, a.Escalate = 3*time.Minute, "boss" }))
	s.pass(0, scheduler())
	for range 5 {
		s.pass(time.Minute, scheduler())
	}
	s.told = s.told[2:]
	s.wantNotes("team: restart: did not help within 3m", "boss: restart: did not help within 3m")
	if s.state() != Escalated || s.told[1].Kind != alert.Escalated || len(s.told[1].Alerts) != 1 {
		t.Errorf("it is %s: %+v", s.state(), s.told)
	}
	s.told = nil
	s.pass(time.Minute) // boss is told of the recovery too
	receivers := map[string]bool{}
	for _, e := range s.told {
		receivers[e.Receiver] = e.Kind == alert.Recovered
	}
	if !receivers["boss"] || !receivers["team"] {
		t.Errorf("told %v", s.notes())
	}
}

func TestItCannotBeToldWhetherItHelped(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.Verify = time.Minute }))
	s.pass(0, scheduler())
	s.now = s.now.Add(5 * time.Minute)
	s.book, s.events = alert.Step(s.book, alert.Checked{}, s.policy, s.now)
	s.act()
	if s.state() != Escalated || s.acts[0].Note != "cannot be told to have helped within 1m" {
		t.Errorf("got %+v", s.acts)
	}
}

func TestAFailureIsToldAndEscalated(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.Escalate = "boss"; a.Do = append(a.Do, Step{Component: "b.c"}) }))
	s.fail = map[string]error{"shell.restart": errors.New("failed:\n no such unit")}
	s.pass(0, scheduler())
	s.pass(time.Minute, scheduler())
	s.wantCalls(run1)
	const note = "restart: failed: shell.restart (run r-action restart prod%7Cstale%7Cscheduler@2026-03-02T03:00:00Z 1): failed: no such unit"
	s.wantNotes("team: ", "team: "+note, "boss: "+note)
	if s.state() != Failed || len(s.acts[0].Runs) != 1 {
		t.Errorf("got %+v", s.acts)
	}
}

// TestSeverityNone acts once for an event that the source names, and tells nobody.
func TestSeverityNone(t *testing.T) {
	event := func(name string) finding.Finding {
		return scheduler(func(f *finding.Finding) {
			f.Severity, f.EventKey, f.Key = rule.None, name, "prod|stale|"+name
		})
	}
	s := newStage(t, restart(t))
	s.pass(0, event("a"))
	s.pass(time.Minute, event("a"), event("b"))
	s.pass(time.Hour)
	s.pass(time.Hour, event("a"))
	s.wantCalls(run1, run1)
	s.wantNotes()
}

// TestAnEventThatIsOverIsActedOn: a checker that was killed hands it on.
func TestAnEventThatIsOverIsActedOn(t *testing.T) {
	s := newStage(t, restart(t))
	s.step(0, scheduler(func(f *finding.Finding) { f.Severity = rule.None }))
	events := s.events
	s.step(time.Minute)
	s.events = events
	s.act()
	s.act()
	s.wantCalls(run1)
}

func TestAClockThatIsSetBackActsOnce(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.Cooldown = 0; a.Verify = 3 * time.Minute }))
	s.pass(0, scheduler())
	s.pass(-time.Hour, scheduler())
	s.wantCalls(run1)
	s.pass(2*time.Minute, scheduler())
	if s.state() != Verifying {
		t.Errorf("it is %s", s.state())
	}
	s.pass(2*time.Minute, scheduler()) // not only when it is an hour later
	if s.state() != Escalated {
		t.Errorf("it is %s", s.state())
	}
}

// TestARehearsalCounts, so that it shows when the action would begin.
func TestARehearsalCounts(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.DryRun = true }))
	s.pass(0, scheduler())
	s.pass(time.Minute)
	s.pass(time.Minute, scheduler())
	if got := states(s.acts); got[DryRun] != 1 || got[Skipped] != 1 {
		t.Errorf("got %v", got)
	}
}

// TestWhatCameAgainWasOver: passes that did not act lie between.
func TestWhatCameAgainWasOver(t *testing.T) {
	for _, c := range []struct {
		needsAck bool
		before   State
		after    map[State]int
	}{
		{false, Verifying, map[State]int{Done: 1, Verifying: 1}},
		{true, WaitingAck, map[State]int{Skipped: 1, WaitingAck: 1}},
	} {
		s := newStage(t, restart(t, func(a *Action) { a.Verify, a.NeedsAck, a.Cooldown = time.Hour, c.needsAck, 0 }))
		s.pass(0, scheduler())
		if s.state() != c.before {
			t.Fatalf("it is %s", s.state())
		}
		s.step(time.Minute)
		s.pass(time.Minute, scheduler())
		if got := states(s.acts); !maps.Equal(got, c.after) {
			t.Errorf("got %v, want %v", got, c.after)
		}
	}
}

// TestAFlappingAlertIsHealthyWhileItIsQuiet, though it is not resolved at once.
func TestAFlappingAlertIsHealthyWhileItIsQuiet(t *testing.T) {
	s := newStage(t, restart(t, func(a *Action) { a.Verify, a.AtMost, a.Cooldown = 3*time.Minute, 1, 0 }))
	for range 3 {
		s.step(time.Minute, scheduler())
		s.step(time.Minute)
	}
	s.pass(time.Minute, scheduler())
	s.pass(time.Minute)
	if a := s.book.Alerts[scheduler().Key]; a.State != alert.Firing {
		t.Fatalf("it does not flap: %+v", a)
	}
	if s.state() != Done || s.acts[0].Note != "verified: healthy after 1m" {
		t.Errorf("got %+v", s.acts)
	}
}

// TestNotesOfOneThreadHaveTheirPlaces, when the incident is over too.
func TestNotesOfOneThreadHaveTheirPlaces(t *testing.T) {
	verified := func(name string) Action {
		return restart(t, func(a *Action) { a.Name, a.Verify = name, time.Hour })
	}
	s := newStage(t, verified("a"), verified("b"))
	s.pass(0, scheduler())
	s.pass(time.Minute)
	seqs := map[int]bool{}
	for _, e := range s.told {
		if seqs[e.Seq] {
			t.Errorf("two events are number %d: %q", e.Seq, s.notes())
		}
		seqs[e.Seq] = true
	}
	if len(seqs) != 6 {
		t.Errorf("told %q", s.notes())
	}
}
