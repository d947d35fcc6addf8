package ledger

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/run"
)

// TestSpool: what the ledger could not take comes in once, whoever takes it in, and
// not over what has happened since.
func TestSpool(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		dir := filepath.Join(t.TempDir(), "spool")
		done := End{Outcome: run.Outcome{State: run.Success, Output: json.RawMessage(`{"n":2}`), Attempts: 2}, LogTail: "said"}
		spool := func(e *Entry) {
			t.Helper()
			if err := e.Spool(dir, done); err != nil {
				t.Fatal(err)
			}
		}
		begun, taken := b.begin(once("k"), lock("a")), b.begin(lock("b"))
		spool(begun.Entry)
		never := Unrecorded(b.ask(func(r *Request) { r.Run.Labels = map[string]string{"l": "v"} }))
		spool(never)
		spool(taken.Entry)
		taken.die()
		b.begin(lock("b")).want(Granted)

		var hosts sync.WaitGroup
		taken1, taken2 := 0, 0
		for _, n := range []*int{&taken1, &taken2} {
			l := b.open()
			hosts.Go(func() {
				var err error
				if *n, err = l.TakeIn(t.Context(), dir); err != nil {
					t.Error(err)
				}
			})
		}
		hosts.Wait()
		if taken1+taken2 != 3 {
			t.Errorf("%d and %d were taken in, want 3", taken1, taken2)
		}
		for _, id := range []string{begun.ID(), never.ID()} {
			r, err := b.Get(t.Context(), id)
			if err != nil || r.State != run.Success || string(r.Output) != `{"n":2}` || r.Attempts != 2 || r.LogTail != "said" || r.EndedAt.IsZero() || r.LateResult != nil {
				t.Errorf("%+v, %v", r, err)
			}
		}
		b.begin(once("k")).want(Hit)
		b.begin(lock("a")).want(Granted)
		if got, err := b.List(t.Context(), Filter{Labels: map[string]string{"l": "v"}}); err != nil || len(got) != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		if r, err := b.Get(t.Context(), taken.ID()); err != nil || r.State != run.Lost || !strings.Contains(string(r.LateResult), "success") {
			t.Errorf("%+v, %v", r, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%v, %v", left, err)
		}

		broken := filepath.Join(dir, "broken.json")
		if err := os.WriteFile(broken, []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := b.TakeIn(t.Context(), dir); err == nil || !strings.Contains(err.Error(), broken) {
			t.Errorf("%v", err)
		}
		if _, err := os.Stat(broken); err != nil {
			t.Error(err)
		}
		if n, err := b.TakeIn(t.Context(), filepath.Join(dir, "none")); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// TestSpoolHoldsKeys: a success that was not recorded is its key's success once it is
// taken in, unless there is one by then.
func TestSpoolHoldsKeys(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		dir := filepath.Join(t.TempDir(), "spool")
		spool := func(key string, state run.State) Request {
			t.Helper()
			req := b.ask(once(key))
			if err := Unrecorded(req).Spool(dir, End{Outcome: run.Outcome{State: state}}); err != nil {
				t.Fatal(err)
			}
			return req
		}
		done, _ := spool("done", run.Success), spool("failed", run.Failed)
		first := b.begin(once("there"))
		first.end(run.Success)
		spool("there", run.Success)
		if n, err := b.TakeIn(t.Context(), dir); n != 3 || err != nil {
			t.Fatalf("took in %d, %v", n, err)
		}
		for key, want := range map[string]string{"done": done.Run.ID, "failed": "", "there": first.ID()} {
			c := b.begin(once(key))
			if c.Of.ID != want || (c.Verdict == Hit) != (want != "") {
				t.Errorf("%s: %+v; want %q", key, c.Answer, want)
			}
		}
	})
}
