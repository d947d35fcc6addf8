package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestLoadGivesWhatWasCommitted plays a life of sources that come, fail, begin anew and
// go: what is written is what changed, and what is read is all.
func TestLoadGivesWhatWasCommitted(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.config.Rules = ruleSet(t, rule.Rule{Name: "acts", Kind: rule.Failed, Severity: rule.None})
		r := rand.New(rand.NewPCG(7, 7))
		if l := b.load(); len(l.State.Sources) != 0 || l.State.Version != 0 || len(l.Cursors) != 0 {
			t.Errorf("an empty store holds %+v", l)
		}
		fired := 0
		for i := range 60 {
			b.config.Sources = []string{"prod", "dev"}
			if i%20 > 15 {
				b.config.Sources = b.config.Sources[:1]
			}
			minute := float64(i * 7)
			var reports []checker.Report
			for _, name := range b.config.Sources {
				report := checker.Report{Source: name, Snapshot: anySnapshot(r, minute)}
				if r.IntN(5) == 0 {
					report = checker.Report{Source: name, Failure: fmt.Sprint("down ", i/3)}
				}
				if r.IntN(8) > 0 {
					reports = append(reports, report)
				}
			}
			result := b.pass(minute, nil, reports...)
			fired += len(result.Events)
			same(t, fmt.Sprint("pass ", i), b.load().State, result.State)
		}
		month := 40.0 * 24 * 60
		result := b.pass(month, nil, checker.Report{Source: "prod", Snapshot: observe.Snapshot{At: at(month)}})
		if len(result.Changes["prod"].Forgotten) == 0 {
			t.Error("nothing is forgotten: the life is too short")
		}
		same(t, "after 40 days", b.load().State, result.State)
		if fired < 20 {
			t.Errorf("only %d events: the life is too dull", fired)
		}
		b.config.Sources = []string{"other"}
		b.pass(month+1, nil)
		same(t, "frozen", b.load().State.Unwatched, map[string]time.Time{"prod": at(month + 1)})
		b.pass(month+1+3*24*60, nil)
		if l := b.load(); len(l.State.Sources) != 0 || len(l.Cursors) != 0 || b.count(`SELECT count(*) FROM outrider_checker_workflows`) != 0 {
			t.Errorf("what is not watched any more is remembered: %+v", l)
		}
	})
}

func anySnapshot(r *rand.Rand, minute float64) observe.Snapshot {
	s := observe.Snapshot{Engine: "digdag", At: at(minute), Reset: r.IntN(15) == 0}
	states := []observe.State{observe.Queued, observe.Running, observe.Success, observe.Failed, observe.Cancelled}
	for range r.IntN(8) {
		n := r.IntN(30)
		one := observe.Run{
			ID: fmt.Sprint(n), Project: "e%t\x00l", Workflow: []string{"日次 'x'", `back\slash`}[n%2], Session: fmt.Sprint(n),
			State: states[r.IntN(len(states))], Created: at(minute - float64(r.IntN(60))), Params: json.RawMessage(fmt.Sprintf(`{"a":%d}`, r.IntN(3))),
		}
		if one.State.Ended() {
			one.Ended = s.At
		}
		s.Runs = append(s.Runs, one)
	}
	for i := range 6 {
		if r.IntN(5) > 0 {
			s.Schedules = append(s.Schedules, observe.Schedule{Project: "etl", Workflow: fmt.Sprint("w", i), NextRun: at(minute + float64(r.IntN(80)-40))})
		}
	}
	s.Health = []observe.Health{{Name: "scheduler", OK: r.IntN(2) == 0}}
	s.Signals = []observe.Signal{{Name: "open", Value: float64(r.IntN(9)), Labels: map[string]string{"a": "b"}}}
	return s
}

// TestOnlyWhatChangedIsWritten: rows of workflows and alerts that a pass leaves alone stay
// as they are, byte by byte.
func TestOnlyWhatChangedIsWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		all := func(minute float64, state observe.State) checker.Report {
			s := observe.Snapshot{At: at(minute)}
			for i := range 250 {
				one := observe.Run{ID: fmt.Sprint(i), Project: "etl", Workflow: fmt.Sprint("w", i), Created: t0, State: observe.Running}
				if i < 3 && state.Ended() {
					one.State, one.Ended = state, s.At
				}
				s.Runs = append(s.Runs, one)
			}
			return checker.Report{Source: "prod", Snapshot: s}
		}
		b.pass(1, nil, all(1, observe.Running))
		b.fire(2, "scheduler")
		b.exec(`UPDATE outrider_checker_workflows SET data = data || ' '`)
		b.exec(`UPDATE outrider_checker_alerts SET data = data || ' '`)
		b.pass(20, nil, checker.Report{Source: "prod", Failure: "down"}) // freezes the alert
		if n := b.count(`SELECT count(*) FROM outrider_checker_workflows WHERE data LIKE '% '`); n != 250 {
			t.Errorf("a source that does not answer: %d of 250 rows stay as they are", n)
		}
		result := b.pass(21, nil, all(21, observe.Success))
		if n := b.count(`SELECT count(*) FROM outrider_checker_workflows WHERE data LIKE '% '`); n != 247 {
			t.Errorf("three runs have ended: %d of 250 rows stay as they are", n)
		}
		same(t, "the state", b.load().State, result.State)
		b.exec(`UPDATE outrider_checker_alerts SET data = data || ' '`)
		b.pass(22, nil)
		b.pass(23, nil)
		if n := b.count(`SELECT count(*) FROM outrider_checker_alerts WHERE data LIKE '% '`); n == 0 {
			t.Error("alerts of which nothing is known were written")
		}
	})
}

