package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

const (
	// busyPatience is for how long a write waits for those of other processes.
	busyPatience = 60 * time.Second
	// busySlice is SQLite's part of a wait, which nothing interrupts; between two of
	// them the context is asked.
	busySlice = 100 * time.Millisecond
	// checkpointPages is how large the WAL becomes. Whoever opens a file that was left
	// without Close reads all of it.
	checkpointPages = 256
	noLocks         = "its file system has no working file locks: put it on a local disk"
)

func openSQLite(ctx context.Context, path string, o Options) (*DB, error) {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///") {
		return nil, errors.New("the URL of a SQLite database is sqlite:/absolute/path")
	}
	path = filepath.Clean(path)
	newest, sub, err := migrations(o.Migrations, SQLite)
	if err != nil {
		return nil, err
	}
	lock, err := prepareFile(path)
	if err != nil {
		return nil, err
	}
	connector, err := sqlite.NewConnector(dsn(path, o.Durable))
	if err != nil {
		_ = lock.Close()
		return nil, explain(path, err)
	}
	d := &DB{Kind: SQLite, sql: sql.OpenDB(connector), at: path, lock: lock, writing: make(chan struct{}, 1)}
	// One for the write that is under way, one for a read beside it.
	d.sql.SetMaxOpenConns(2)
	d.sql.SetMaxIdleConns(2)
	file, err := os.Stat(path)
	if err == nil {
		d.aside = func() error { return d.moveAside(path, file) }
		err = persist(ctx, func() (bool, error) {
			return d.connected(ctx, func(conn *sql.Conn) error { return d.updateSQLite(ctx, conn, newest, sub, o) })
		})
	}
	switch {
	case errors.Is(err, ErrCorrupt):
		return nil, d.giveUp(err)
	case err != nil:
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// dsn is path with what each connection is to have. busy_timeout comes first, so
// that the others wait too.
func dsn(path string, durable bool) string {
	synchronous := "NORMAL"
	if durable {
		synchronous = "FULL"
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: fmt.Sprintf(
		"_busy_timeout=%d&_txlock=immediate&_foreign_keys=1&_synchronous=%s&_error_rc=1&_pragma=wal_autocheckpoint(%d)",
		busySlice.Milliseconds(), synchronous, checkpointPages)}
	return u.String()
}

// prepareFile makes the folder and the file where they are not there, for this
// user alone, and takes the lock beside the file, shared.
func prepareFile(path string) (lock *os.File, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, refused(path, err)
	}
	lock, err = os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, refused(path, err)
	}
	err = flock(lock, unix.LOCK_SH)
	if err == nil {
		err = create(path)
	}
	if err != nil {
		_ = lock.Close()
		return nil, refused(path, err)
	}
	return lock, nil
}

func refused(path string, err error) error {
	why := ""
	switch {
	case errors.Is(err, errNoLocks):
		why = noLocks
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EROFS):
		why = "this user must be able to write in its folder"
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		why = "no room is left on its disk"
	}
	return &fault{kind: ErrRefused, at: path, why: why, err: err}
}

var errNoLocks = errors.New("no working flock")

// flock takes a lock and waits for it: who holds it alone does so for moments.
func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return err
		default:
			return fmt.Errorf("%w: %w", errNoLocks, err)
		}
	}
}

// create makes an empty file, which is an empty database to SQLite. It appears by
// a link: a second descriptor of a database that this process has open must never
// be closed, since that gives up all locks of the process on it (POSIX).
func create(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it has a second name by then
	err = os.Link(f.Name(), path)
	if errors.Is(err, fs.ErrExist) {
		err = nil // another process was first
	}
	return errors.Join(err, f.Close())
}

// updateSQLite brings the file up to date: one query when it is so already.
func (d *DB) updateSQLite(ctx context.Context, conn *sql.Conn, newest int64, sub fs.FS, o Options) error {
	version, err := d.liteVersion(ctx, conn, newest, o)
	if err != nil || version == newest {
		return err
	}
	// It stays in the file, and cannot be set in a transaction.
	if _, err := conn.ExecContext(ctx, "pragma journal_mode = wal"); err != nil {
		return fmt.Errorf("set WAL: %w", err)
	}
	tx, err := d.begin(ctx, conn, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	if version, err = d.liteVersion(ctx, tx, newest, o); err != nil || version == newest {
		return err // another process was first
	}
	if err := migrate(ctx, conn, SQLite, sub, o.Table); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, fmt.Sprintf("pragma application_id = %d; pragma user_version = %d", applicationID(o.Table), newest))
	if err != nil {
		return fmt.Errorf("set the version: %w", err)
	}
	return tx.Commit()
}

// liteVersion is how far the file is migrated, 0 when it is new. One that is not
// ours, or newer, is an error.
func (d *DB) liteVersion(ctx context.Context, from querier, newest int64, o Options) (version int64, err error) {
	var id, tables int64
	if err := from.QueryRowContext(ctx, "pragma application_id").Scan(&id); err != nil {
		return 0, err
	}
	if id == applicationID(o.Table) { // as it is nearly always, and stays
		if err := from.QueryRowContext(ctx, "pragma user_version").Scan(&version); err != nil {
			return 0, err
		}
		return version, tooNew(d.at, version, newest)
	}
	// All of one moment: another process may just be making the tables.
	err = from.QueryRowContext(ctx, "select user_version, application_id, (select count(*) from sqlite_schema)"+
		" from pragma_user_version, pragma_application_id").Scan(&version, &id, &tables)
	switch {
	case err != nil:
		return 0, err
	case tables > 0 && id != applicationID(o.Table):
		return 0, &fault{kind: ErrRefused, at: d.at, why: "it is a SQLite database of something else: give another path"}
	}
	return version, tooNew(d.at, version, newest)
}

// applicationID marks a file as of those who note their migrations in table.
func applicationID(table string) int64 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(schema + "/" + table)) // a hash takes all
	return int64(h.Sum32() &^ (1 << 31))
}

// begin waits for the write lock until ctx ends, or busyPatience has passed.
func (d *DB) begin(ctx context.Context, conn *sql.Conn, o *sql.TxOptions) (*sql.Tx, error) {
	start := time.Now()
	for {
		tx, err := conn.BeginTx(ctx, o)
		if lite, ok := errors.AsType[*sqlite.Error](err); !ok || lite.Code()&0xff != sqlite3.SQLITE_BUSY || ctx.Err() != nil {
			return tx, err
		}
		if time.Since(start) > busyPatience {
			return nil, &fault{kind: ErrUnreachable, at: d.at, why: "other processes have been writing to it for " + busyPatience.String()}
		}
	}
}
