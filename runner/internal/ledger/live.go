package ledger

import (
	"context"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/runner/internal/state"
)

// life is what tells whether a run's host lives: a file that it keeps locked, or
// the end of its lease.
type life struct {
	file  string
	until int64
}

func (l *Ledger) lives(of life, now time.Time) bool {
	if l.Shared() {
		return of.until >= now.UnixMilli()
	}
	return state.Held(of.file)
}

// lose takes a run for dead: its claims are free, and what its host says of it from
// now on is late.
func lose(ctx context.Context, tx *db.Tx, id string, now time.Time) error {
	_, err := tx.Exec(ctx, `UPDATE outrider_runs SET state = ?, code = 'lost', message = 'its host is gone', ended_at = ?, epoch = epoch + 1
		WHERE id = ? AND state IN ('waiting', 'running')`, string(run.Lost), now.UnixMilli(), id)
	if err != nil {
		return err
	}
	return release(ctx, tx, id)
}

// release gives all claims of a run back, and its place in line.
func release(ctx context.Context, tx *db.Tx, id string) error {
	if err := giveBack(ctx, tx, id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM outrider_tickets WHERE run = ? AND keep = 0`, id)
	return err
}

// giveBack is release for who stands in no line.
func giveBack(ctx context.Context, tx *db.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM outrider_claims WHERE run = ?`, id)
	return err
}

// Reconcile takes every run for lost whose host is gone, and tells how many.
func (l *Ledger) Reconcile(ctx context.Context) (n int, err error) {
	err = l.db.Write(ctx, at(func(ctx context.Context, tx *db.Tx, now time.Time) error {
		n = 0
		dead, err := l.dead(ctx, tx, now)
		if err != nil {
			return err
		}
		for _, id := range dead {
			if err := lose(ctx, tx, id, now); err != nil {
				return err
			}
			n++
		}
		return nil
	}))
	return n, err
}

// dead lists the runs that are open and whose host is gone.
func (l *Ledger) dead(ctx context.Context, tx *db.Tx, now time.Time) (dead []string, err error) {
	rows, err := tx.Query(ctx, `SELECT id, live, lease_until FROM outrider_runs WHERE state IN ('waiting', 'running')`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		var of life
		if err := rows.Scan(&id, &of.file, &of.until); err != nil {
			return nil, err
		}
		if !l.lives(of, now) {
			dead = append(dead, id)
		}
	}
	return dead, rows.Err()
}