// TestBesideAPass: what somebody asks for while a pass is made is there after it.
func TestBesideAPass(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		first := b.fire(0, "scheduler").Events[0]
		key := first.Alerts[0].Key
		silence := alert.Silence{ID: "s1", From: at(0), Until: at(60), Reason: "work"}
		b.must(silence.Match.UnmarshalText([]byte("project=etl")))
		result := b.pass(10, func() {
			other := b.open()
			b.must(other.Silence(t.Context(), silence))
			(&bench{Store: other, t: t}).acknowledge(first.Incident, 10)
		}, health(10, "scheduler", false), checker.Report{Source: "dev", Failure: "down"})
		l := b.load()
		if a := l.State.Alerts.Alerts[key]; a.Ack == nil || a.Ack.By != "ann" || a.Checks != result.State.Alerts.Alerts[key].Checks {
			t.Errorf("acknowledged while a pass was made: %+v", a)
		}
		same(t, "the silences", l.Silences, []alert.Silence{silence})
		if i := l.State.Alerts.Incidents[first.Incident]; i.Seq != 2 {
			t.Errorf("the incident is at event %d, want 2", i.Seq)
		}
		over := b.pass(11, func() { b.acknowledge(key, 11) }, health(11, "scheduler", true))
		if a := b.load().State.Alerts.Alerts[key]; a.State != alert.Resolved || a.Ack == nil || !a.Ack.At.Equal(at(11)) {
			t.Errorf("acknowledged while it was resolved: %+v", a)
		}
		if len(over.Events) != 1 || over.Events[0].Kind != alert.Recovered {
			t.Fatalf("%+v", over.Events)
		}
		rows := b.wantDue(60, "resolved")
		if e := rows[0].Event; e.Seq != 4 || !e.Merged {
			t.Errorf("number %d, merged: %v; want the fourth, after two acknowledgements", e.Seq, e.Merged)
		}
	})
}

// TestCommitTwice: a commit whose answer was lost is done once.
func TestCommitTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		turn := b.begin()
		p := Passed{At: at(0), Events: []alert.Event{event("i", 1, alert.New, "a")}}
		p.Result.State.Version = checker.Version
		b.must(b.Commit(t.Context(), turn, p))
		turn.commits-- // as it is when the answer did not come
		b.must(b.Commit(t.Context(), turn, p))
		p.Events = []alert.Event{event("i", 2, alert.Acknowledged, "a")}
		b.must(b.Commit(t.Context(), turn, p))
		rows, err := b.Unhanded(t.Context(), alert.Console, 0)
		if err != nil || len(rows) != 2 || rows[0].Event.Kind != alert.New || rows[1].Event.Kind != alert.Acknowledged {
			t.Errorf("%+v, %v", rows, err)
		}
	})
}

func TestANewerStateIsRefused(t *testing.T) {
	for where, update := range map[string]string{
		"state":   `UPDATE outrider_checker_meta SET state = 99`,
		"history": `UPDATE outrider_checker_sources SET data = '{"version":99}'`,
		"alerts":  `UPDATE outrider_checker_meta SET book = '{"version":99}'`,
	} {
		t.Run(where, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				b.fire(0, "scheduler")
				b.exec(update)
				_, err := b.Load(t.Context())
				if !errors.Is(err, db.ErrNewer) || !strings.Contains(err.Error(), "has version 99, and this program knows up to 1: update outrider-checker") {
					t.Errorf("load: %v", err)
				}
				_, ok, err := b.Begin(t.Context(), time.Minute)
				if where == "state" && (ok || !errors.Is(err, db.ErrNewer)) {
					t.Errorf("begin: %v, %v", ok, err)
				}
			})
		})
	}
}

// TestLoadBesideAPass: who looks while a pass is stored sees all of it or nothing.
func TestLoadBesideAPass(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		other := b.open()
		stop, done := make(chan struct{}), make(chan error, 1)
		go func() {
			for {
				l, err := other.Load(t.Context())
				if n := len(l.State.Sources["prod"].Workflows); err == nil && n != 0 && (n != 400 || l.Cursors["prod"] == nil) {
					err = fmt.Errorf("%d workflows, cursor %s", n, l.Cursors["prod"])
				}
				select {
				case <-stop:
					done <- err
					return
				default:
				}
				if err != nil {
					done <- err
					return
				}
			}
		}()
		for i := range 20 {
			minute := float64(i)
			s := observe.Snapshot{At: at(minute)}
			for n := range 400 {
				s.Schedules = append(s.Schedules, observe.Schedule{Project: "etl", Workflow: fmt.Sprint("w", n), NextRun: at(60)})
			}
			b.config.Sources = nil
			b.pass(minute, nil, checker.Report{Source: "prod", Snapshot: s})
			b.config.Sources = []string{"dev"}
			b.pass(minute, nil)
		}
		close(stop)
		b.must(<-done)
	})
}
