package ledger

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// Resource is what can be claimed, with who holds it and who waits.
type Resource struct {
	Kind    string   `json:"kind"` // lock, pool or once
	Name    string   `json:"name"`
	Slots   int64    `json:"slots"`
	Used    int64    `json:"used"`
	Holders []Holder `json:"holders"`
	Waiters []Holder `json:"waiters"`
	// Result is the run that succeeded under a key, Ended when.
	Result string    `json:"result,omitempty"`
	Ended  time.Time `json:"ended,omitzero"`
}

// Locks lists the locks that are held or waited for.
func (l *Ledger) Locks(ctx context.Context) ([]Resource, error) {
	all, err := l.resourcesOf(ctx, lockPrefix, 0)
	return keep(all, func(r Resource) bool { return len(r.Holders)+len(r.Waiters) > 0 }), err
}

// Pools lists the pools that were set.
func (l *Ledger) Pools(ctx context.Context) ([]Resource, error) {
	return l.resourcesOf(ctx, poolPrefix, 0)
}

// Keys lists the once-keys that begin so and have their success, or a run: at most
// limit, 0 for all, by name.
func (l *Ledger) Keys(ctx context.Context, prefix string, limit int) ([]Resource, error) {
	all, err := l.resourcesOf(ctx, oncePrefix+prefix, limit)
	return keep(all, func(r Resource) bool { return r.Result != "" || len(r.Holders)+len(r.Waiters) > 0 }), err
}

func keep(all []Resource, ok func(Resource) bool) []Resource {
	var kept []Resource
	for _, r := range all {
		if ok(r) {
			kept = append(kept, r)
		}
	}
	return kept
}

func (l *Ledger) resourcesOf(ctx context.Context, prefix string, limit int) (all []Resource, err error) {
	err = l.db.Read(ctx, at(func(ctx context.Context, tx *db.Tx, now time.Time) error {
		all, err = l.readResources(ctx, tx, prefix, limit, now)
		return err
	}))
	if err != nil {
		err = fmt.Errorf("list claims: %w", err)
	}
	return all, err
}

func (l *Ledger) readResources(ctx context.Context, tx *db.Tx, prefix string, limit int, now time.Time) ([]Resource, error) {
	some := `SELECT * FROM outrider_resources WHERE substr(name, 1, ?) = ?`
	args := []any{utf8.RuneCountInString(prefix), prefix}
	if limit > 0 {
		// What has neither a success nor a run would take the place of what has.
		some += ` AND (result <> '' OR EXISTS (SELECT 1 FROM outrider_claims WHERE resource = name)) ORDER BY name LIMIT ?`
		args = append(args, limit)
	}
	rows, err := tx.Query(ctx, `SELECT s.name, s.slots, s.result, coalesce(o.ended_at, 0), coalesce(c.slots, 0), coalesce(c.ticket, 0), coalesce(c.since, 0),
		coalesce(r.id, ''), coalesce(r.host, ''), coalesce(r.pid, 0), coalesce(r.live, ''), coalesce(r.lease_until, 0)
		FROM (`+some+`) s LEFT JOIN outrider_runs o ON o.id = s.result
		LEFT JOIN outrider_claims c ON c.resource = s.name LEFT JOIN outrider_runs r ON r.id = c.run
		LEFT JOIN outrider_tickets t ON t.ticket = c.ticket
		WHERE coalesce(t.keep, 0) = 0 ORDER BY s.name, t.priority DESC, c.ticket, c.since`, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []Resource
	for rows.Next() {
		var name, result string
		var slots, ended, taken, ticket, since int64
		var h Holder
		var of life
		if err := rows.Scan(&name, &slots, &result, &ended, &taken, &ticket, &since, &h.Run, &h.Host, &h.PID, &of.file, &of.until); err != nil {
			return nil, err
		}
		kind, bare, _ := strings.Cut(name, ":")
		if len(all) == 0 || all[len(all)-1].Name != bare {
			all = append(all, Resource{Kind: kind, Name: bare, Slots: slots, Result: result, Ended: moment(ended)})
		}
		r := &all[len(all)-1]
		if h.Run == "" || !l.lives(of, now) {
			continue
		}
		h.Slots, h.Since = taken, moment(since)
		if ticket > 0 {
			r.Waiters = append(r.Waiters, h)
		} else {
			r.Holders, r.Used = append(r.Holders, h), r.Used+taken
		}
	}
	return all, rows.Err()
}

// SetPool gives a pool its slots, at once for those who wait too. 0 removes it.
func (l *Ledger) SetPool(ctx context.Context, name string, slots int64) error {
	return l.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if slots == 0 {
			_, err := tx.Exec(ctx, `DELETE FROM outrider_resources WHERE name = ?`, poolPrefix+name)
			return err
		}
		now, err := tx.Now(ctx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO outrider_resources VALUES (?, ?, '', ?) ON CONFLICT (name) DO UPDATE SET slots = excluded.slots`,
			poolPrefix+name, slots, now.UnixMilli())
		return err
	})
}

// Forget drops the success of a once-key, so that the next call runs. It is false
// when the key has none.
func (l *Ledger) Forget(ctx context.Context, key string) (had bool, err error) {
	err = l.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE outrider_resources SET result = '' WHERE name = ? AND result <> ''`, oncePrefix+key)
		had = n > 0
		return err
	})
	return had, err
}

// ForgetTask forgets the successes of an engine's task under its default keys, whatever
// it ran, and returns the keys.
func (l *Ledger) ForgetTask(ctx context.Context, c Caller) (keys []string, err error) {
	begin, err := taskKeys(c)
	if err != nil {
		return nil, err
	}
	all, err := l.Keys(ctx, begin, 0)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		had, err := l.Forget(ctx, r.Name)
		if err != nil {
			return keys, err
		}
		if had {
			keys = append(keys, r.Name)
		}
	}
	return keys, nil
}

// ReleaseLock takes a lock from whoever holds it, and says why. Those are lost: their
// hosts end them as soon as they see it; what they do until then is no longer
// protected, and their ends are kept as late results.
func (l *Ledger) ReleaseLock(ctx context.Context, name, why string) (from []string, err error) {
	err = l.db.Write(ctx, at(func(ctx context.Context, tx *db.Tx, now time.Time) error {
		from = nil
		if from, err = texts(ctx, tx, `SELECT run FROM outrider_claims WHERE resource = ? AND ticket = 0`, lockPrefix+name); err != nil {
			return err
		}
		for _, id := range from {
			if err := lose(ctx, tx, id, now); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, `UPDATE outrider_runs SET code = 'released', message = ?, cancel = ? WHERE id = ?`, why, why, id)
			if err != nil {
				return err
			}
		}
		return nil
	}))
	if err != nil {
		err = fmt.Errorf("release %s: %w", words(lockPrefix+name), err)
	}
	return from, err
}
