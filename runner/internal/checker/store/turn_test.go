package store

import (
	"errors"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// wantLost wants nothing of a turn that is over to be written.
func (b *bench) wantLost(turn *Turn) {
	b.t.Helper()
	p := Passed{At: at(0), Events: []alert.Event{event("late", 1, alert.New, "a")}}
	p.Result.State.Down = map[string]checker.Down{"late": {Since: t0, Why: "down"}}
	for what, err := range map[string]error{
		"commit": turn.s.Commit(b.t.Context(), turn, p),
		"renew":  turn.Renew(b.t.Context()),
		"finish": turn.s.Finish(b.t.Context(), turn, Last{At: t0, Exit: 77}),
	} {
		if !errors.Is(err, ErrTurnLost) {
			b.t.Errorf("%s in a turn that is over: %v", what, err)
		}
	}
	if l, _, err := b.Last(b.t.Context()); err != nil || l.Exit == 77 {
		b.t.Errorf("%+v, %v", l, err)
	}
	b.wantDue(0)
	if len(b.load().State.Down) != 0 {
		b.t.Error("a part of a late commit is there")
	}
}

func (b *bench) wantBusy(s *Store) {
	b.t.Helper()
	if turn, ok, err := s.Begin(b.t.Context(), time.Minute); ok || err != nil || turn != nil {
		b.t.Errorf("two have the turn: %v, %v", ok, err)
	}
}

func TestOneTurnAtATime(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		other := b.open()
		first := b.begin()
		b.wantBusy(other)
		b.wantBusy(b.Store)
		b.must(first.Renew(t.Context()))
		b.wantBusy(other)
		b.must(first.End(t.Context()))
		b.wantLost(first)
		second, ok, err := other.Begin(t.Context(), time.Minute)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		b.must(first.End(t.Context()))
		b.wantBusy(b.Store)
		b.wantLost(first)
		b.must(other.Commit(t.Context(), second, Passed{At: at(1), Events: []alert.Event{event("i", 1, alert.New, "a")}}))
		b.must(second.End(t.Context()))
		b.wantDue(1, "new")
	})
}

// TestATurnThatIsNotRenewed goes to the next who asks, by the clock of PostgreSQL. On
// SQLite it stays with who holds the lock.
func TestATurnThatIsNotRenewed(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		other := b.open()
		first, ok, err := b.Begin(t.Context(), time.Millisecond)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if b.db.Kind == db.SQLite {
			b.exec(`UPDATE outrider_checker_meta SET until = 1`)
			b.wantBusy(other)
			b.must(first.Renew(t.Context()))
			return
		}
		var second *Turn
		for second == nil {
			if second, _, err = other.Begin(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		b.wantLost(first)
		b.must(first.End(t.Context()))
		b.wantBusy(b.Store)
		b.exec(`UPDATE outrider_checker_meta SET until = 1`)
		b.must(second.Renew(t.Context())) // late, and nobody has taken it
		b.wantBusy(b.Store)
	})
}
