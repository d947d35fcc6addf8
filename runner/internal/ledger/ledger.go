// Package ledger keeps what ran and what is claimed, on SQLite or PostgreSQL: the
// record of every run, and one mechanism of claims for locks, pools, once-keys and
// redelivery (design, section 7). It starts nothing and prints nothing; all it
// knows of a run is what it is told, and whether its host lives.
//
// A run's states and the only ways between them:
//
//	waiting → running    all of its claims were granted
//	waiting → skipped    busy, and the caller did not want to wait
//	waiting → failed     busy for too long
//	waiting → cancelled | timed_out | lost
//	running → success | failed | skipped | cancelled | timed_out | crashed | lost
//
// A call that takes another run's result leaves a link to that run and no run of
// its own. An end that is told of a run that was taken for dead is kept beside as
// its late result.
//
// Who lives is told by the kernel on SQLite, where all runs are this machine's: the
// host keeps a lock on a file. On PostgreSQL it is told by a lease on the server's
// clock, which the host renews.
package ledger

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// Leases on PostgreSQL. A host that could not renew ends itself early enough that
// its group is dead when the lease is over.
const (
	LeaseTime  = 25 * time.Second
	RenewEvery = 5 * time.Second
	// KeepTicket is how long who gave up waiting keeps the place in line.
	KeepTicket = 5 * time.Minute
)

//go:embed migrations
var migrations embed.FS

// Ledger is an open ledger.
type Ledger struct {
	db   *db.DB
	host string
	user string
	// lease is LeaseTime, shorter in tests.
	lease time.Duration
}

// Open opens the ledger at url, sqlite:PATH or postgres://…, and brings it up to
// date. durable: what was committed outlives a crash of the machine; claims need it.
// Its errors are those of package db.
func Open(ctx context.Context, url string, durable bool) (*Ledger, error) {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	d, err := db.Open(ctx, url, db.Options{Migrations: sub, Table: "outrider_versions", Durable: durable})
	if err != nil {
		return nil, fmt.Errorf("open the ledger: %w", err)
	}
	l := &Ledger{db: d, lease: LeaseTime}
	if l.host, err = os.Hostname(); err != nil {
		l.host = "unknown"
	}
	l.user = username()
	return l, nil
}

// at gives what a transaction does the store's own time.
func at(do func(ctx context.Context, tx *db.Tx, now time.Time) error) func(context.Context, *db.Tx) error {
	return func(ctx context.Context, tx *db.Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		return do(ctx, tx, now)
	}
}

// Close closes the ledger.
func (l *Ledger) Close() error { return l.db.Close() }

// Shared reports whether several hosts may use the ledger; else its claims hold on
// this machine alone.
func (l *Ledger) Shared() bool { return l.db.Kind == db.Postgres }

func username() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}
