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
		return persist(ctx, func() (bool, error) { return d.once(ctx, read, do) })
	}()
	if d.aside != nil && errors.Is(err, ErrCorrupt) {
		return d.giveUp(err)
	}
	return err
}

// once tries a transaction, and reports whether another try may help.
func (d *DB) once(ctx context.Context, read bool, do func(ctx context.Context, tx *Tx) error) (again bool, err error) {
	conn, err := d.sql.Conn(ctx)
	if err != nil {
		return transient(err), explain(d.at, err)
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	tx, err := d.begin(ctx, conn, &sql.TxOptions{ReadOnly: read})
	if err != nil {
		return transient(err) || lost(conn), explain(d.at, err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit it does nothing
	err = do(context.WithValue(ctx, insideKey{}, d), &Tx{kind: d.Kind, at: d.at, sql: tx, read: read})
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		_ = tx.Rollback() // the connection is thrown away when that fails
		again = transient(err) || lost(conn)
		if again && !stated(err) {
			err = &fault{kind: ErrUnreachable, at: d.at, why: "the connection was lost", err: err}
		}
		return again, explain(d.at, err)
	}
	if read {
		return false, nil
	}
	if err := tx.Commit(); err != nil {
		return !errors.Is(err, ErrInDoubt) && transient(err), fmt.Errorf("commit: %w", explain(d.at, err))
	}
	return false, nil
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
