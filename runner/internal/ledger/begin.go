package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// Request asks for a run.
type Request struct {
	// Run says what is to run and who asks: ID, component, plugin, params, labels,
	// caller, relatives and pid; the rest is the ledger's.
	Run Run
	// Live is the file whose lock the host holds while it lives.
	Live string
	// Claims are granted together or not at all.
	Claims []Claim
	// Once is the key under which there is one recorded success; "" for none.
	Once string
	// Redelivery makes the copies of a Digdag task that is delivered twice one run.
	Redelivery bool
	// Force runs although the key has its success, or its failure is remembered.
	Force    bool
	Priority int64
	// Ancestors are the runs that this one is part of.
	Ancestors []string
}

// Verdict is what a request comes to.
type Verdict string

// The verdicts. Granted, Hit, Joined and Remembered are final.
const (
	// Granted: start.
	Granted Verdict = "granted"
	// Waiting: others are before it.
	Waiting Verdict = "waiting"
	// Joining: another run with its key runs, whose result it will take.
	Joining Verdict = "joining"
	// Joined: that other run has ended; take its result.
	Joined Verdict = "joined"
	// Hit: the key has its success; take its result.
	Hit Verdict = "hit"
	// Remembered: an earlier try failed for good; so does this one.
	Remembered Verdict = "remembered"
)

// Answer is a verdict with its reason.
type Answer struct {
	Verdict Verdict
	// Of is the run of Joining, Joined, Hit and Remembered.
	Of Run
	// Busy is what stands in the way of Waiting.
	Busy []Busy
}

// Busy is one resource that a request waits for.
type Busy struct {
	Resource string // in words
	Slots    int64  // wanted
	Capacity int64
	Position int // how many wait before it
	Holders  []Holder
}

// Holder holds or waits for slots of a resource.
type Holder struct {
	Run       string    `json:"run"`
	Component string    `json:"component,omitempty"`
	Host      string    `json:"host"`
	PID       int       `json:"pid"`
	Slots     int64     `json:"slots"`
	Since     time.Time `json:"since"`
}

// What a request can be refused for, each a matter of usage.
var (
	// ErrAncestor: a run that this one is part of holds the same.
	ErrAncestor = errors.New("held by a run that this one is part of")
	// ErrOtherParams: the key's success had other params.
	ErrOtherParams = errors.New("the key belongs to other params")
	// ErrNoPool: nobody has set the pool.
	ErrNoPool = errors.New("there is no such pool")
	// ErrTooBig: more than there is.
	ErrTooBig = errors.New("more than the pool has")
)

// Entry is a run in the ledger that its host has begun, or waits to.
type Entry struct {
	l        *Ledger
	run      Run
	req      Request
	claims   []Claim // all, by name
	delivery string  // the resource; "" for none
	ticket   int64
	awaited  string // the run that is joined
	spooled  bool   // it comes from a file, and what it has claimed is not known
	// confirmed is when the lease was last asked for, by boottime.
	confirmed time.Duration
	earlier   int // attempts of the same key
	restore   json.RawMessage
}

// Begin records a run and grants its claims, in one transaction, or puts it in line.
func (l *Ledger) Begin(ctx context.Context, req Request) (*Entry, Answer, error) {
	return l.record(ctx, req, false)
}

// record is Begin. again: an earlier commit, whose answer was cut off, may have taken
// place.
func (l *Ledger) record(ctx context.Context, req Request, again bool) (*Entry, Answer, error) {
	var e *Entry
	var a Answer
	sent := boottime()
	err := l.surely(ctx, at(func(ctx context.Context, tx *db.Tx, now time.Time) error {
		e = l.entry(req)
		e.run.AskedAt, e.confirmed = now, sent
		if again {
			if there, err := e.begun(ctx, tx); err != nil || there != "" {
				a.Verdict = there
				return err
			}
		}
		again = true
		if err := e.number(ctx, tx); err != nil {
			return err
		}
		var err error
		if a, err = e.resolve(ctx, tx, now, true); err != nil {
			return err
		}
		return e.enter(ctx, tx, now, a)
	}))
	if err != nil {
		return nil, Answer{}, fmt.Errorf("record the run: %w", err)
	}
	return e, a, nil
}

// surely is a transaction that does nothing when it is done twice: where a cut
// connection leaves open whether it took place, it is done again.
func (l *Ledger) surely(ctx context.Context, do func(context.Context, *db.Tx) error) error {
	err := l.db.Write(ctx, do)
	if errors.Is(err, db.ErrInDoubt) {
		err = l.db.Write(ctx, do)
	}
	return err
}

