package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// Tx is a transaction. It is used by one goroutine at a time and not after the
// function that was given it has returned.
type Tx struct {
	kind Kind
	at   string
	sql  *sql.Tx
	read bool
}

// Kind is the store.
func (t *Tx) Kind() Kind { return t.kind }

// Exec runs a statement and returns how many rows it changed.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	if t.read {
		return 0, errors.New("a statement that writes in a Read")
	}
	res, err := t.sql.ExecContext(ctx, t.rebind(query), args...)
	if err != nil {
		return 0, explain(t.at, err)
	}
	return res.RowsAffected()
}

// Query runs a statement that returns rows. They are closed before the next
// statement.
func (t *Tx) Query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := t.sql.QueryContext(ctx, t.rebind(query), args...)
	return rows, explain(t.at, err)
}

// QueryRow runs a statement that returns at most one row. Errors come out of Scan
// as the driver has them; Write and Read map them when they are returned.
func (t *Tx) QueryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return t.sql.QueryRowContext(ctx, t.rebind(query), args...)
}

// Now is the store's clock in UTC, cut to milliseconds: of the server for
// PostgreSQL, at this moment and not at the transaction's begin, of this host
// for SQLite.
func (t *Tx) Now(ctx context.Context) (time.Time, error) {
	if t.kind == SQLite {
		return time.Now().UTC().Truncate(time.Millisecond), nil
	}
	var now time.Time
	if err := t.QueryRow(ctx, "select clock_timestamp()").Scan(&now); err != nil {
		return time.Time{}, fmt.Errorf("ask for the time: %w", explain(t.at, err))
	}
	return now.UTC().Truncate(time.Millisecond), nil
}

// Lock waits until no other transaction holds name and holds it until the
// transaction ends. Names share a space of 64 bits with whatever else takes
// advisory locks in that database. On SQLite a write is alone anyway.
func (t *Tx) Lock(ctx context.Context, name string) error {
	if t.kind == SQLite {
		return nil
	}
	if _, err := t.Exec(ctx, "select pg_advisory_xact_lock(?)", lockKey(name)); err != nil {
		return fmt.Errorf("wait for the lock %s: %w", name, err)
	}
	return nil
}

// lockKey is the number that stands for a name among PostgreSQL's advisory locks.
func lockKey(name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(schema + "/" + name)) // a hash takes all
	return int64(h.Sum64())
}

// rebind writes arguments as the store has them. No statement of ours has a
// question mark in its text.
func (t *Tx) rebind(query string) string {
	if t.kind == SQLite {
		return query
	}
	var b strings.Builder
	b.WriteString(primary)
	for n := 1; ; n++ {
		before, after, found := strings.Cut(query, "?")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteString("$" + strconv.Itoa(n))
		query = after
	}
}
