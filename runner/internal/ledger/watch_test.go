package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/run"
)

func named(component string) func(*Request) {
	return func(r *Request) { r.Run.Component = component }
}

func TestNames(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		if names, err := b.Names(t.Context()); err != nil || len(names) > 0 {
			t.Errorf("of an empty ledger: %q, %v", names, err)
		}
		for _, name := range []string{"b.two", "a.one", "b.two", "Backup of ä", "b.two2"} {
			b.begin(named(name)).end(run.Failed)
		}
		b.begin(named("open.one"))
		names, err := b.Names(t.Context())
		slices.Sort(names)
		if want := []string{"Backup of ä", "a.one", "b.two", "b.two2", "open.one"}; err != nil || !slices.Equal(names, want) {
			t.Errorf("%q, %v", names, err)
		}
	})
}

func TestEnded(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		base := time.Now().Truncate(time.Second).Add(-time.Hour)
		var ids []string
		for i := range 5 {
			c := b.begin()
			c.end(run.Success)
			ids = append(ids, c.ID())
			// The first to begin is the last to end.
			b.exec(`UPDATE outrider_runs SET ended_at = ?, log_tail = 'x', checkpoint = '{}' WHERE id = ?`, base.Add(time.Duration(-i)*time.Minute).UnixMilli(), c.ID())
		}
		b.begin() // is open
		slices.Reverse(ids)
		got := func(from time.Time, limit int) (ids []string) {
			t.Helper()
			runs, err := b.Ended(t.Context(), from, limit)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range runs {
				if r.Output != nil || r.Checkpoint != nil || r.LogTail != "" || r.Component != "probe.end" || r.State != run.Success {
					t.Errorf("%+v", r)
				}
				ids = append(ids, r.ID)
			}
			return ids
		}
		if all := got(time.Time{}, 0); !slices.Equal(all, ids) {
			t.Errorf("%q, want %q", all, ids)
		}
		if some := got(base.Add(-2*time.Minute), 0); !slices.Equal(some, ids[2:]) {
			t.Errorf("%q, want %q", some, ids[2:])
		}
		if first := got(base.Add(-3*time.Minute), 2); !slices.Equal(first, ids[1:3]) {
			t.Errorf("%q, want %q", first, ids[1:3])
		}
	})
}

// TestWatchingCostsNoScan: what is asked at each pass goes by an index.
func TestWatchingCostsNoScan(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		explain := `EXPLAIN QUERY PLAN `
		if b.Shared() {
			explain = `EXPLAIN `
			b.exec(`SET enable_seqscan = off`) // the table is small here
		}
		for query, index := range map[string]string{
			`SELECT id` + endedFrom + ` LIMIT 3`: "outrider_runs_ended",
			nextName + `?`:                       "outrider_runs_component",
		} {
			var plan string
			err := b.db.Read(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				rows, err := tx.Query(ctx, explain+query, 5)
				if err != nil {
					return err
				}
				defer func() { _ = rows.Close() }()
				columns := make([]any, 4)
				texts := make([]any, 4)
				for i := range columns {
					columns[i] = &texts[i]
				}
				if b.Shared() {
					columns = columns[:1]
				}
				for rows.Next() {
					if err := rows.Scan(columns...); err != nil {
						return err
					}
					plan += fmt.Sprintln(texts...)
				}
				return rows.Err()
			})
			if err != nil || !strings.Contains(plan, index) {
				t.Errorf("%s: %v\n%s", query, err, plan)
			}
		}
	})
}
