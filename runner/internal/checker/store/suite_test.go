package store

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

var t0 = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)

func at(minutes float64) time.Time { return t0.Add(time.Duration(minutes * float64(time.Minute))) }

// onBoth runs a test on an empty store of each kind.
func onBoth(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	for _, kind := range []struct {
		name db.Kind
		url  func(testing.TB) string
	}{{db.SQLite, dbtest.SQLite}, {db.Postgres, dbtest.Postgres}} {
		t.Run(string(kind.name), func(t *testing.T) {
			b := &bench{t: t, url: kind.url(t), config: checker.Config{Rules: ruleSet(t)}}
			b.Store = b.open()
			test(t, b)
		})
	}
}

func ruleSet(t testing.TB, rules ...rule.Rule) *rule.Set {
	t.Helper()
	set, err := rule.NewSet(rules)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// bench is a store under test, and a checker that works with it.
type bench struct {
	*Store
	t      testing.TB
	url    string
	config checker.Config
}

func (b *bench) open() *Store { return open(b.t, b.url) }

func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (b *bench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) load() Loaded {
	b.t.Helper()
	l, err := b.Load(b.t.Context())
	b.must(err)
	if len(l.Notes) == 0 {
		positions, err := b.Positions(b.t.Context())
		b.must(err)
		same(b.t, "positions", positions, l.Positions())
	}
	return l
}

func (b *bench) begin() *Turn {
	b.t.Helper()
	t, ok, err := b.Begin(b.t.Context(), time.Minute)
	if err != nil || !ok {
		b.t.Fatal(ok, err)
	}
	return t
}

// pass makes one with what the sources say, and returns what came of it. beside is what
// is done while it is made.
func (b *bench) pass(minute float64, beside func(), reports ...checker.Report) checker.Result {
	b.t.Helper()
	turn := b.begin()
	before := b.load().State
	p := Passed{Before: before, Result: checker.Pass(before, reports, b.config, at(minute)), At: at(minute)}
	p.Events = p.Result.Events
	p.Cursors = map[string]json.RawMessage{}
	for _, r := range reports {
		if r.Failure == "" {
			p.Cursors[r.Source] = json.RawMessage(fmt.Sprintf(`{"at":%v}`, minute))
		}
	}
	if beside != nil {
		beside()
	}
	b.must(b.Commit(b.t.Context(), turn, p))
	b.must(turn.End(b.t.Context()))
	return p.Result
}

// health is a report of a part of the source "prod" that is well or not: an alert that
// fires, and one that is resolved.
func health(minute float64, part string, ok bool) checker.Report {
	return checker.Report{Source: "prod", Snapshot: observe.Snapshot{
		Engine: "digdag", At: at(minute), Health: []observe.Health{{Name: part, OK: ok}},
	}}
}

// fire makes passes until an alert fires about a part, from a minute on.
func (b *bench) fire(minute float64, part string) checker.Result {
	b.t.Helper()
	for i := range 5 {
		r := b.pass(minute+float64(i), nil, health(minute+float64(i), part, false))
		if len(r.Events) > 0 {
			return r
		}
	}
	b.t.Fatal("no alert fires")
	return checker.Result{}
}

// due is what is due to the console at a time, in words.
func (b *bench) due(minute float64) (words []string, rows []Row) {
	b.t.Helper()
	rows, err := b.Due(b.t.Context(), alert.Console, at(minute), 0)
	b.must(err)
	for _, r := range rows {
		word := string(r.Event.Kind)
		if r.Doubt {
			word += "?"
		}
		words = append(words, word)
	}
	return words, rows
}

func (b *bench) wantDue(minute float64, want ...string) []Row {
	b.t.Helper()
	words, rows := b.due(minute)
	if fmt.Sprint(words) != fmt.Sprint(want) {
		b.t.Fatalf("due are %v, want %v", words, want)
	}
	return rows
}

// send tells a row.
func (b *bench) send(r Row, minute float64) {
	b.t.Helper()
	b.must(b.Sending(b.t.Context(), r.ID))
	b.must(b.Sent(b.t.Context(), r.ID, json.RawMessage(fmt.Sprintf(`{"ts":%d}`, r.ID)), at(minute)))
}

func (b *bench) acknowledge(id string, minute float64) {
	b.t.Helper()
	b.must(b.Change(b.t.Context(), func(book alert.Book) (alert.Book, []alert.Event, error) {
		return alert.Acknowledge(book, id, "ann", "on it", at(minute))
	}))
}

// event is one to tell to the console.
func event(incident string, seq int, kind alert.EventKind, keys ...string) alert.Event {
	e := alert.Event{Kind: kind, Receiver: alert.Console, Incident: incident, Seq: seq, Total: len(keys), At: t0}
	for _, key := range keys {
		a := alert.Alert{State: alert.Firing}
		a.Key, a.Kind, a.Severity = key, rule.Failed, rule.Warning
		e.Alerts = append(e.Alerts, a)
	}
	return e
}

// exec changes the database behind the store's back.
func (b *bench) exec(query string, args ...any) {
	b.t.Helper()
	b.must(b.db.Write(b.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	}))
}

func (b *bench) count(query string, args ...any) (n int) {
	b.t.Helper()
	b.must(b.db.Read(b.t.Context(), func(ctx context.Context, tx *db.Tx) error { return tx.QueryRow(ctx, query, args...).Scan(&n) }))
	return n
}

// same compares as JSON, in which a state is stored.
func same(t testing.TB, what string, got, want any) {
	t.Helper()
	x, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(x) != string(y) {
		t.Fatalf("%s:\n%s\nwant\n%s", what, x, y)
	}
}
