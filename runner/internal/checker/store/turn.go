package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// ErrTurnLost: the turn is over, another checker may be at work. Nothing was written.
var ErrTurnLost = errors.New("the turn is over: another checker has taken it, since it was not renewed in time")

// Turn is the right to make a pass, which one checker has at a time. On SQLite it holds
// a lock on a file as long as its process lives; on PostgreSQL it ends, by the server's
// clock, when it is not renewed.
type Turn struct {
	s    *Store
	ttl  time.Duration
	lock *flock.Flock // on SQLite
	// token is that of meta as long as the turn is this one.
	token int64
	// changes is meta.changes when it began.
	changes int64
	// commits are those that took place.
	commits int
	// over: it was given up.
	over atomic.Bool
}

// Begin takes the turn for ttl; ok is false where another checker has it. State is loaded
// after that.
func (s *Store) Begin(ctx context.Context, ttl time.Duration) (turn *Turn, ok bool, err error) {
	t := &Turn{s: s, ttl: ttl}
	if s.db.Kind == db.SQLite {
		t.lock = flock.New(s.file+".pass", flock.SetPermissions(0o600))
		if ok, err := t.lock.TryLock(); err != nil || !ok {
			return nil, false, wrap("take the turn", err)
		}
	}
	err = s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		var state int
		var until int64
		err = tx.QueryRow(ctx, `SELECT state, changes, token, until FROM outrider_checker_meta`).Scan(&state, &t.changes, &t.token, &until)
		if err != nil {
			return err
		}
		if err := known("the checker's state", state, checker.Version); err != nil {
			return err
		}
		if ok = t.lock != nil || until <= now.UnixMilli(); !ok {
			return nil
		}
		t.token++
		_, err = tx.Exec(ctx, `UPDATE outrider_checker_meta SET token = ?, holder = ?, until = ?`, t.token, holder(), now.Add(ttl).UnixMilli())
		return err
	})
	if err != nil || !ok {
		return nil, false, wrap("take the turn", errors.Join(err, t.unlock()))
	}
	return t, true, nil
}

// Renew keeps the turn for another ttl. Its error is ErrTurnLost where that is too late.
func (t *Turn) Renew(ctx context.Context) error {
	return wrap("renew the turn", t.s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := t.held(ctx, tx); err != nil {
			return err
		}
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE outrider_checker_meta SET until = ?`, now.Add(t.ttl).UnixMilli())
		return err
	}))
}

// End gives the turn up. One that is lost is over already. On SQLite it is the lock that
// counts, and nothing is written.
func (t *Turn) End(ctx context.Context) error {
	t.over.Store(true)
	if t.lock != nil {
		return wrap("give up the turn", t.unlock())
	}
	err := t.s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE outrider_checker_meta SET token = token + 1, holder = '', until = 0 WHERE token = ?`, t.token)
		return err
	})
	return wrap("give up the turn", err)
}

// held refuses what is done in a turn that is over.
func (t *Turn) held(ctx context.Context, tx *db.Tx) error {
	var token int64
	if err := tx.QueryRow(ctx, `SELECT token FROM outrider_checker_meta`).Scan(&token); err != nil {
		return err
	}
	if token != t.token || t.over.Load() {
		return ErrTurnLost
	}
	return nil
}

func (t *Turn) unlock() error {
	if t.lock == nil {
		return nil
	}
	return t.lock.Unlock()
}

func holder() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return text(host + ":" + strconv.Itoa(os.Getpid()))
}

// known refuses what a newer program has stored.
func known(what string, stored, version int) error {
	if stored > version {
		return fmt.Errorf("%w: %s has version %d, and this program knows up to %d: update outrider-checker", db.ErrNewer, what, stored, version)
	}
	return nil
}

// wrap says what failed.
func wrap(what string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return err
}
