package ledger

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
)

const (
	// pruneBatch is how many runs one transaction removes: few enough that nobody who
	// starts a run waits long for it.
	pruneBatch = 200
	// prunePause is left between two, longer than the gap between two looks of a
	// SQLite connection that waits for the write lock (25 ms at most): whoever waits
	// comes first.
	prunePause = 30 * time.Millisecond
)

// Prune removes ended runs that ended before a time, and what belongs to them, until
// none is left or ctx ends. A run whose success a once-key stands for stays, or what
// must not be done twice would be done again. removed is called with the ids of each
// batch, so that files can follow.
func (l *Ledger) Prune(ctx context.Context, before time.Time, removed func(ids []string)) (n int, err error) {
	for from := (oldest{}); ; {
		// What to remove is looked for beside the writes of others.
		found, err := l.oldest(ctx, from, before, pruneBatch)
		if err != nil {
			return n, fmt.Errorf("prune runs: %w", err)
		}
		if len(found) == 0 {
			return n, nil
		}
		gone, err := l.Remove(ctx, idsOf(found))
		if err != nil {
			return n, err
		}
		if n += len(gone); len(gone) > 0 {
			removed(gone)
		}
		from = found[len(found)-1]
		if err := rest(ctx); err != nil {
			return n, err
		}
	}
}

// PruneOldest removes, of the oldest ended runs, those that pick wants of each batch,
// until it wants none or ctx ends. The same stay as with Prune.
func (l *Ledger) PruneOldest(ctx context.Context, pick func(ids []string) []string, removed func(ids []string)) error {
	for {
		found, err := l.oldest(ctx, oldest{}, time.UnixMilli(math.MaxInt64), pruneBatch)
		if err != nil {
			return fmt.Errorf("prune runs: %w", err)
		}
		gone, err := l.Remove(ctx, pick(idsOf(found)))
		if err != nil || len(gone) == 0 {
			return err
		}
		removed(gone)
		if err := rest(ctx); err != nil {
			return err
		}
	}
}

func rest(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(prunePause):
		return nil
	}
}

// Prunable lists what Prune would remove, the oldest first, at most limit; 0: all.
func (l *Ledger) Prunable(ctx context.Context, before time.Time, limit int) ([]string, error) {
	found, err := l.oldest(ctx, oldest{}, before, limit)
	if err != nil {
		return nil, fmt.Errorf("look for what to prune: %w", err)
	}
	return idsOf(found), nil
}

// oldest is an ended run in the order in which they go.
type oldest struct {
	ended int64
	id    string
}

func idsOf(all []oldest) []string {
	var ids []string
	for _, o := range all {
		ids = append(ids, o.id)
	}
	return ids
}

// prunable is the condition of a run that may go.
const prunable = `ended_at > 0 AND NOT EXISTS
	(SELECT 1 FROM outrider_resources WHERE result = outrider_runs.id AND result <> '' AND name LIKE 'once:%')`

// oldest lists prunable runs that come behind from and ended before a time.
func (l *Ledger) oldest(ctx context.Context, from oldest, before time.Time, limit int) (all []oldest, err error) {
	if limit <= 0 {
		limit = math.MaxInt32
	}
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		all = nil
		rows, err := tx.Query(ctx, `SELECT ended_at, id FROM outrider_runs WHERE `+prunable+` AND ended_at < ? AND ended_at >= ?
			AND (ended_at > ? OR id > ?) ORDER BY ended_at, id LIMIT ?`, before.UnixMilli(), from.ended, from.ended, from.id, limit)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var o oldest
			if err := rows.Scan(&o.ended, &o.id); err != nil {
				return err
			}
			all = append(all, o)
		}
		return rows.Err()
	})
	return all, err
}

// Remove removes those of the runs that have ended and that no once-key stands for,
// with what belongs to them. It is for few at a time: it is one transaction.
func (l *Ledger) Remove(ctx context.Context, ids []string) (gone []string, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	err = l.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		gone, err = texts(ctx, tx, `SELECT id FROM outrider_runs WHERE `+prunable+` AND id`+in(ids), anys(ids)...)
		if err != nil || len(gone) == 0 {
			return err
		}
		for _, where := range []string{
			`outrider_labels WHERE run`, `outrider_links WHERE run`, `outrider_artifacts WHERE run`, `outrider_claims WHERE run`,
			`outrider_resources WHERE result <> '' AND result`, `outrider_runs WHERE id`,
		} {
			if _, err := tx.Exec(ctx, `DELETE FROM `+where+in(gone), anys(gone)...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("remove runs: %w", err)
	}
	return gone, nil
}

// PruneKeys removes what nobody has claimed since before: locks, keys without a
// success, and places in line that were not taken up again. Pools stay, which somebody
// has set. Who claims one at the same moment has changed its row, or makes it anew.
func (l *Ledger) PruneKeys(ctx context.Context, before time.Time) error {
	const old = `name NOT LIKE 'pool:%' AND result = '' AND used < ?
		AND NOT EXISTS (SELECT 1 FROM outrider_claims WHERE resource = name)`
	for last := ""; ; {
		var names []string
		err := l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
			names, err = texts(ctx, tx, `SELECT name FROM outrider_resources WHERE name > ? AND `+old+` ORDER BY name LIMIT ?`,
				last, before.UnixMilli(), pruneBatch)
			return err
		})
		if err == nil {
			err = l.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
				if len(names) == 0 {
					_, err := tx.Exec(ctx, `DELETE FROM outrider_tickets WHERE keep > 0 AND keep < ?`, before.UnixMilli())
					return err
				}
				_, err := tx.Exec(ctx, `DELETE FROM outrider_resources WHERE `+old+` AND name`+in(names), append([]any{before.UnixMilli()}, anys(names)...)...)
				return err
			})
		}
		if err != nil {
			return fmt.Errorf("prune keys: %w", err)
		}
		if len(names) == 0 {
			return nil
		}
		last = names[len(names)-1]
		if err := rest(ctx); err != nil {
			return err
		}
	}
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

// Used is how many runs are recorded and how many bytes they take, without what
// removed ones took: a store keeps that room for new ones. On PostgreSQL the bytes
// are judged by the newest runs.
func (l *Ledger) Used(ctx context.Context) (runs, bytes int64, err error) {
	query := `SELECT (SELECT count(*) FROM outrider_runs), (page_count - freelist_count) * page_size
		FROM pragma_page_count(), pragma_page_size(), pragma_freelist_count()`
	if l.Shared() {
		// A row of an index is some tens of bytes, and a run has rows in about ten.
		query = `SELECT n, (n * (size + 400))::bigint FROM (SELECT count(*) AS n FROM outrider_runs) a, (SELECT coalesce(avg(pg_column_size(r.*)), 0) AS size
			FROM (SELECT * FROM outrider_runs ORDER BY id DESC LIMIT 500) r) b`
	}
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error { return tx.QueryRow(ctx, query).Scan(&runs, &bytes) })
	if err != nil {
		err = fmt.Errorf("measure the ledger: %w", err)
	}
	return runs, bytes, err
}
