package ledger

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// exec changes the ledger behind its back.
func (b *book) exec(query string, args ...any) {
	b.t.Helper()
	err := b.db.Write(b.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, query, args...)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func idOf(id string) func(*Request) { return func(r *Request) { r.Run.ID = id } }

func labels(pairs ...string) func(*Request) {
	return func(r *Request) {
		r.Run.Labels = map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			r.Run.Labels[pairs[i]] = pairs[i+1]
		}
	}
}

func TestFind(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		for _, id := range []string{"01KAAAAAAAAAAAAAAAAAAAAAAA", "01KAAAAAAAAAAAAAAAAAAAAAAB", "01KB0000000000000000000000"} {
			b.begin(idOf(id)).end(run.Success)
		}
		key := once("k")
		made := b.begin(idOf("01KCZZZZZZZZZZZZZZZZZZZZZZ"), key)
		made.end(run.Success)
		b.begin(idOf("01KD0000000000000000000000"), key).want(Hit)
		for start, want := range map[string]string{
			"01KAAAAAAAAAAAAAAAAAAAAAAA": "01KAAAAAAAAAAAAAAAAAAAAAAA",
			"01KB":                       "01KB0000000000000000000000",
			"01kb":                       "01KB0000000000000000000000",
			"01KCZZZ":                    "01KCZZZZZZZZZZZZZZZZZZZZZZ",
		} {
			if r, err := b.Find(t.Context(), start); err != nil || r.ID != want {
				t.Errorf("%s: %s, %v", start, r.ID, err)
			}
		}
		for start, want := range map[string]struct {
			err  error
			text string
		}{
			"01KA":                        {ErrAmbiguous, "01KAAAAAAAAAAAAAAAAAAAAAAB, 01KAAAAAAAAAAAAAAAAAAAAAAA"},
			"01KE":                        {ErrNoRun, "01KE"},
			"":                            {ErrNoRun, "no id"},
			"%":                           {ErrNoRun, "no id"},
			"01KAAAAAAAAAAAAAAAAAAAAAAAA": {ErrNoRun, "no id"},
			"01KD":                        {ErrNoRun, "took the result of run " + made.ID() + " (hit)"},
		} {
			if _, err := b.Find(t.Context(), start); !errors.Is(err, want.err) || !strings.Contains(err.Error(), want.text) {
				t.Errorf("%s: %v", start, err)
			}
		}
		known, err := b.Known(t.Context(), []string{made.ID(), "01KD0000000000000000000000", "x"})
		if err != nil || !reflect.DeepEqual(known, map[string]bool{made.ID(): true}) {
			t.Errorf("known: %v, %v", known, err)
		}
	})
}

func TestFilter(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		now := time.Now().Truncate(time.Second)
		states := []run.State{run.Success, run.Failed, run.TimedOut, run.Success, run.Failed, run.Success}
		var ids []string
		for i, state := range states {
			at := now.Add(time.Duration(i-len(states)) * time.Hour)
			id := ulid.MustNew(uint64(at.Add(-90*time.Minute).UnixMilli()), nil).String() // its host's clock is late
			c := b.begin(idOf(id), labels("n", fmt.Sprint(i%2), "all", "x"))
			c.end(state)
			b.exec(`UPDATE outrider_runs SET asked_at = ? WHERE id = ?`, at.UnixMilli(), id)
			ids = append(ids, id)
		}
		ago := func(n int) time.Time { return now.Add(-time.Duration(n) * time.Hour) }
		for name, c := range map[string]struct {
			f    Filter
			want []int
		}{
			"states":          {Filter{States: []run.State{run.Failed, run.TimedOut, run.Failed}}, []int{4, 2, 1}},
			"states, limited": {Filter{States: []run.State{run.TimedOut, run.Success}, Limit: 3}, []int{5, 3, 2}},
			"states, cursor":  {Filter{States: []run.State{run.TimedOut, run.Success}, Before: ids[3]}, []int{2, 0}},
			"since":           {Filter{Since: ago(2)}, []int{5, 4}},
			"until":           {Filter{Until: ago(4)}, []int{1, 0}},
			"between":         {Filter{Since: ago(4), Until: ago(2)}, []int{3, 2}},
			"labels":          {Filter{Labels: map[string]string{"n": "1", "all": "x"}, States: []run.State{run.Failed}}, []int{1}},
			"label, limited":  {Filter{Labels: map[string]string{"n": "0"}, Limit: 2}, []int{4, 2}},
			"label and state": {Filter{Labels: map[string]string{"all": "x"}, States: []run.State{run.Failed, run.Lost}}, []int{4, 1}},
		} {
			got, err := b.List(t.Context(), c.f)
			var at []int
			for _, r := range got {
				at = append(at, slices.Index(ids, r.ID))
			}
			if err != nil || !reflect.DeepEqual(at, c.want) {
				t.Errorf("%s: %v, want %v, %v", name, at, c.want, err)
			}
			c.f.Limit = 0
			all, err := b.List(t.Context(), c.f)
			if n, err2 := b.Count(t.Context(), c.f); n != len(all) || err != nil || err2 != nil {
				t.Errorf("%s: counted %d of %d, %v, %v", name, n, len(all), err, err2)
			}
		}
	})
}