// begun finds that the run was recorded before, by a commit whose answer was cut off.
func (e *Entry) begun(ctx context.Context, tx *db.Tx) (Verdict, error) {
	r, err := get(ctx, tx, e.run.ID)
	if errors.Is(err, ErrNoRun) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	e.run = r
	if err := e.readClaims(ctx, tx); err != nil {
		return "", err
	}
	if r.State == run.Running {
		return Granted, e.lookBack(ctx, tx)
	}
	return Waiting, nil
}

// readClaims reads what a run that was recorded before has claimed.
func (e *Entry) readClaims(ctx context.Context, tx *db.Tx) error {
	rows, err := tx.Query(ctx, `SELECT resource, slots, ticket FROM outrider_claims WHERE run = ? ORDER BY resource`, e.run.ID)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	e.claims = nil
	for rows.Next() {
		var c Claim
		if err := rows.Scan(&c.resource, &c.slots, &e.ticket); err != nil {
			return err
		}
		if strings.HasPrefix(c.resource, deliveryPrefix) {
			e.delivery = c.resource
		}
		e.claims = append(e.claims, c)
	}
	return rows.Err()
}

// entry is a fresh one: a transaction may be tried again.
func (l *Ledger) entry(req Request) *Entry {
	e := &Entry{l: l, run: req.Run, req: req, claims: slices.Clone(req.Claims)}
	r := &e.run
	r.Host, r.User, r.digest, r.epoch, r.live = l.host, l.user, Digest(r.Params), 1, req.Live
	if req.Redelivery {
		r.deliveryBase = deliveryBase(r.Caller, r.Component, r.digest)
	}
	if req.Once != "" {
		e.claims = append(e.claims, Claim{oncePrefix + req.Once, 1})
	}
	return e
}

// number finds the place of the run among equals in its delivery, which is part of
// its keys.
func (e *Entry) number(ctx context.Context, tx *db.Tx) error {
	r := &e.run
	if r.deliveryBase != "" {
		if err := tx.Lock(ctx, r.deliveryBase); err != nil {
			return err
		}
		var n int
		err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM outrider_runs WHERE delivery_base = ? AND delivery = ?)
			+ (SELECT count(*) FROM outrider_links WHERE delivery_base = ? AND delivery = ? AND id <> ?)`,
			r.deliveryBase, r.Caller.Delivery, r.deliveryBase, r.Caller.Delivery, r.ID).Scan(&n)
		if err != nil {
			return fmt.Errorf("count the calls of the task: %w", err)
		}
		e.delivery = deliveryPrefix + ordinal(r.deliveryBase, n)
		e.claims = append(e.claims, Claim{e.delivery, 1})
		r.memoryKey = ordinal(memoryBase(r.Caller, r.Component, r.digest), n)
	}
	slices.SortFunc(e.claims, func(a, b Claim) int { return strings.Compare(a.resource, b.resource) })
	return nil
}

// enter writes down what the answer makes of a new run.
func (e *Entry) enter(ctx context.Context, tx *db.Tx, now time.Time, a Answer) error {
	r := &e.run
	switch a.Verdict {
	case Hit, Remembered:
		return e.link(ctx, tx, now, a.Verdict, a.Of.ID)
	case Granted:
		r.State, r.StartedAt = run.Running, now
		if err := e.usePlace(ctx, tx); err != nil {
			return err
		}
		if err := e.nextToken(ctx, tx); err != nil {
			return err
		}
		if err := e.lookBack(ctx, tx); err != nil {
			return err
		}
	default:
		r.State = run.Waiting
		if err := e.takeTicket(ctx, tx); err != nil {
			return err
		}
	}
	if e.l.Shared() {
		r.leaseUntil = now.Add(e.l.lease).UnixMilli()
	}
	values, err := r.values()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, insertRun, values...); err != nil {
		return err
	}
	if err := e.insertLabels(ctx, tx); err != nil {
		return err
	}
	for _, c := range e.claims {
		if _, err := tx.Exec(ctx, `INSERT INTO outrider_claims VALUES (?, ?, ?, ?, ?)`, c.resource, r.ID, c.slots, e.ticket, now.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

func (e *Entry) insertLabels(ctx context.Context, tx *db.Tx) error {
	for name, value := range e.run.Labels {
		if _, err := tx.Exec(ctx, `INSERT INTO outrider_labels VALUES (?, ?, ?)`, e.run.ID, name, value); err != nil {
			return err
		}
	}
	return nil
}

// link notes that the call took another run's result.
func (e *Entry) link(ctx context.Context, tx *db.Tx, now time.Time, kind Verdict, of string) error {
	r := e.run
	_, err := tx.Exec(ctx, `INSERT INTO outrider_links (id, run, kind, at, host, pid, engine, task, delivery_base, delivery)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
		r.ID, of, string(kind), now.UnixMilli(), r.Host, r.PID, r.Caller.Engine, r.Caller.Task, r.deliveryBase, r.Caller.Delivery)
	return err
}

