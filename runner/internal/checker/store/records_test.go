package store

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
)

func (b *bench) finish(l Last) {
	b.t.Helper()
	turn := b.begin()
	b.must(b.Finish(b.t.Context(), turn, l))
	b.must(turn.End(b.t.Context()))
}

func TestLast(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		if l, ok, err := b.Last(t.Context()); ok || err != nil {
			t.Errorf("there was no pass: %+v, %v", l, err)
		}
		b.finish(Last{At: at(1), Took: time.Second, Exit: 2, Summary: json.RawMessage(`{"a":"\u0000"}`)})
		want := Last{At: at(2), Took: 3 * time.Millisecond, Exit: 1, Complete: true}
		b.finish(want)
		l, ok, err := b.Last(t.Context())
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		want.CompleteAt = want.At
		same(t, "the last pass", l, want)
		b.finish(Last{At: at(3)})
		b.finish(Last{At: at(4)})
		if l, _, err = b.Last(t.Context()); err != nil || !l.At.Equal(at(4)) || !l.CompleteAt.Equal(at(2)) {
			t.Errorf("of %s, the last complete one of %s, %v", l.At, l.CompleteAt, err)
		}
	})
}

// TestLog: what happened to alerts and who was told, the newest first.
func TestLog(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		e := b.fire(0, "scheduler").Events[0]
		b.send(b.wantDue(9, "new")[0], 9)
		b.acknowledge(e.Incident, 10)
		b.pass(11, nil, health(11, "scheduler", false))
		if _, err := b.PutAct(t.Context(), Act{ID: "1", Action: "restart", EventKey: "k", Alert: e.Alerts[0].Key, State: ActDone, At: at(12), Note: "run 7"}); err != nil {
			t.Fatal(err)
		}
		b.pass(13, nil, health(13, "scheduler", true))
		entries, err := b.Log(t.Context(), at(0), 0)
		if err != nil {
			t.Fatal(err)
		}
		key := e.Alerts[0].Key
		severity, what := e.Alerts[0].Severity, e.Alerts[0].What
		same(t, "the log", entries, []LogEntry{
			{At: at(13), Kind: Resolved, Alert: key, Severity: severity, What: entries[0].What, Note: entries[0].Note},
			{At: at(12), Kind: Acted, Alert: key, What: "restart", Note: "done: run 7"},
			{At: at(10), Kind: Acked, Alert: key, Severity: severity, What: what, By: "ann", Note: "on it"},
			{At: at(9), Kind: Told, What: "new", Severity: severity, Incident: e.Incident, Receiver: alert.Console},
			{At: e.At, Kind: Fired, Alert: key, Severity: severity, What: what},
		})
		if entries[0].Note == "" {
			t.Error("the log does not say why it is over")
		}
		if few, err := b.Log(t.Context(), at(9.5), 2); err != nil || len(few) != 2 || few[0].Kind != Resolved {
			t.Errorf("%+v, %v", few, err)
		}
		if some, err := b.Log(t.Context(), at(9.5), 0); err != nil || len(some) != 3 {
			t.Errorf("%+v, %v", some, err)
		}
	})
}

func TestSilences(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		one := alert.Silence{ID: "a'b", From: at(0), Until: at(60), By: "ann"}
		if err := b.Silence(t.Context(), one); err == nil {
			t.Error("a silence of everything is taken")
		}
		b.must(one.Match.UnmarshalText([]byte(`project="e,tl",rule=~late|missing`)))
		b.must(b.Silence(t.Context(), one))
		two := one
		two.ID, two.Until = "two", at(90)
		b.must(b.Silence(t.Context(), two))
		two.Until = at(120)
		b.must(b.Silence(t.Context(), two))
		if err := b.Silence(t.Context(), alert.Silence{Match: one.Match, From: at(0), Until: at(1)}); err == nil {
			t.Error("a silence without an id is taken")
		}
		b.must(b.Unsilence(t.Context(), one.ID, at(30)))
		b.must(b.Unsilence(t.Context(), one.ID, at(40)))
		if err := b.Unsilence(t.Context(), "no such", at(30)); !errors.Is(err, ErrNoSilence) {
			t.Error(err)
		}
		one.Until = at(30)
		all, err := b.Silences(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the silences", all, []alert.Silence{one, two})
		same(t, "the silences of the first pass", b.load().Silences, all)
	})
}