// TestPages: a page of a million runs is read in the order of an index, without
// sorting and without looking at all runs.
func TestPages(t *testing.T) {
	b := &book{t: t, url: "sqlite:" + t.TempDir() + "/l.db", dir: t.TempDir()}
	b.Ledger = b.open()
	for name, f := range map[string]Filter{
		"all":       {},
		"cursor":    {Before: "01K"},
		"state":     {States: []run.State{run.Failed}},
		"component": {Component: "a.b"},
		"workflow":  {Workflow: "w"},
		"label":     {Labels: map[string]string{"a": "b"}},
		"labels":    {Labels: map[string]string{"a": "b", "c": "d"}, Before: "01K"},
		"since":     {Since: time.Now()},
		"few":       {States: []run.State{run.Lost}, Component: "a.b"},
		"few of w":  {States: []run.State{run.Lost}, Workflow: "w"},
		"both":      {Since: time.Now(), States: []run.State{run.Failed}},
	} {
		err := b.db.Read(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			query, args := f.query(db.SQLite, "state, message")
			rows, err := tx.Query(ctx, `EXPLAIN QUERY PLAN `+query+` ORDER BY `+f.id()+` DESC LIMIT 50`, args...)
			if err != nil {
				return err
			}
			defer func() { _ = rows.Close() }()
			for rows.Next() {
				var a, b, c int
				var plan string
				if err := rows.Scan(&a, &b, &c, &plan); err != nil {
					return err
				}
				if strings.Contains(plan, "TEMP B-TREE") || strings.HasPrefix(plan, "SCAN") && !strings.Contains(plan, "USING INDEX") {
					t.Errorf("%s: %s", name, plan)
				}
				if strings.HasPrefix(name, "few") && !strings.Contains(plan, "outrider_runs_state") {
					t.Errorf("%s: %s", name, plan)
				}
				if name != "all" && strings.HasPrefix(plan, "SCAN") {
					t.Errorf("%s looks at all runs: %s", name, plan)
				}
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRelease(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		holder, waiter := b.begin(lock("a")), b.begin(lock("a"))
		if from, err := b.ReleaseLock(t.Context(), "b", "why"); from != nil || err != nil {
			t.Errorf("a lock that nobody holds: %v, %v", from, err)
		}
		from, err := b.ReleaseLock(t.Context(), "a", "released by me")
		if err != nil || !slices.Equal(from, []string{holder.ID()}) {
			t.Errorf("%v, %v", from, err)
		}
		waiter.wantNow(Granted)
		if why, err := holder.Cancelled(t.Context()); why != "released by me" || err != nil {
			t.Errorf("the holder is told %q, %v", why, err)
		}
		if err := holder.Finish(t.Context(), End{Outcome: run.Outcome{State: run.Success}}); !errors.Is(err, ErrLost) {
			t.Errorf("its end: %v", err)
		}
		r, err := b.Get(t.Context(), holder.ID())
		if err != nil || r.State != run.Lost || r.Code != "released" || r.Message != "released by me" || r.LateResult == nil {
			t.Errorf("%+v, %v", r, err)
		}
		if locks, err := b.Locks(t.Context()); err != nil || len(locks) != 1 || locks[0].Holders[0].Run != waiter.ID() {
			t.Errorf("%+v, %v", locks, err)
		}
	})
}

func TestGone(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		dead := b.begin()
		b.begin()
		if n, err := b.Gone(t.Context()); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		dead.die()
		for range 2 { // it only looks
			if n, err := b.Gone(t.Context()); n != 1 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
	})
}

// TestPruneIsBounded: runs that stay are passed once and do not end the prune, and
// what is removed by id follows the same rules.
func TestPruneIsBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		var kept []string
		for i := range pruneBatch + 2 {
			c := b.begin(once(fmt.Sprint(i)))
			c.end(run.Success)
			kept = append(kept, c.ID())
		}
		gone := b.begin(func(r *Request) { r.Run.Labels = map[string]string{"a": strings.Repeat("x", 100_000)} })
		gone.end(run.Failed)
		open := b.begin()
		later := time.Now().Add(time.Minute)
		if ids, err := b.Prunable(t.Context(), later, 0); err != nil || !slices.Equal(ids, []string{gone.ID()}) {
			t.Errorf("prunable: %v, %v", ids, err)
		}
		if ids, err := b.Remove(t.Context(), []string{kept[0], open.ID(), "x"}); ids != nil || err != nil {
			t.Errorf("removed %v, %v", ids, err)
		}
		runs, before, err := b.Used(t.Context())
		if runs != pruneBatch+4 || before < 50_000 || err != nil {
			t.Errorf("%d runs of %d bytes, %v", runs, before, err)
		}
		if n, err := b.Prune(t.Context(), later, func([]string) {}); n != 1 || err != nil {
			t.Errorf("pruned %d, %v", n, err)
		}
		if _, after, err := b.Used(t.Context()); after >= before || err != nil {
			t.Errorf("%d bytes of %d are still used, %v", after, before, err)
		}
	})
}

func TestPruneKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		failed, success := b.begin(delivered("r1")), b.begin(delivered("r1"))
		failed.end(run.Failed)
		success.end(run.Success)
		b.begin(delivered("r1"), lock("a")) // goes on
		b.begin(lock("b"), once("k")).end(run.Failed)
		if err := b.SetPool(t.Context(), "p", 3); err != nil {
			t.Fatal(err)
		}
		names := func() (all []string) {
			err := b.db.Read(t.Context(), func(ctx context.Context, tx *db.Tx) (err error) {
				all, err = texts(ctx, tx, `SELECT name FROM outrider_resources`)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(all)
			return all
		}
		before := names()
		if err := b.PruneKeys(t.Context(), time.Now().Add(-time.Hour)); err != nil || !slices.Equal(names(), before) {
			t.Errorf("young ones went: %v of %v, %v", names(), before, err)
		}
		if err := b.PruneKeys(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(before, func(s string) bool { return s == failed.delivery || s == "lock:b" || s == "once:k" })
		if got := names(); !slices.Equal(got, want) || len(want) != 4 {
			t.Errorf("left\n%v, want\n%v", got, want)
		}
	})
}
