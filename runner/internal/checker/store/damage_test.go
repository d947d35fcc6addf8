package store

import (
	"context"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/sdk/observe"
)

// byHand changes the database past the store.
func (b *bench) byHand(query string, args ...any) {
	b.t.Helper()
	b.must(b.db.Write(b.t.Context(), func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.Exec(ctx, query, args...)
		if err == nil && n == 0 {
			b.t.Errorf("nothing is changed by %s", query)
		}
		return err
	}))
}

// successes is a report of a source with a run of each workflow that has ended.
func successes(minute float64, workflows ...string) checker.Report {
	s := observe.Snapshot{Engine: "digdag", At: at(minute)}
	for _, name := range workflows {
		s.Runs = append(s.Runs, observe.Run{
			ID: name, Project: "etl", Workflow: name, Session: name, State: observe.Success,
			Created: at(minute - 3), Started: at(minute - 2), Ended: at(minute - 1),
		})
	}
	return checker.Report{Source: "prod", Snapshot: s}
}

// TestWhatCannotBeReadOfASource is dropped with a note, and learned anew.
func TestWhatCannotBeReadOfASource(t *testing.T) {
	for name, c := range map[string]struct {
		query, note string
		workflows   int // that are still known
		cursors     int
	}{
		"a workflow":       {`UPDATE outrider_checker_workflows SET data = '{' WHERE name LIKE '%daily'`, "the history of workflow etl/daily of source prod is dropped", 1, 1},
		"a source":         {`UPDATE outrider_checker_sources SET data = 'x'`, "what was remembered of source prod is dropped", 0, 0},
		"its open runs":    {`UPDATE outrider_checker_sources SET open_runs = ''`, "what was remembered of source prod is dropped", 0, 0},
		"its cursor":       {`UPDATE outrider_checker_sources SET position = '{'`, "what was remembered of source prod is dropped", 0, 0},
		"that it is down":  {`UPDATE outrider_checker_sources SET down = '['`, "what was remembered of source prod is dropped", 0, 0},
		"no source at all": {`DELETE FROM outrider_checker_sources`, "2 workflows of source prod are dropped", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				b.pass(10, nil, successes(10, "daily", "hourly"))
				b.byHand(c.query)
				l := b.load()
				if len(l.Notes) != 1 || !strings.Contains(l.Notes[0], c.note) {
					t.Errorf("notes %q", l.Notes)
				}
				if n := len(l.State.Sources["prod"].Workflows); n != c.workflows || len(l.Cursors) != c.cursors {
					t.Errorf("%d workflows, cursors %v", n, l.Cursors)
				}
				result := b.pass(20, nil, successes(20, "other"))
				l = b.load()
				same(t, "learned anew", l.State, result.State)
				if len(l.Notes) > 0 || len(l.State.Sources["prod"].Workflows) != c.workflows+1 || len(l.Cursors) != 1 {
					t.Errorf("%q, %+v", l.Notes, l.State.Sources["prod"])
				}
			})
		})
	}
}

// TestWhatCannotBeReadOfAlerts is an error that says where it is and what to do.
func TestWhatCannotBeReadOfAlerts(t *testing.T) {
	for _, query := range []string{
		`UPDATE outrider_checker_alerts SET data = '{'`, `UPDATE outrider_checker_incidents SET data = '{'`, `UPDATE outrider_checker_meta SET book = '{'`,
	} {
		onBoth(t, func(t *testing.T, b *bench) {
			b.fire(1, "scheduler")
			b.byHand(query)
			_, err := b.Load(t.Context())
			where, remedy := b.file, "move it away"
			if b.db.Kind == db.Postgres {
				where, remedy = "schema outrider, PostgreSQL at ", "drop the schema's tables"
			}
			if err == nil || !strings.Contains(err.Error(), where) || !strings.Contains(err.Error(), remedy) {
				t.Errorf("%s: %v", query, err)
			}
		})
	}
}

// TestSchemas: each watcher on a server has a memory of its own.
func TestSchemas(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		if b.db.Kind == db.SQLite {
			return // it has a file of its own
		}
		b.pass(1, nil, successes(1, "daily"))
		other, err := OpenSchema(t.Context(), b.url, "outrider_checker_other")
		b.must(err)
		defer func() { _ = other.Close() }()
		if l, err := other.Load(t.Context()); err != nil || len(l.State.Sources) > 0 {
			t.Errorf("it has the sources of another: %+v, %v", l.State, err)
		}
		turn := b.begin()
		mine, ok, err := other.Begin(t.Context(), turn.ttl)
		if err != nil || !ok {
			t.Fatalf("it waits for the turn of another: %v", err)
		}
		b.must(mine.End(t.Context()))
		b.must(turn.End(t.Context()))
	})
}
