package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// What is asked by who watches the ledger: it costs what is on the page, however much
// is recorded.

const (
	endedFrom = ` FROM outrider_runs WHERE ended_at > 0 AND ended_at >= ? ORDER BY ended_at, id`
	nextName  = `SELECT min(component) FROM outrider_runs WHERE component > `
)

// Names lists the components, and the names of commands, of which there are runs.
func (l *Ledger) Names(ctx context.Context) (names []string, err error) {
	// It goes from one to the next by the index: a SELECT DISTINCT would look at all runs.
	const next = `WITH RECURSIVE names(name) AS (
		SELECT min(component) FROM outrider_runs
		UNION ALL SELECT (` + nextName + `names.name) FROM names WHERE names.name IS NOT NULL
	) SELECT name FROM names WHERE name IS NOT NULL`
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		names = nil
		rows, err := tx.Query(ctx, next)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			names = append(names, name)
		}
		return rows.Err()
	})
	if err != nil {
		err = fmt.Errorf("list the names of runs: %w", err)
	}
	return names, err
}

// Ended lists runs that ended at a time or later, the first that ended first, without
// their outputs, checkpoints and log tails; at most limit, 0 for all.
func (l *Ledger) Ended(ctx context.Context, from time.Time, limit int) (runs []Run, err error) {
	what := columns
	for _, long := range []string{"output", "checkpoint", "log_tail"} {
		what = strings.Replace(what, " "+long+",", " '',", 1)
	}
	query := `SELECT ` + what + endedFrom
	args := []any{from.UnixMilli()}
	if limit > 0 {
		query += ` LIMIT ?`
		args = append(args, limit)
	}
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		runs, err = list(ctx, tx, query, args...)
		return err
	})
	if err != nil {
		err = fmt.Errorf("list runs that ended: %w", err)
	}
	return runs, err
}
