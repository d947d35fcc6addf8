package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// fault is what is wrong with a database, in words for who runs it.
type fault struct {
	kind error  // one of the package's errors
	at   string // which database
	why  string
	err  error // what the driver says; may be nil
}

func (f *fault) Error() string {
	text := f.kind.Error() + ": " + f.at
	if f.why != "" {
		text += ": " + f.why
	}
	if f.err != nil {
		text += ": " + f.err.Error()
	}
	return text
}

func (f *fault) Unwrap() []error {
	if f.err == nil {
		return []error{f.kind}
	}
	return []error{f.kind, f.err}
}

// stated reports whether err says already what is wrong with the database.
func stated(err error) bool {
	for _, kind := range []error{ErrNewer, ErrUnreachable, ErrCorrupt, ErrRefused, ErrInDoubt} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// explain says what a driver's error means. Other errors stay as they are.
func explain(at string, err error) error {
	if err == nil || stated(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	why, kind := meaning(err)
	if kind == nil {
		return err
	}
	return &fault{kind: kind, at: at, why: why, err: err}
}

// inDoubt says what the error of a commit means. Where SQLite could write and not
// sync, a later reader may yet find the commit.
func inDoubt(at string, err error) error {
	lite, ok := errors.AsType[*sqlite.Error](err)
	err = explain(at, err)
	if ok && lite.Code()&0xff == sqlite3.SQLITE_IOERR {
		return fmt.Errorf("%w: %w", ErrInDoubt, err)
	}
	return err
}

// meaning is what a driver's error means; kind is nil when it is about a statement
// and not about the database.
func meaning(err error) (why string, kind error) {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		return liteMeaning(lite.Code())
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pgMeaning(pg)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return "", ErrUnreachable
	}
	if errors.Is(err, fs.ErrPermission) {
		return "no permission", ErrRefused
	}
	return "", nil
}

func liteMeaning(code int) (why string, kind error) {
	switch code {
	case sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_IOERR_RDLOCK, sqlite3.SQLITE_IOERR_UNLOCK,
		sqlite3.SQLITE_IOERR_CHECKRESERVEDLOCK, sqlite3.SQLITE_IOERR_SHMLOCK:
		return noLocks, ErrRefused
	case sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC,
		sqlite3.SQLITE_IOERR_TRUNCATE, sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP:
		return "its disk takes no more: see that there is room and that it is sound", ErrRefused
	}
	switch code & 0xff {
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		return "", ErrCorrupt
	case sqlite3.SQLITE_BUSY:
		return "another process has been writing to it all the time", ErrUnreachable
	case sqlite3.SQLITE_FULL:
		return "no room is left on its disk", ErrRefused
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN:
		return "this user must be able to write the file, the files -wal, -shm and .lock beside it, and the folder", ErrRefused
	case sqlite3.SQLITE_IOERR:
		return "its disk does not answer as it should", ErrUnreachable
	}
	return "", nil
}

func pgMeaning(e *pgconn.PgError) (why string, kind error) {
	switch {
	case e.Code == "53300":
		return "the server has no connection left: raise max_connections, or put a pooler before it", ErrUnreachable
	case e.Code == "3D000", e.Code == "42501", strings.HasPrefix(e.Code, "28"):
		return "the server does not let this user in or not do that", ErrRefused
	case e.Code == "25006":
		return "the server is read-only: a standby, perhaps after a fail-over", ErrRefused
	case e.Code == "53100":
		return "no room is left on the server's disk", ErrRefused
	case e.Code == "XX001", e.Code == "XX002":
		return "the server found damage: ask who runs it", ErrCorrupt
	case fatal(e), strings.HasPrefix(e.Code, "57P"):
		return "", ErrUnreachable
	}
	return "", nil
}

// fatal reports whether the server ended the connection with e.
func fatal(e *pgconn.PgError) bool {
	severity := e.SeverityUnlocalized
	if severity == "" {
		severity = e.Severity
	}
	return severity == "FATAL" || severity == "PANIC"
}

// readOnlyServer reports whether the server takes no writes.
func readOnlyServer(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "25006"
}

// transient reports whether another try of the whole transaction may help.
func transient(err error) bool {
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		// What SQLite's own wait does not cover: races in WAL, and the change to WAL,
		// which fails at once while another process does anything.
		return lite.Code()&0xff == sqlite3.SQLITE_PROTOCOL || lite.Code()&0xff == sqlite3.SQLITE_BUSY
	}
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		_, kind := pgMeaning(pg)
		return pg.Code == "40001" || pg.Code == "40P01" || readOnlyServer(err) || kind == ErrUnreachable //nolint:errorlint // it is one of ours
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return connecting
}
