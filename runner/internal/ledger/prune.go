package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// pruneBatch is how many runs one transaction removes: few enough that nobody who
// starts a run waits for it.
const pruneBatch = 200

// Prune removes ended runs that ended before a time, and what belongs to them, until
// none is left or ctx ends. A run whose success a once-key stands for stays, or what
// must not be done twice would be done again. removed is called with the ids of each
// batch, so that files can follow.
func (l *Ledger) Prune(ctx context.Context, before time.Time, removed func(ids []string)) (n int, err error) {
	for {
		ids, err := l.pruneSome(ctx, before)
		if err != nil {
			return n, fmt.Errorf("prune runs: %w", err)
		}
		if n += len(ids); len(ids) > 0 {
			removed(ids)
		}
		if len(ids) < pruneBatch {
			return n, nil
		}
		select {
		case <-ctx.Done():
			return n, context.Cause(ctx)
		case <-time.After(5 * time.Millisecond): // others come first
		}
	}
}

// Prunable lists what Prune would remove, the oldest first, at most limit.
func (l *Ledger) Prunable(ctx context.Context, before time.Time, limit int) (ids []string, err error) {
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		ids, err = prunable(ctx, tx, before, limit)
		return err
	})
	return ids, err
}

func prunable(ctx context.Context, tx *db.Tx, before time.Time, limit int) (ids []string, err error) {
	rows, err := tx.Query(ctx, `SELECT id FROM outrider_runs WHERE ended_at > 0 AND ended_at < ?
		AND NOT EXISTS (SELECT 1 FROM outrider_resources WHERE result = outrider_runs.id AND result <> '' AND name LIKE 'once:%')
		ORDER BY ended_at LIMIT ?`, before.UnixMilli(), limit)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (l *Ledger) pruneSome(ctx context.Context, before time.Time) (ids []string, err error) {
	err = l.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if ids, err = prunable(ctx, tx, before, pruneBatch); err != nil || len(ids) == 0 {
			return err
		}
		var args []any
		for _, id := range ids {
			args = append(args, id)
		}
		in := ` IN (?` + strings.Repeat(", ?", len(args)-1) + `)`
		for _, where := range []string{
			`outrider_labels WHERE run`, `outrider_links WHERE run`, `outrider_artifacts WHERE run`, `outrider_claims WHERE run`,
			`outrider_resources WHERE result`, `outrider_runs WHERE id`,
		} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+where+in, args...); err != nil {
				return err
			}
		}
		_, err := tx.Exec(ctx, `DELETE FROM outrider_tickets WHERE keep > 0 AND keep < ?`, before.UnixMilli())
		return err
	})
	return ids, err
}

// Bytes is how much the ledger takes on the disk of its store.
func (l *Ledger) Bytes(ctx context.Context) (n int64, err error) {
	query := `SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()`
	if l.Shared() {
		query = `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c WHERE c.relname LIKE 'outrider\_%' AND c.relkind = 'r'`
	}
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error { return tx.QueryRow(ctx, query).Scan(&n) })
	return n, err
}
