package ledger

import (
	"encoding/json"
	"testing"

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
		if _, a, err := b.Begin(t.Context(), hit.req); err != nil || a.Verdict != Hit || a.Of.ID != first.ID() {
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
		again, a, err := b.Begin(t.Context(), second.req)
		if err != nil || a.Verdict != Granted || again.Earlier() != 1 || string(again.Restore()) != `{"row":7}` {
			t.Errorf("%+v, %v: %d earlier, to restore %s", a, err, again.Earlier(), again.Restore())
		}
	})
}
