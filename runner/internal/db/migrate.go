package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// querier is what a connection and a transaction have in common.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// migrations finds a store's migrations and the number of the newest.
func migrations(of fs.FS, kind Kind) (newest int64, sub fs.FS, err error) {
	own, err := fs.Sub(of, string(kind))
	if err != nil {
		return 0, nil, err
	}
	sub = layers{own, of}
	names, err := fs.ReadDir(sub, ".")
	if err != nil {
		return 0, nil, fmt.Errorf("migrations: %w", err)
	}
	for _, entry := range names {
		number, _, _ := strings.Cut(entry.Name(), "_")
		n, err := strconv.ParseInt(number, 10, 32) // as much as a SQLite file notes
		if err != nil || n < 1 {
			return 0, nil, fmt.Errorf("migration %s for %s does not begin with its number", entry.Name(), kind)
		}
		newest = max(newest, n)
	}
	if newest == 0 {
		return 0, nil, fmt.Errorf("no migrations for %s", kind)
	}
	return newest, sub, nil
}

// layers are a store's own migrations and, in the folder above, those of both.
type layers struct{ own, both fs.FS }

func (l layers) Open(name string) (fs.File, error) {
	f, err := l.own.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return l.both.Open(name)
	}
	return f, err
}

// ReadDir lists the files of both folders.
func (l layers) ReadDir(name string) (all []fs.DirEntry, err error) {
	for _, from := range []fs.FS{l.own, l.both} {
		entries, err := fs.ReadDir(from, name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, nil
}

// tooNew refuses a database that a newer program has migrated.
func tooNew(at string, version, newest int64) error {
	if version <= newest {
		return nil
	}
	return &fault{kind: ErrNewer, at: at, why: fmt.Sprintf("it has version %d, this program knows %d:"+
		" install the program that migrated it, or a later one, here too, or name another database", version, newest)}
}

// migrate runs what is missing on conn, inside of the transaction that is open
// there, so that all of it takes place or nothing. Who else would migrate waits
// for that transaction.
func migrate(ctx context.Context, conn *sql.Conn, kind Kind, sub fs.FS, table string) (err error) {
	raw := conn.Raw(func(c any) error {
		// Not returned: for a bad connection Raw would wait for the end of its own
		// transaction to close it.
		err = up(ctx, c, kind, sub, table)
		return nil
	})
	return errors.Join(err, raw)
}

func up(ctx context.Context, conn any, kind Kind, sub fs.FS, table string) error {
	inner, ok := conn.(statements)
	if !ok {
		return fmt.Errorf("the driver's %T takes no statements", conn)
	}
	dialect, prefix := goose.DialectSQLite3, ""
	if kind == Postgres {
		dialect, prefix = goose.DialectPostgres, primary
	}
	pool := sql.OpenDB(nested{inner, prefix})
	pool.SetMaxOpenConns(1)
	defer pool.Close() //nolint:errcheck // there is nothing to close
	p, err := goose.NewProvider(dialect, pool, sub, goose.WithTableName(table), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// statements is what a driver's connection has to offer.
type statements interface {
	driver.ExecerContext
	driver.QueryerContext
}

// nested is a connection inside of an open transaction: a transaction on it is a
// savepoint. goose would otherwise commit after each migration, and the lock that
// keeps other processes away would be gone.
type nested struct {
	on statements
	// prefix is written before each statement.
	prefix string
}

func (n nested) Connect(context.Context) (driver.Conn, error) { return n, nil }
func (n nested) Driver() driver.Driver                        { return nil }
func (n nested) Close() error                                 { return nil }
func (n nested) Begin() (driver.Tx, error)                    { return nil, errors.ErrUnsupported }
func (n nested) Prepare(string) (driver.Stmt, error)          { return nil, errors.ErrUnsupported }

func (n nested) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return n.on.ExecContext(ctx, n.prefix+query, args)
}

func (n nested) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return n.on.QueryContext(ctx, n.prefix+query, args)
}

func (n nested) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	_, err := n.ExecContext(ctx, "savepoint migration", nil)
	return savepoint{context.WithoutCancel(ctx), n}, err
}

type savepoint struct {
	ctx context.Context
	on  nested
}

func (s savepoint) Commit() error {
	_, err := s.on.ExecContext(s.ctx, "release savepoint migration", nil)
	return err
}

func (s savepoint) Rollback() error {
	_, err := s.on.ExecContext(s.ctx, "rollback to savepoint migration", nil)
	return err
}