// TestActs: an action is taken once for an event, whoever is first.
func TestActs(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		other := b.open()
		put := func(s *Store, a Act, want bool) {
			t.Helper()
			if created, err := s.PutAct(t.Context(), a); err != nil || created != want {
				t.Errorf("%+v: created is %v, %v", a, created, err)
			}
		}
		a := Act{ID: "1", Action: "restart", EventKey: "k\x00", Alert: "x", Incident: "i", State: ActRunning, At: at(0)}
		put(b.Store, a, true)
		twin := a
		twin.ID = "2"
		put(other, twin, false)
		put(other, a, false) // a checker that gives the same id
		a.Runs = []string{"01J"}
		put(b.Store, a, true)
		a.State, a.VerifyBy = Verifying, at(3)
		put(other, a, true)
		put(b.Store, a, false)
		done := Act{ID: "3", Action: "page", EventKey: "k\x00", State: ActDone, At: at(1)}
		put(b.Store, done, true)
		late := Act{ID: "4", Action: "page", EventKey: "l", State: DryRun, At: at(5)}
		put(b.Store, late, true)
		for since, want := range map[float64][]Act{0: {a, done, late}, 1: {a, done, late}, 2: {a, late}, 9: {a}} {
			acts, err := b.Acts(t.Context(), at(since))
			if err != nil {
				t.Fatal(err)
			}
			same(t, "the actions", acts, want)
		}
	})
}

// TestFinishForgets: what is long over goes, and nothing that is still needed.
func TestFinishForgets(t *testing.T) {
	const day = 24 * 60
	onBoth(t, func(t *testing.T, b *bench) {
		open := b.fire(0, "scheduler").Events[0].Incident
		b.send(b.wantDue(9, "new")[0], 9)
		b.put(9, event("over", 1, alert.New, "a"), event("unsent", 1, alert.New, "a"), event("unsent", 2, alert.Acknowledged, "a"))
		rows := b.wantDue(9, "new", "new")
		b.send(rows[0], 9)
		b.send(rows[1], 9)
		for id, state := range map[string]ActState{"open": WaitingAck, "over": ActFailed} {
			if _, err := b.PutAct(t.Context(), Act{ID: id, Action: id, State: state, At: at(9)}); err != nil {
				t.Fatal(err)
			}
		}
		silence := alert.Silence{ID: "s", From: at(0), Until: at(9)}
		b.must(silence.Match.UnmarshalText([]byte("project=etl")))
		b.must(b.Silence(t.Context(), silence))
		b.exec(`UPDATE outrider_checker_writes SET at = 1`)
		left := func(days float64, silences, threads, acts, log int) {
			t.Helper()
			b.finish(Last{At: at(10 + days*day)})
			got := map[string]int{}
			want := map[string]int{"silences": silences, "threads": threads, "acts": acts, "log": log}
			for table := range want {
				got[table] = b.count(`SELECT count(*) FROM outrider_checker_` + table)
			}
			same(t, "what is left", got, want)
		}
		left(29.9, 1, 3, 2, 6)
		if n := b.count(`SELECT count(*) FROM outrider_checker_writes`); n > 6 {
			t.Errorf("%d transactions are remembered", n)
		}
		left(30.1, 0, 2, 2, 6)
		for incident, want := range map[string]bool{open: true, "unsent": true, "over": false} {
			if r, err := b.Receipt(t.Context(), alert.Console, incident); err != nil || (r != nil) != want {
				t.Errorf("receipt of %s: %s, %v", incident, r, err)
			}
		}
		left(89.9, 0, 2, 2, 6)
		left(90.1, 0, 2, 1, 0)
	})
}
