// Package db is a database of Outrider's own, on SQLite or on PostgreSQL: how it
// is opened, brought up to date, asked for the time and written to. It knows no
// table; who keeps what in it brings the migrations (the ledger, the checker).
//
// Statements are written once, with ? for every argument, in the SQL that both
// have in common; Kind tells where they differ. They name tables without a
// schema. On PostgreSQL the tables stand in a schema, outrider or Options.Schema: each transaction
// begins with SET LOCAL search_path in the same round trip, because behind
// transaction pooling neither a parameter of the session nor one of the
// connection reaches the next statement. For the same reason there are no
// prepared statements, no session locks, and every Read is a transaction too.
//
// Migrations of both stores run in one transaction, all or none, so they may
// hold nothing that cannot (VACUUM, CREATE INDEX CONCURRENTLY).
//
// Beside a SQLite file NAME stands NAME.lock, empty: whoever has the database
// open holds its flock shared, and only who holds it alone moves a damaged file
// aside. NAME.turn is empty too: its flock is the queue of those who write.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
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
	// ErrInDoubt: the connection broke while a commit was under way. Whether it
	// took place can be seen only in the database, over a new connection.
	ErrInDoubt = errors.New("it is not known whether the commit took place")
)

// Options say how a database is opened.
type Options struct {
	// Migrations holds NUMBER_name.sql in goose's notation, forward only: those of
	// both stores, and in folders sqlite and postgres what only one of them has.
	Migrations fs.FS
	// Table names the table that notes which of them have run: lower-case letters,
	// digits and _. Two users of one PostgreSQL database need two names; a SQLite
	// file has one user.
	Table string
	// Schema is where the tables stand on PostgreSQL: lower-case letters, digits and _;
	// outrider where it is empty.
	Schema string
	// Durable: a commit is on the disk when it returns. Else the last commits may
	// be lost when the machine, not the program, dies.
	Durable bool
}

// DB is an open database. It is safe for use by several goroutines.
type DB struct {
	Kind Kind
	sql  *sql.DB
	// at names the file, or server and database, in errors; no password stands in it.
	at string
	// writing holds a token while a write is under way: there is one at a time, so
	// that on SQLite a read finds a connection beside it.
	writing chan struct{}
	// using is held, shared, by transactions, and alone by what ends the database.
	using sync.RWMutex
	// damaged says that the file was found damaged, and where it is now.
	damaged error
	// aside moves a damaged file away and says where it is; nil on PostgreSQL.
	aside func() error
	// listen opens a connection that hears a channel; nil on SQLite.
	listen func(ctx context.Context, channel string) (<-chan struct{}, error)
	// lock is held, shared, while a SQLite file is open.
	lock *os.File
}

// Open opens the database that url names and brings it up to date. url is
// sqlite:/absolute/path, taken as it is, or postgres://… as libpq has it.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	if o.Table == "" || strings.Trim(o.Table, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return nil, fmt.Errorf("%q cannot name the table of migrations", o.Table)
	}
	if o.Schema == "" {
		o.Schema = schema
	}
	if strings.Trim(o.Schema, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return nil, fmt.Errorf("%q cannot name a schema", o.Schema)
	}
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "sqlite":
		return openSQLite(ctx, rest, o)
	case "postgres", "postgresql":
		return openPostgres(ctx, url, o)
	}
	return nil, errors.New("the URL of a database begins with sqlite:/ or postgres://")
}

// At names the file, or server and database; no password stands in it.
func (d *DB) At() string { return d.at }

// Close gives the connections up, when the transactions under way have ended. The
// last one on a SQLite file moves its WAL into it, which costs several fsyncs: a
// process that is about to exit may leave that to the commits of others.
func (d *DB) Close() error {
	d.using.Lock()
	defer d.using.Unlock()
	err := d.sql.Close()
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
		d.lock = nil
	}
	return err
}

// giveUp ends a damaged database: its file is moved aside, and every later
// transaction gets the same error. why is what was found.
func (d *DB) giveUp(why error) error {
	d.using.Lock()
	defer d.using.Unlock()
	if d.damaged == nil {
		d.damaged = fmt.Errorf("%w; %w", why, d.aside())
	}
	return d.damaged
}
