package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// resolve decides what a request comes to now. write is false for a look that
// changes nothing: its answer may be out of date at once, but for Joined.
func (e *Entry) resolve(ctx context.Context, tx *db.Tx, now time.Time, write bool) (Answer, error) {
	if e.awaited != "" {
		if a, done, err := e.join(ctx, tx); err != nil || done {
			return a, err
		}
	}
	if len(e.claims) == 0 {
		return Answer{Verdict: Granted}, nil
	}
	found, err := e.resources(ctx, tx, now, write)
	if err != nil {
		return Answer{}, err
	}
	if a, done, err := e.known(ctx, tx, found); err != nil || done {
		return a, err
	}
	lines, err := e.lines(ctx, tx, now, write, found)
	if err != nil {
		return Answer{}, err
	}
	if err := e.ofAncestors(lines); err != nil {
		return Answer{}, err
	}
	if a, done, err := e.busyKey(ctx, tx, lines); err != nil || done {
		return a, err
	}
	a, err := e.decide(ctx, tx, lines)
	if err == nil && a.Verdict == Waiting && e.ticket == 0 {
		// In the place that it had before it may not have to wait.
		if err = e.keptTicket(ctx, tx, now); err == nil && e.ticket > 0 {
			a, err = e.decide(ctx, tx, lines)
		}
	}
	return a, err
}

// resource is a row of outrider_resources.
type resource struct {
	slots  int64
	result string
}

// resources reads, and with write locks in the order of their names, what is
// claimed.
func (e *Entry) resources(ctx context.Context, tx *db.Tx, now time.Time, write bool) (map[string]resource, error) {
	found := map[string]resource{}
	for _, c := range e.claims {
		r, err := c.read(ctx, tx, now, write)
		if err != nil {
			return nil, err
		}
		if c.slots > r.slots && e.ticket == 0 {
			return nil, fmt.Errorf("%s has %d slots, %d are asked for: %w", words(c.resource), r.slots, c.slots, ErrTooBig)
		}
		found[c.resource] = r
	}
	return found, nil
}

// read reads the resource of a claim. With write it is locked by the same statement,
// and made where nobody has claimed it before, unless it is a pool.
func (c Claim) read(ctx context.Context, tx *db.Tx, now time.Time, write bool) (r resource, err error) {
	switch {
	case !write:
		err = tx.QueryRow(ctx, `SELECT slots, result FROM outrider_resources WHERE name = ?`, c.resource).Scan(&r.slots, &r.result)
	case c.isPool():
		err = tx.QueryRow(ctx, `UPDATE outrider_resources SET used = ? WHERE name = ? RETURNING slots, result`,
			now.UnixMilli(), c.resource).Scan(&r.slots, &r.result)
	default:
		err = tx.QueryRow(ctx, `INSERT INTO outrider_resources VALUES (?, 1, '', ?)
			ON CONFLICT (name) DO UPDATE SET used = excluded.used RETURNING slots, result`,
			c.resource, now.UnixMilli()).Scan(&r.slots, &r.result)
	}
	switch {
	case errors.Is(err, sql.ErrNoRows) && c.isPool():
		return r, fmt.Errorf("%s: %w; set it with: outrider pools set %s SLOTS", words(c.resource), ErrNoPool, strings.TrimPrefix(c.resource, poolPrefix))
	case errors.Is(err, sql.ErrNoRows):
		return resource{slots: 1}, nil
	case err != nil:
		return r, fmt.Errorf("look at %s: %w", words(c.resource), err)
	}
	return r, nil
}

// known answers with what is recorded already: a key's success, or a failure for
// good of an earlier try.
func (e *Entry) known(ctx context.Context, tx *db.Tx, found map[string]resource) (Answer, bool, error) {
	if e.req.Force {
		return Answer{}, false, nil
	}
	for _, c := range e.claims {
		id := found[c.resource].result
		if id == "" {
			continue
		}
		of, err := get(ctx, tx, id)
		if errors.Is(err, ErrNoRun) {
			continue // pruned
		}
		if err != nil {
			return Answer{}, false, err
		}
		if c.resource == e.delivery && of.Caller.Delivery == e.run.Caller.Delivery {
			continue
		}
		if of.digest != e.run.digest {
			return Answer{}, false, fmt.Errorf("%s: %w: run %s succeeded with %s, this is %s",
				words(c.resource), ErrOtherParams, of.ID, of.Params, e.run.Params)
		}
		return Answer{Verdict: Hit, Of: of}, true, nil
	}
	if e.run.memoryKey == "" {
		return Answer{}, false, nil
	}
	var id string
	err := tx.QueryRow(ctx, `SELECT id FROM outrider_runs WHERE memory_key = ? AND memory_key <> '' AND permanent = 1
		AND state = 'failed' AND delivery <> ? ORDER BY id DESC LIMIT 1`, e.run.memoryKey, e.run.Caller.Delivery).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return Answer{}, false, nil
	}
	if err != nil {
		return Answer{}, false, fmt.Errorf("look for a failure of an earlier try: %w", err)
	}
	of, err := get(ctx, tx, id)
	if errors.Is(err, ErrNoRun) {
		return Answer{}, false, nil // pruned
	}
	return Answer{Verdict: Remembered, Of: of}, err == nil, err
}

