package ledger

import (
	"context"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/run"
)

func TestDue(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		for i, took := range []time.Duration{time.Minute, 3 * time.Minute, time.Hour, 9 * time.Hour} {
			c := b.begin()
			c.end([]run.State{run.Success, run.Failed}[i/3]) // the last one does not count
			err := b.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE outrider_runs SET ended_at = started_at + ? WHERE id = ?`, took.Milliseconds(), c.ID())
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		holder, waiter := b.begin(lock("a")), b.begin(lock("a"))
		holders := waiter.Busy[0].Holders
		due, err := b.Due(t.Context(), holders)
		if want := holder.run.StartedAt.Add(3 * time.Minute); err != nil || !due.Equal(want) {
			t.Errorf("due %s, want %s, %v", due, want, err)
		}
		holders = append(holders, Holder{Component: "never.seen"})
		if due, err := b.Due(t.Context(), holders); err != nil || !due.IsZero() {
			t.Errorf("due %s of one that never ended well, %v", due, err)
		}
	})
}
