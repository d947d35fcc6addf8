package cli

import (
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

func TestWorst(t *testing.T) {
	one := func(state run.State, code int) ledger.Run { return ledger.Run{State: state, ExitCode: code} }
	ok, skipped, failed := one(run.Success, 0), one(run.Skipped, 99), one(run.Failed, 1)
	for want, runs := range map[int][]ledger.Run{
		0:   {ok, ok},
		99:  {ok, skipped},
		1:   {skipped, failed, ok},
		3:   {failed, one(run.Failed, 3), skipped},
		5:   {one(run.Crashed, 0)},
		124: {one(run.TimedOut, 124), failed},
		125: {one(run.Lost, 0), one(run.Failed, 3)},
		143: {one(run.Cancelled, 0), one(run.Lost, 0)},
	} {
		if got := worst(runs); got != want {
			t.Errorf("%+v: %d, want %d", runs, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 1500 * time.Microsecond: "2ms", 59_940 * time.Millisecond: "59.9s", 59_960 * time.Millisecond: "1m00s",
		90 * time.Second: "1m30s", time.Hour - 400*time.Millisecond: "1h00m", 26*time.Hour + 20*time.Minute: "1d02h", 720 * time.Hour: "30d",
	} {
		if got := short(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestPublicURL(t *testing.T) {
	for at, want := range map[string]string{
		"sqlite:/a/b.db":                         "sqlite:/a/b.db",
		"postgres://me:pw@db:5432/outrider":      "postgres://me@db:5432/outrider",
		"postgresql://db/o?user=me&password=pw":  "postgresql://db/o?user=me",
		"postgres://me@/o?host=/run/pg&sslmode=": "postgres://me@/o?host=/run/pg&sslmode=",
		"postgres://me:p%w@db/o":                 "postgres (its URL cannot be read)",
	} {
		if got := publicURL(at); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}
