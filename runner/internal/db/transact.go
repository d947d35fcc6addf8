package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// patience is for how long a database that cannot be had is asked again.
const patience = 10 * time.Second

// insideKey marks the context of a transaction's function.
type insideKey struct{}

// Write runs do in a transaction and commits it: on SQLite with the one write lock
// from the start, on PostgreSQL READ COMMITTED. do is called again from its begin
// when the store asks for that (a deadlock, a serialization failure) and when the
// connection was lost before the commit was sent, so it has no effect but in tx. A
// broken commit is ErrInDoubt. When ctx ends, nothing is committed.
func (d *DB) Write(ctx context.Context, do func(ctx context.Context, tx *Tx) error) error {
	if ctx.Value(insideKey{}) == d {
		return errNested
	}
	select {
	case d.writing <- struct{}{}:
		defer func() { <-d.writing }()
		return d.transact(ctx, false, do)
	case <-ctx.Done():
		return fmt.Errorf("wait for this program's other writes: %w", ctx.Err())
	}
}

// Read runs do in a transaction that only reads and takes no write lock. What one
// statement sees is consistent; on PostgreSQL a later one may see more. do is
// called again as in Write.
func (d *DB) Read(ctx context.Context, do func(ctx context.Context, tx *Tx) error) error {
	if ctx.Value(insideKey{}) == d {
		return errNested
	}
	return d.transact(ctx, true, do)
}

// errNested: it would wait for its own connection for ever.
var errNested = errors.New("a transaction of a database inside of another of the same")

func (d *DB) transact(ctx context.Context, read bool, do func(ctx context.Context, tx *Tx) error) error {
	err := func() error {
		d.using.RLock()
		defer d.using.RUnlock()
		if d.damaged != nil {
			return d.damaged
		}
		return persist(ctx, func() (bool, error) {
			again, err := d.connected(ctx, func(conn *sql.Conn) error { return d.once(ctx, conn, read, do) })
			return again && !errors.Is(err, ErrInDoubt), err
		})
	}()
	if d.aside != nil && errors.Is(err, ErrCorrupt) {
		return d.giveUp(err)
	}
	return err
}

// once tries a transaction.
func (d *DB) once(ctx context.Context, conn *sql.Conn, read bool, do func(ctx context.Context, tx *Tx) error) error {
	if !read {
		defer d.turn(ctx)()
	}
	tx, err := d.begin(ctx, conn, &sql.TxOptions{ReadOnly: read})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	inside := context.WithValue(ctx, insideKey{}, d)
	if d.Kind == SQLite && !read {
		// Nothing waits from here on, and to watch ctx costs a goroutine a statement.
		inside = context.WithoutCancel(inside)
	}
	err = do(inside, &Tx{kind: d.Kind, at: d.at, sql: tx, read: read})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil || read {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", inDoubt(d.at, err))
	}
	return nil
}

// connected runs do on a connection, says what its error means, and reports
// whether another try of all of it may help.
func (d *DB) connected(ctx context.Context, do func(conn *sql.Conn) error) (again bool, err error) {
	conn, err := d.sql.Conn(ctx)
	if err != nil {
		return transient(err), explain(d.at, err)
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	err = do(conn)
	if err == nil {
		return false, nil
	}
	gone := lost(conn)
	if readOnlyServer(err) {
		// A standby, or a server that was the primary: another connection may lead to
		// the one that is now.
		_ = conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	err = explain(d.at, err)
	if gone && ctx.Err() == nil && !stated(err) {
		err = &fault{kind: ErrUnreachable, at: d.at, why: "the connection was lost", err: err}
	}
	return gone || transient(err), err
}

// lost reports whether the connection is gone.
func lost(conn *sql.Conn) bool {
	gone := false
	err := conn.Raw(func(c any) error {
		if c, ok := c.(interface{ IsClosed() bool }); ok {
			gone = c.IsClosed()
		}
		return nil
	})
	return gone || errors.Is(err, driver.ErrBadConn)
}

// persist calls try until no other try may help, ctx ends, or patience has passed
// since it failed first.
func persist(ctx context.Context, try func() (again bool, err error)) error {
	var wait *backoff.ExponentialBackOff
	var failed time.Time
	for {
		again, err := try()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil && !errors.Is(err, ErrInDoubt):
			if errors.Is(err, ctx.Err()) {
				return err
			}
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case !again:
			return err
		}
		if wait == nil {
			failed, wait = time.Now(), backoff.NewExponentialBackOff()
			wait.InitialInterval, wait.MaxInterval = 20*time.Millisecond, time.Second
			wait.Reset()
		}
		pause := wait.NextBackOff()
		if time.Since(failed)+pause > patience {
			return fmt.Errorf("%w (tried for %s)", err, time.Since(failed).Round(time.Second))
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}
