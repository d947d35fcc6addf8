package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// ErrAmbiguous: several runs have ids that begin so.
var ErrAmbiguous = errors.New("several runs begin so")

// Host is the name under which this machine's runs are recorded.
func (l *Ledger) Host() string { return l.host }

// User is the name of this user in what is recorded; it may be unknown.
func (l *Ledger) User() string { return l.user }

// idLength is that of a ULID.
const idLength = 26

// Find returns the run whose id begins with start, in upper or lower case. Its errors
// are ErrNoRun, which names the run whose result start took if it is such a call,
// and ErrAmbiguous, which names some.
func (l *Ledger) Find(ctx context.Context, start string) (r Run, err error) {
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err = find(ctx, tx, strings.ToUpper(start))
		return err
	})
	return r, err
}

func find(ctx context.Context, tx *db.Tx, start string) (Run, error) {
	if start == "" || len(start) > idLength || strings.Trim(start, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return Run{}, fmt.Errorf("%w: %q is no id", ErrNoRun, start)
	}
	low, high := bounds(start)
	found, err := list(ctx, tx, `SELECT `+columns+` FROM outrider_runs WHERE id >= ? AND id <= ? ORDER BY id DESC LIMIT 4`, low, high)
	switch {
	case err != nil:
		return Run{}, err
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var ids []string
		for _, r := range found {
			ids = append(ids, r.ID)
		}
		return Run{}, fmt.Errorf("%w as %s: %s …", ErrAmbiguous, start, strings.Join(ids, ", "))
	}
	var call, kind, of string
	err = tx.QueryRow(ctx, `SELECT id, kind, run FROM outrider_links WHERE id >= ? AND id <= ? ORDER BY id LIMIT 1`, low, high).Scan(&call, &kind, &of)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Run{}, fmt.Errorf("%w: %s", ErrNoRun, start)
	case err != nil:
		return Run{}, err
	}
	return Run{}, fmt.Errorf("%w: %s was a call that ran nothing and took the result of run %s (%s)", ErrNoRun, call, of, kind)
}

// bounds are the first and the last id that begin so. They hold in any collation,
// since ids are digits and upper-case letters alone.
func bounds(start string) (low, high string) {
	rest := idLength - len(start)
	return start + strings.Repeat("0", rest), start + strings.Repeat("Z", rest)
}

// Known tells which of these ids are of recorded runs.
func (l *Ledger) Known(ctx context.Context, ids []string) (known map[string]bool, err error) {
	known = map[string]bool{}
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		for ; len(ids) > 0; ids = ids[min(len(ids), pruneBatch):] {
			some := ids[:min(len(ids), pruneBatch)]
			found, err := texts(ctx, tx, `SELECT id FROM outrider_runs WHERE id`+in(some), anys(some)...)
			if err != nil {
				return err
			}
			for _, id := range found {
				known[id] = true
			}
		}
		return nil
	})
	return known, err
}

// Gone is how many runs go on by their record while their host is gone. It only
// looks; Reconcile takes them for lost.
func (l *Ledger) Gone(ctx context.Context) (n int, err error) {
	err = l.db.Read(ctx, at(func(ctx context.Context, tx *db.Tx, now time.Time) error {
		dead, err := l.dead(ctx, tx, now)
		n = len(dead)
		return err
	}))
	return n, err
}

// texts reads a column.
func texts(ctx context.Context, tx *db.Tx, query string, args ...any) ([]string, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

// in is the SQL for being one of ids, which are not none.
func in(ids []string) string { return ` IN (?` + strings.Repeat(", ?", len(ids)-1) + `)` }

func anys(ids []string) []any {
	all := make([]any, len(ids))
	for i, id := range ids {
		all[i] = id
	}
	return all
}