// lines reads who holds and who waits for what is claimed. Runs that are dead are
// left out, and with write taken for lost. Left out too is who waits for more than
// there is of anything, by now: whatever else it waits for, it would hold up others
// for ever.
func (e *Entry) lines(ctx context.Context, tx *db.Tx, now time.Time, write bool, found map[string]resource) (map[string]*line, error) {
	lines := map[string]*line{}
	var names []string
	for _, c := range e.claims {
		lines[c.resource] = &line{slots: found[c.resource].slots}
		names = append(names, c.resource)
	}
	if alone, err := e.alone(ctx, tx, names); err != nil || alone {
		return lines, err
	}
	rows, err := tx.Query(ctx, `SELECT c.resource, c.run, c.slots, c.ticket, coalesce(t.priority, 0), r.live, r.lease_until
		FROM outrider_claims c JOIN outrider_runs r ON r.id = c.run LEFT JOIN outrider_tickets t ON t.ticket = c.ticket
		WHERE c.resource`+in(names)+` AND coalesce(t.keep, 0) = 0
		AND (c.ticket = 0 OR NOT EXISTS (SELECT 1 FROM outrider_claims o JOIN outrider_resources s ON s.name = o.resource
			WHERE o.run = c.run AND o.slots > s.slots))
		ORDER BY c.ticket`, anys(names)...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	alive := map[string]bool{}
	for rows.Next() {
		var name string
		var s share
		var l life
		if err := rows.Scan(&name, &s.run, &s.slots, &s.ticket, &s.priority, &l.file, &l.until); err != nil {
			return nil, err
		}
		if _, asked := alive[s.run]; !asked {
			alive[s.run] = s.run == e.run.ID || e.l.lives(l, now)
		}
		switch {
		case !alive[s.run], s.run == e.run.ID && s.ticket == 0:
		case s.ticket == 0:
			lines[name].held = append(lines[name].held, s)
		default:
			lines[name].waiting = append(lines[name].waiting, s)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for id, lives := range alive {
		if write && !lives {
			if err := lose(ctx, tx, id, now); err != nil {
				return nil, err
			}
		}
	}
	return lines, nil
}

// alone reports whether no other run claims any of the resources, which is so most of
// the time, and asked for at a tenth of what lines costs.
func (e *Entry) alone(ctx context.Context, tx *db.Tx, names []string) (bool, error) {
	var other string
	err := tx.QueryRow(ctx, `SELECT run FROM outrider_claims WHERE resource`+in(names)+` AND run <> ? LIMIT 1`,
		append(anys(names), e.run.ID)...).Scan(&other)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return false, err
}

// ofAncestors refuses what a run holds that this one is part of: it would wait for its
// own end.
func (e *Entry) ofAncestors(lines map[string]*line) error {
	for _, c := range e.claims {
		for _, h := range lines[c.resource].held {
			if slices.Contains(e.req.Ancestors, h.run) {
				return fmt.Errorf("%s: %w (%s)", words(c.resource), ErrAncestor, h.run)
			}
		}
	}
	return nil
}

// busyKey answers when another run has one of the keys: its result will be taken.
func (e *Entry) busyKey(ctx context.Context, tx *db.Tx, lines map[string]*line) (Answer, bool, error) {
	if e.req.Force {
		return Answer{}, false, nil
	}
	for _, c := range e.claims {
		held := lines[c.resource].held
		if len(held) == 0 || !c.isKey() {
			continue
		}
		of, err := get(ctx, tx, held[0].run) // a key has one slot
		if err != nil {
			return Answer{}, false, err
		}
		if of.digest != e.run.digest {
			return Answer{}, false, fmt.Errorf("%s: %w: run %s runs with %s, this is %s", words(c.resource), ErrOtherParams, of.ID, of.Params, e.run.Params)
		}
		e.awaited = of.ID
		return Answer{Verdict: Joining, Of: of}, true, nil
	}
	return Answer{}, false, nil
}

// join looks at the run whose result is to be taken. Where it came to none, the
// request stands for itself again.
func (e *Entry) join(ctx context.Context, tx *db.Tx) (Answer, bool, error) {
	of, err := get(ctx, tx, e.awaited)
	if err != nil && !errors.Is(err, ErrNoRun) {
		return Answer{}, false, err
	}
	if err == nil && of.Ended() && of.State != run.Lost && of.State != run.Cancelled {
		return Answer{Verdict: Joined, Of: of}, true, nil
	}
	if err != nil || of.Ended() {
		e.awaited = ""
	}
	return Answer{}, false, nil
}

// keptTicket takes the place up again that the same caller gave up a while ago.
func (e *Entry) keptTicket(ctx context.Context, tx *db.Tx, now time.Time) error {
	err := tx.QueryRow(ctx, `SELECT ticket FROM outrider_tickets WHERE identity = ? AND keep > ? ORDER BY ticket LIMIT 1`,
		e.identity(), now.UnixMilli()).Scan(&e.ticket)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

// decide grants all claims or tells what stands in the way.
func (e *Entry) decide(ctx context.Context, tx *db.Tx, lines map[string]*line) (Answer, error) {
	a := Answer{Verdict: Granted}
	for _, c := range e.claims {
		l, me := lines[c.resource], share{run: e.run.ID, slots: c.slots, ticket: e.ticket, priority: e.req.Priority}
		if me.ticket == 0 {
			me.ticket = 1<<63 - 1 // behind all
		}
		if l.grants(me) {
			continue
		}
		a.Verdict = Waiting
		holders, err := holders(ctx, tx, l.held)
		if err != nil {
			return Answer{}, err
		}
		a.Busy = append(a.Busy, Busy{words(c.resource), c.slots, l.slots, l.position(me), holders})
	}
	return a, nil
}

func holders(ctx context.Context, tx *db.Tx, held []share) ([]Holder, error) {
	var all []Holder
	for _, h := range held {
		r, err := get(ctx, tx, h.run)
		if err != nil {
			return nil, err
		}
		all = append(all, Holder{Run: r.ID, Component: r.Component, Host: r.Host, PID: r.PID, Slots: h.slots, Since: r.StartedAt})
	}
	return all, nil
}
