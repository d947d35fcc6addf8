package ledger

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"

	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// BenchmarkRun is what one run costs the ledger, from the opening on.
func BenchmarkRun(b *testing.B) {
	for name, c := range map[string]struct {
		url    string
		claims []Claim
	}{
		"sqlite": {dbtest.SQLite(b), nil}, "sqlite with a lock": {dbtest.SQLite(b), []Claim{Lock("a")}},
		"postgres": {dbtest.Postgres(b), nil}, "postgres with a lock": {dbtest.Postgres(b), []Claim{Lock("a")}},
	} {
		b.Run(name, func(b *testing.B) {
			live := filepath.Join(b.TempDir(), "live")
			f, err := os.Create(live)
			if err != nil {
				b.Fatal(err)
			}
			if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				l, err := Open(b.Context(), c.url, len(c.claims) > 0)
				if err != nil {
					b.Fatal(err)
				}
				e, _, err := l.Begin(b.Context(), Request{
					Run: Run{ID: ulid.Make().String(), Component: "a.b", Params: json.RawMessage(`{}`)}, Live: live, Claims: c.claims,
				})
				if err != nil {
					b.Fatal(err)
				}
				if err := e.Finish(b.Context(), End{Outcome: run.Outcome{State: run.Success}}); err != nil {
					b.Fatal(err)
				}
				if err := l.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
