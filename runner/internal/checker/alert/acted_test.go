package alert

import (
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

func toTeam() Policy { return Policy{Routes: []Route{{Receiver: "team"}}} }

// firing is a book in which team was told of two alerts, each in its incident.
func firing(t *testing.T) (b Book, keys []string) {
	t.Helper()
	found := []finding.Finding{find(rule.Failed, "a"), find(rule.Failed, "b")}
	b, events := Step(Book{}, Checked{Findings: found}, toTeam(), t0)
	expect(t, "told", show(events), "team new failed/a; team new failed/b")
	return b, []string{found[0].Key, found[1].Key}
}

func TestANoteIsToldOnceInEachThread(t *testing.T) {
	b, keys := firing(t)
	after, events := AddNote(b, keys, "restart: done", nil, at(1))
	expect(t, "told", show(events), "team acted failed/a (restart: done); team acted failed/b (restart: done)")
	if e := events[0]; e.Seq != 2 || e.Note != "restart: done" || e.Firing != 1 || after.Incidents[e.Incident].Seq != 2 || b.Incidents[e.Incident].Seq != 1 {
		t.Errorf("got %+v", e)
	}
}

func TestANoteOfWhatNobodyWasToldOf(t *testing.T) {
	b, _ := firing(t)
	if _, events := AddNote(b, []string{"nix"}, "restart: done", nil, at(1)); len(events) != 0 {
		t.Errorf("got %s", show(events))
	}
}

// TestANoteAfterTheRecovery stands in the thread that the recovery has closed.
func TestANoteAfterTheRecovery(t *testing.T) {
	b, keys := firing(t)
	b, over := Step(b, Checked{Findings: []finding.Finding{find(rule.Failed, "b")}, Over: map[string]string{keys[0]: "ok"}}, toTeam(), at(1))
	expect(t, "told", show(over), "team resolved failed/a")
	after, events := AddNote(b, keys[:1], "restart: verified", over, at(1))
	expect(t, "told", show(events), "team acted failed/a (restart: verified)")
	if e := events[0]; e.Incident != over[0].Incident || e.Seq != over[0].Seq+1 || len(after.Incidents) != 1 {
		t.Errorf("got %+v", e)
	}
}

func TestEscalate(t *testing.T) {
	b, keys := firing(t)
	after, events := Escalate(b, keys[0], "boss", "restart: did not help", at(1))
	expect(t, "told", show(events), "boss escalated failed/a (restart: did not help)")
	if _, again := Escalate(after, keys[0], "boss", "restart: failed", at(2)); len(again) != 0 {
		t.Errorf("boss is told again: %s", show(again))
	}
	if _, again := Escalate(b, keys[0], "team", "restart: failed", at(2)); len(again) != 0 {
		t.Errorf("team is told twice: %s", show(again))
	}
	_, events = Step(after, Checked{Findings: []finding.Finding{find(rule.Failed, "b")}, Over: map[string]string{keys[0]: "ok"}}, toTeam(), at(3))
	expect(t, "told of the end", show(events), "boss resolved failed/a; team resolved failed/a")
}

// TestEscalateWhatIsOver leaves no incident behind that nothing would ever close.
func TestEscalateWhatIsOver(t *testing.T) {
	b, keys := firing(t)
	b, _ = Step(b, Checked{Over: map[string]string{keys[0]: "ok", keys[1]: "ok"}}, toTeam(), at(1))
	after, events := Escalate(b, keys[0], "boss", "restart: failed", at(2))
	expect(t, "told", show(events), "boss escalated failed/a (restart: failed)")
	if len(after.Incidents) != 0 || after.Serial == b.Serial {
		t.Errorf("got %+v", after)
	}
	if _, events := Escalate(b, "nix", "boss", "restart: failed", at(2)); len(events) != 1 || events[0].Note != "restart: failed" {
		t.Errorf("got %s", show(events))
	}
}

// TestARecoveryKeepsTheNotesOfActions that were not sent before it.
func TestARecoveryKeepsTheNotesOfActions(t *testing.T) {
	e := func(kind EventKind, note string) Event {
		return Event{Kind: kind, Receiver: "team", Incident: "1", Note: note, Alerts: []Alert{{Finding: find(rule.Failed, "a")}}}
	}
	got := Merge([]Event{e(New, ""), e(Acted, "restart: done"), e(Acted, "restart: verified")}, e(Recovered, ""))
	if len(got) != 1 || got[0].Note != "restart: done; restart: verified" || !got[0].Merged {
		t.Errorf("got %+v", got)
	}
	got = Merge([]Event{e(New, "")}, e(Acted, "restart: done"))
	expect(t, "before it", show(got), "team new failed/a; team acted failed/a (restart: done)")
}
