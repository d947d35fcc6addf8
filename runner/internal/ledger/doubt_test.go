package ledger

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// TestHitInDoubt: a hit whose commit is made again stays one. Its own link is no
// other call of the task.
func TestHitInDoubt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		first := b.begin(delivered("r1"))
		first.end(run.Success)
		hit := b.begin(delivered("r2"))
		hit.want(Hit)
		if _, a, err := b.record(t.Context(), hit.req, true); err != nil || a.Verdict != Hit || a.Of.ID != first.ID() {
			t.Errorf("%+v, %v", a, err)
		}
		if f, err := b.Show(t.Context(), first.ID()); err != nil || len(f.Links) != 1 {
			t.Errorf("%+v, %v", f, err)
		}
	})
}

// TestGrantInDoubt: what earlier tries have left is handed on also when the grant was
// found only afterwards.
func TestGrantInDoubt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		key := func(r *Request) { r.Run.Key = "k" }
		first := b.begin(key)
		if err := first.Checkpoint(t.Context(), json.RawMessage(`{"row":7}`)); err != nil {
			t.Fatal(err)
		}
		first.end(run.Failed)
		second := b.begin(key)
		again, a, err := b.record(t.Context(), second.req, true)
		if err != nil || a.Verdict != Granted || again.Earlier() != 1 || string(again.Restore()) != `{"row":7}` {
			t.Errorf("%+v, %v: %d earlier, to restore %s", a, err, again.Earlier(), again.Restore())
		}
	})
}

// TestSpoolOutlivesTheDatabase: a database that is older than the run, restored or new
// after damage, gets the whole record.
func TestSpoolOutlivesTheDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		c := b.begin(lock("a"), func(r *Request) { r.Run.Labels = map[string]string{"l": "v"} })
		err := b.db.Write(t.Context(), func(ctx context.Context, tx *db.Tx) error {
			for _, table := range []string{"runs WHERE id", "labels WHERE run", "claims WHERE run"} {
				if _, err := tx.Exec(ctx, `DELETE FROM outrider_`+table+` = ?`, c.ID()); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		end := End{Outcome: run.Outcome{State: run.Success}}
		if err := c.Finish(t.Context(), end); err == nil {
			t.Error("an end without a beginning was recorded")
		}
		dir := filepath.Join(t.TempDir(), "spool")
		if err := c.Spool(dir, end); err != nil {
			t.Fatal(err)
		}
		if n, err := b.TakeIn(t.Context(), dir); n != 1 || err != nil {
			t.Errorf("took in %d, %v", n, err)
		}
		got, err := b.List(t.Context(), Filter{Labels: map[string]string{"l": "v"}})
		if err != nil || len(got) != 1 || got[0].ID != c.ID() || got[0].State != run.Success || got[0].StartedAt.IsZero() {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestDeliveryInDoubt: a grant that was found only afterwards gives its claim back, and
// its success is that of the delivery.
func TestDeliveryInDoubt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		c := b.begin(delivered("r1"))
		e, a, err := b.record(t.Context(), c.req, true)
		if err != nil || a.Verdict != Granted || !e.Joinable() {
			t.Fatalf("%+v, %v", a, err)
		}
		if err := e.Finish(t.Context(), End{Outcome: run.Outcome{State: run.Success}}); err != nil {
			t.Fatal(err)
		}
		b.begin(delivered("r2")).want(Hit)
	})
}
