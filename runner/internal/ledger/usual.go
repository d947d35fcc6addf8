package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// usualOf is how many of the last successes say what is usual.
const usualOf = 20

// Due is when the last of these holders should have ended, by what their components
// usually take: the median of their last successes. It is zero where one has none.
func (l *Ledger) Due(ctx context.Context, holders []Holder) (due time.Time, err error) {
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		due = time.Time{}
		for _, h := range holders {
			usual, err := usual(ctx, tx, h.Component)
			if err != nil {
				return fmt.Errorf("look how long %s usually takes: %w", h.Component, err)
			}
			if usual == 0 {
				due = time.Time{}
				return nil
			}
			if end := h.Since.Add(usual); end.After(due) {
				due = end
			}
		}
		return nil
	})
	return due, err
}

func usual(ctx context.Context, tx *db.Tx, component string) (time.Duration, error) {
	rows, err := tx.Query(ctx, `SELECT ended_at - started_at FROM outrider_runs WHERE component = ? AND state = 'success' ORDER BY id DESC LIMIT ?`, component, usualOf)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	var all []int64
	for rows.Next() {
		var ms int64
		if err := rows.Scan(&ms); err != nil {
			return 0, err
		}
		all = append(all, max(ms, 1))
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		return 0, err
	}
	slices.Sort(all)
	return time.Duration(all[len(all)/2]) * time.Millisecond, nil
}