// ID is the run's.
func (e *Entry) ID() string { return e.run.ID }

// Token is the fencing token of the claims; ok is false when there are none.
func (e *Entry) Token() (token int64, ok bool) { return e.run.Token, e.run.Token > 0 }

// Joinable reports whether a copy of its Digdag task would join the run.
func (e *Entry) Joinable() bool { return e.delivery != "" }

// Earlier is how many attempts the key has seen before this run.
func (e *Entry) Earlier() int { return e.earlier }

// Restore is the last checkpoint of an earlier try that came to no success; nil
// without.
func (e *Entry) Restore() json.RawMessage { return e.restore }

// lookBack finds what earlier runs of the key have left.
func (e *Entry) lookBack(ctx context.Context, tx *db.Tx) error {
	if e.run.Key == "" {
		return nil
	}
	err := tx.QueryRow(ctx, `SELECT coalesce(sum(CASE WHEN attempts > 0 THEN attempts ELSE 1 END), 0) FROM outrider_runs
		WHERE run_key = ? AND run_key <> '' AND id <> ?`, e.run.Key, e.run.ID).Scan(&e.earlier)
	if err != nil || e.earlier == 0 {
		return err
	}
	var state, digest, checkpoint string
	err = tx.QueryRow(ctx, `SELECT state, digest, checkpoint FROM outrider_runs
		WHERE run_key = ? AND run_key <> '' AND id <> ? AND (state = 'success' OR checkpoint <> '') ORDER BY id DESC LIMIT 1`,
		e.run.Key, e.run.ID).Scan(&state, &digest, &checkpoint)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil && state != string(run.Success) && digest == e.run.digest {
		e.restore = raw(checkpoint)
	}
	return err
}

func (e *Entry) nextToken(ctx context.Context, tx *db.Tx) (err error) {
	if len(e.claims) > 0 {
		e.run.Token, err = next(ctx, tx, "token")
	}
	return err
}

// takeTicket puts the run in line: in the place that it was given before, if it
// comes back in time, else in the last.
func (e *Entry) takeTicket(ctx context.Context, tx *db.Tx) (err error) {
	if e.ticket > 0 {
		_, err = tx.Exec(ctx, `UPDATE outrider_tickets SET run = ?, keep = 0, priority = ? WHERE ticket = ?`, e.run.ID, e.req.Priority, e.ticket)
		return err
	}
	if e.ticket, err = next(ctx, tx, "ticket"); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO outrider_tickets VALUES (?, ?, ?, ?, 0)`, e.ticket, e.run.ID, e.identity(), e.req.Priority)
	return err
}

// usePlace ends the place in line that the same caller gave up a while ago, also where
// it was not needed: it is for one call.
func (e *Entry) usePlace(ctx context.Context, tx *db.Tx) error {
	if e.ticket = 0; len(e.claims) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `DELETE FROM outrider_tickets WHERE identity = ? AND keep > 0`, e.identity())
	return err
}

// identity is who asks, for what: the same when a task is tried again.
func (e *Entry) identity() string {
	c := e.run.Caller
	who := join(c.Engine, c.Instance, c.Project, c.Workflow, c.Session, c.LogicalTime, c.Task)
	if c.Engine == "" || c.Engine == "none" {
		who = join("none", e.run.Host, e.run.User)
	}
	return join(who, e.run.Component, e.run.digest)
}

// next draws the next number of a counter.
func next(ctx context.Context, tx *db.Tx, counter string) (n int64, err error) {
	if tx.Kind() == db.Postgres {
		err = tx.QueryRow(ctx, `SELECT nextval('outrider_`+counter+`')`).Scan(&n)
	} else {
		err = tx.QueryRow(ctx, `UPDATE outrider_counters SET value = value + 1 WHERE name = ? RETURNING value`, counter).Scan(&n)
	}
	if err != nil {
		err = fmt.Errorf("draw a %s: %w", counter, err)
	}
	return n, err
}
