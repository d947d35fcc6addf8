package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// schema is where the tables stand if no other is named.
	schema = "outrider"
	// primary before a statement keeps it on the primary: Pgpool-II sends a SELECT to
	// a standby, also inside of a transaction that has not yet written, where neither
	// what was just committed nor the search_path need be. Any comment does that.
	primary = "/*NO LOAD BALANCE*/ "
	// commitPatience is for how long the answer to a commit is awaited, also when
	// nobody waits for the transaction any more.
	commitPatience = 10 * time.Second
)

func openPostgres(ctx context.Context, rawURL string, o Options) (*DB, error) {
	config, at, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	newest, sub, err := migrations(o.Migrations, Postgres)
	if err != nil {
		return nil, err
	}
	// The connection is seen to be lost when it is used; to ping it first would be
	// one more round trip.
	never := stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false })
	d := &DB{Kind: Postgres, at: at, sql: sql.OpenDB(pgConnector{stdlib.GetConnector(*config, never), o.Schema}), writing: make(chan struct{}, 1)}
	d.sql.SetMaxOpenConns(1)
	d.sql.SetMaxIdleConns(1)
	d.listen = func(ctx context.Context, channel string) (<-chan struct{}, error) {
		return listen(ctx, config, at, channel)
	}
	err = persist(ctx, func() (bool, error) {
		// A commit in doubt is looked up by trying again.
		return d.connected(ctx, func(conn *sql.Conn) error { return d.updatePostgres(ctx, conn, newest, sub, o) })
	})
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// Schemas are those of a PostgreSQL database in which a table of that name stands and which
// may be used.
func Schemas(ctx context.Context, rawURL, table string) ([]string, error) {
	config, at, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", at, err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	rows, err := conn.Query(ctx, primary+`select schemaname::text from pg_tables where tablename = $1 and has_schema_privilege(schemaname, 'usage') order by 1`, table)
	if err != nil {
		return nil, fmt.Errorf("%s: list the schemas with %s: %w", at, table, err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("%s: list the schemas with %s: %w", at, table, err)
	}
	return names, nil
}

// parse reads the URL, and says which database it is without the password.
func parse(rawURL string) (config *pgx.ConnConfig, at string, err error) {
	config, err = pgx.ParseConfig(rawURL)
	if err != nil {
		// The text of the error may hold the password.
		return nil, "", errors.New("the URL of the PostgreSQL database cannot be read:" +
			" it is postgres://USER@HOST:PORT/DATABASE, with %40 for an @ in a password, %2F for a / and %25 for a %," +
			" and the files that it names (sslrootcert, service) are there")
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 0, 0
	if _, ok := config.RuntimeParams["application_name"]; !ok {
		config.RuntimeParams["application_name"] = schema
	}
	if u, err := url.Parse(rawURL); err != nil || !u.Query().Has("connect_timeout") {
		config.ConnectTimeout = patience / 2
	}
	// A server that is gone without a word is noticed within some ten seconds.
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
	config.DialFunc = dialer.DialContext
	host := config.Host
	if !strings.HasPrefix(host, "/") {
		host = net.JoinHostPort(host, strconv.Itoa(int(config.Port)))
	}
	return config, "PostgreSQL at " + host + ", database " + config.Database, nil
}

// updatePostgres brings the schema up to date: one query when it is so already.
func (d *DB) updatePostgres(ctx context.Context, conn *sql.Conn, newest int64, sub fs.FS, o Options) error {
	version, err := pgVersion(ctx, conn, o.Schema+"."+o.Table)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (pg.Code == "42P01" || pg.Code == "3F000") {
		version, err = 0, nil // no such table, no such schema
	}
	if err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	if version == newest {
		return nil
	}
	if err := tooNew(d.at, version, newest); err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if _, err := tx.ExecContext(ctx, primary+"select pg_advisory_xact_lock($1)", lockKey("migrate")); err != nil {
		return fmt.Errorf("wait for other processes that migrate: %w", err)
	}
	// Not "create … if not exists", which needs the right to create also when it is there.
	var there, table bool
	err = tx.QueryRowContext(ctx, primary+"select to_regnamespace($1) is not null, to_regclass($2) is not null",
		o.Schema, o.Schema+"."+o.Table).Scan(&there, &table)
	if err != nil {
		return fmt.Errorf("look for the schema: %w", err)
	}
	if !there {
		if _, err := tx.ExecContext(ctx, primary+"create schema "+o.Schema); err != nil {
			return fmt.Errorf("create the schema %s: %w", o.Schema, err)
		}
	}
	if table {
		version, err = pgVersion(ctx, tx, o.Schema+"."+o.Table)
		if err != nil || version == newest {
			return err // another process was first
		}
		if err := tooNew(d.at, version, newest); err != nil {
			return err
		}
	}
	if err := migrate(ctx, conn, Postgres, sub, o.Table); err != nil {
		return err
	}
	return tx.Commit()
}

func pgVersion(ctx context.Context, from querier, table string) (version int64, err error) {
	err = from.QueryRowContext(ctx, primary+"select coalesce(max(version_id), 0) from "+table).Scan(&version)
	return version, err
}

// pgConnector opens connections whose transactions find the schema.
type pgConnector struct {
	driver.Connector
	schema string
}

func (c pgConnector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	std, ok := conn.(*stdlib.Conn)
	if !ok {
		return nil, fmt.Errorf("pgx opened a %T", conn)
	}
	return pgConn{std, c.schema}, nil
}

type pgConn struct {
	*stdlib.Conn
	schema string
}

// IsClosed reports whether the connection is gone.
func (c pgConn) IsClosed() bool { return c.Conn.Conn().IsClosed() }

// BeginTx begins with two statements in one round trip. It does not say "read
// only", also where nothing will be written: what stands before the server might
// send it to a standby, which may not have what this process has just committed.
func (c pgConn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	begin := "begin isolation level read committed; set local search_path to " + c.schema
	if c.IsClosed() {
		return nil, driver.ErrBadConn
	}
	tx, err := c.Conn.Conn().BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
	if err != nil {
		return nil, err
	}
	return pgTx{context.WithoutCancel(ctx), tx}, nil
}

type pgTx struct {
	ctx context.Context
	tx  pgx.Tx
}

// Commit awaits the answer also when the context has ended, since without it
// nobody knows what took place. pgconn.SafeToRetry is not asked: of a connection
// that breaks after a simple query was sent it says that nothing was (pgx 5.12).
func (t pgTx) Commit() error {
	if t.tx.Conn().IsClosed() {
		return driver.ErrBadConn
	}
	ctx, cancel := context.WithTimeout(t.ctx, commitPatience)
	defer cancel()
	err := t.tx.Commit(ctx)
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if err == nil || errors.Is(err, pgx.ErrTxCommitRollback) || ok && !fatal(pg) {
		return err // there is an answer
	}
	return fmt.Errorf("%w: %w", ErrInDoubt, err)
}

func (t pgTx) Rollback() error {
	ctx, cancel := context.WithTimeout(t.ctx, commitPatience)
	defer cancel()
	return t.tx.Rollback(ctx)
}
