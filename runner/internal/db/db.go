// Package db is a database of Outrider's own, on SQLite or on PostgreSQL: how it
// is opened, brought up to date, asked for the time and written to. It knows no
// table; who keeps what in it brings the migrations (the ledger, the checker).
//
// Statements are written once, with ? for every argument, in the SQL that both
// have in common; Kind tells where they differ.
package db

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
)

// Kind is a store.
type Kind string

// The two stores.
const (
	SQLite   Kind = "sqlite"
	Postgres Kind = "postgres"
)

// What is wrong with a database, to be told apart with errors.Is.
var (
	// ErrNewer: a newer program has written it.
	ErrNewer = errors.New("the database is newer than this program")
	// ErrUnreachable: it cannot be had now; a later try may help.
	ErrUnreachable = errors.New("the database cannot be reached")
	// ErrCorrupt: what is there is no database, or no longer one.
	ErrCorrupt = errors.New("the database is damaged")
	// ErrRefused: it cannot be written: read-only, no room left, no permission.
	ErrRefused = errors.New("the database cannot be written")
)

// Options say how a database is opened.
type Options struct {
	// Migrations holds NUMBER_name.sql, forward only, in a folder sqlite and in one
	// postgres.
	Migrations fs.FS
	// Table names the table that notes which of them have run.
	Table string
	// Durable: a commit is on the disk when it returns. Else the last commits may
	// be lost when the machine, not the program, dies.
	Durable bool
}

// DB is an open database.
type DB struct {
	Kind Kind
	sql  *sql.DB
}

// Tx is a transaction, or one connection outside of one.
type Tx struct {
	kind Kind
	to   interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
}
