package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// pollEvery is how long a free claim may stay unseen.
const pollEvery = 100 * time.Millisecond

// Await waits until a request that was not granted at once comes to a final verdict.
// told is called with every answer on the way. When ctx ends its cause is the error.
func (e *Entry) Await(ctx context.Context, told func(Answer)) (Answer, error) {
	a, err := e.await(ctx, told)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return a, err
}

func (e *Entry) await(ctx context.Context, told func(Answer)) (Answer, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	var renewed, watched time.Time
	for {
		select {
		case <-ctx.Done():
			return Answer{}, context.Cause(ctx)
		case <-tick.C:
		}
		if e.l.Shared() && time.Since(renewed) >= RenewEvery {
			if _, err := e.renew(ctx); err != nil {
				return Answer{}, err
			}
			renewed = time.Now()
		}
		if time.Since(watched) >= watchEvery {
			why, err := e.Cancelled(ctx)
			if err == nil && why != "" {
				err = fmt.Errorf("%w: %s", ErrCancelled, why)
			}
			if err != nil {
				return Answer{}, err
			}
			watched = time.Now()
		}
		a, err := e.look(ctx)
		if err != nil {
			return Answer{}, err
		}
		if a.Verdict == Waiting || a.Verdict == Joining {
			told(a)
			continue
		}
		if a, err = e.settle(ctx); err != nil {
			return Answer{}, err
		}
		if a.Verdict != Waiting && a.Verdict != Joining {
			return a, nil
		}
	}
}

// look is resolve without a change, which does not hold others up.
func (e *Entry) look(ctx context.Context) (a Answer, err error) {
	err = e.l.db.Read(ctx, at(func(ctx context.Context, tx *db.Tx, now time.Time) error {
		a, err = e.resolve(ctx, tx, now, false)
		return err
	}))
	return a, err
}

// settle resolves for good.
func (e *Entry) settle(ctx context.Context) (a Answer, err error) {
	e.confirmed = boottime()
	err = e.l.surely(ctx, at(func(ctx context.Context, tx *db.Tx, now time.Time) error {
		if a, err = e.resolve(ctx, tx, now, true); err != nil {
			return err
		}
		switch a.Verdict {
		case Granted:
			return e.start(ctx, tx, now)
		case Hit, Joined, Remembered:
			return e.withdraw(ctx, tx, now, a)
		}
		return nil
	}))
	return a, err
}

// start grants the claims of a run that waited.
func (e *Entry) start(ctx context.Context, tx *db.Tx, now time.Time) error {
	if err := e.nextToken(ctx, tx); err != nil {
		return err
	}
	until := int64(0)
	if e.l.Shared() {
		until = now.Add(e.l.lease).UnixMilli()
	}
	n, err := tx.Exec(ctx, `UPDATE outrider_runs SET state = ?, started_at = ?, token = ?, lease_until = ? WHERE id = ? AND state = ? AND epoch = ?`,
		string(run.Running), now.UnixMilli(), e.run.Token, until, e.run.ID, string(run.Waiting), e.run.epoch)
	if err != nil {
		return err
	}
	if n == 0 {
		return e.started(ctx, tx)
	}
	if _, err := tx.Exec(ctx, `UPDATE outrider_claims SET ticket = 0, since = ? WHERE run = ?`, now.UnixMilli(), e.run.ID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM outrider_tickets WHERE run = ?`, e.run.ID); err != nil {
		return err
	}
	e.run.State, e.run.StartedAt = run.Running, now
	return e.lookBack(ctx, tx)
}

// started finds that the run was granted before, by a commit whose answer was cut off.
func (e *Entry) started(ctx context.Context, tx *db.Tx) error {
	r, err := get(ctx, tx, e.run.ID)
	if err != nil {
		return err
	}
	if r.State != run.Running || r.epoch != e.run.epoch {
		return ErrLost
	}
	e.run = r
	return nil
}

// withdraw takes a waiting run back, whose call took another's result.
func (e *Entry) withdraw(ctx context.Context, tx *db.Tx, now time.Time, a Answer) error {
	if err := release(ctx, tx, e.run.ID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM outrider_labels WHERE run = ?`, e.run.ID); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM outrider_runs WHERE id = ?`, e.run.ID); err != nil {
		return err
	}
	kind := a.Verdict
	if kind == Joined {
		kind = "join"
	}
	return e.link(ctx, tx, now, kind, a.Of.ID)
}

// What may have happened to a run meanwhile.
var (
	// ErrLost: the run was taken for dead. Its claims may be another's.
	ErrLost = errors.New("the run was taken for dead")
	// ErrState: there is no such way between a run's states.
	ErrState = errors.New("a run does not change so")
	// ErrNoRun: there is none of this id.
	ErrNoRun = errors.New("there is no such run")
)

// renew makes the lease longer and returns why the run is to end, "" for not at all.
func (e *Entry) renew(ctx context.Context) (cancel string, err error) {
	err = e.l.db.Write(ctx, at(func(ctx context.Context, tx *db.Tx, now time.Time) error {
		n, err := tx.Exec(ctx, `UPDATE outrider_runs SET lease_until = ? WHERE id = ? AND epoch = ? AND state IN ('waiting', 'running')`,
			now.Add(e.l.lease).UnixMilli(), e.run.ID, e.run.epoch)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrLost
		}
		return tx.QueryRow(ctx, `SELECT cancel FROM outrider_runs WHERE id = ?`, e.run.ID).Scan(&cancel)
	}))
	if err != nil {
		err = fmt.Errorf("renew the lease of run %s: %w", e.run.ID, err)
	}
	return cancel, err
}

// Cancelled returns why the run is to end, "" while it may go on.
func (e *Entry) Cancelled(ctx context.Context) (why string, err error) {
	err = e.l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT cancel FROM outrider_runs WHERE id = ?`, e.run.ID).Scan(&why)
	})
	return why, err
}

// Checkpoint stores the task's own state; Progress how far it is. Both are JSON.
func (e *Entry) Checkpoint(ctx context.Context, value json.RawMessage) error {
	return e.set(ctx, "checkpoint", string(value))
}

// Progress notes how far the task is.
func (e *Entry) Progress(ctx context.Context, value json.RawMessage) error {
	return e.set(ctx, "progress", string(value))
}

// set writes one column of a run that goes on.
func (e *Entry) set(ctx context.Context, column, value string) error {
	return e.l.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE outrider_runs SET `+column+` = ? WHERE id = ? AND epoch = ? AND state = 'running'`, value, e.run.ID, e.run.epoch)
		if err == nil && n == 0 {
			err = ErrLost
		}
		if err != nil {
			err = fmt.Errorf("store the %s of run %s: %w", column, e.run.ID, err)
		}
		return err
	})
}

// End is how a run ended.
type End struct {
	Outcome run.Outcome
	Exit    int
	LogTail string
	LogPath string
	// Keep keeps the place in line of a run that gave up waiting.
	Keep bool
}

// Finish records the end and gives all claims back, in one transaction. ErrLost: the
// run was taken for dead before; the end is kept as its late result.
func (e *Entry) Finish(ctx context.Context, end End) error {
	var lost bool
	err := e.l.surely(ctx, at(func(ctx context.Context, tx *db.Tx, now time.Time) (err error) {
		lost, err = e.finish(ctx, tx, now, end)
		return err
	}))
	if err != nil {
		return fmt.Errorf("record the end of run %s: %w", e.run.ID, err)
	}
	if lost {
		return fmt.Errorf("record the end of run %s: %w", e.run.ID, ErrLost)
	}
	return nil
}

func (e *Entry) finish(ctx context.Context, tx *db.Tx, now time.Time, end End) (lost bool, err error) {
	o := end.Outcome
	from := before(o.State)
	if len(from) == 0 {
		return false, fmt.Errorf("%w: %s is no end", ErrState, o.State)
	}
	n, err := tx.Exec(ctx, `UPDATE outrider_runs SET state = ?, ended_at = ?, attempts = ?, code = ?, message = ?, permanent = ?, unchanged = ?,
		exit_code = ?, output = ?, log_tail = ?, log_path = ?
		WHERE id = ? AND epoch = ? AND state IN (?`+strings.Repeat(", ?", len(from)-1)+`)`,
		append([]any{
			string(o.State), now.UnixMilli(), o.Attempts, o.Code, o.Message, flag(o.Permanent), flag(o.Unchanged),
			end.Exit, string(o.Output), end.LogTail, end.LogPath, e.run.ID, e.run.epoch,
		}, from...)...)
	if err != nil {
		return false, err
	}
	if n == 0 {
		r, err := get(ctx, tx, e.run.ID)
		if err == nil && !r.Ended() {
			err = fmt.Errorf("%w: from %s to %s", ErrState, r.State, o.State)
		}
		if err != nil || r.epoch == e.run.epoch {
			return false, err // of the same commit, whose answer was cut off
		}
		late, err := json.Marshal(map[string]any{"state": o.State, "code": o.Code, "message": o.Message, "output": o.Output, "at": now})
		if err != nil {
			return true, err
		}
		_, err = tx.Exec(ctx, `UPDATE outrider_runs SET late_result = ? WHERE id = ?`, string(late), e.run.ID)
		return true, err
	}
	if o.State == run.Success {
		if err := e.succeed(ctx, tx, now); err != nil {
			return false, err
		}
	}
	if end.Keep && e.ticket > 0 {
		_, err := tx.Exec(ctx, `UPDATE outrider_tickets SET keep = ? WHERE run = ?`, now.Add(KeepTicket).UnixMilli(), e.run.ID)
		if err != nil {
			return false, err
		}
	}
	switch {
	case e.spooled, e.ticket > 0:
		err = release(ctx, tx, e.run.ID)
	case len(e.claims) > 0:
		err = giveBack(ctx, tx, e.run.ID)
	}
	return false, err
}

// setResult makes a run the success of a key: name, run, time. The row is made where
// there is none.
const setResult = `INSERT INTO outrider_resources VALUES (?, 1, ?, ?) ON CONFLICT (name) DO UPDATE SET result = excluded.result`

// succeed makes the run the success of its keys. Their rows are made where a prune took
// them away under it.
func (e *Entry) succeed(ctx context.Context, tx *db.Tx, now time.Time) error {
	if e.spooled {
		_, err := tx.Exec(ctx, `UPDATE outrider_resources SET result = ? WHERE name IN
			(SELECT resource FROM outrider_claims WHERE run = ? AND (resource LIKE 'once:%' OR resource LIKE 'delivery:%'))`, e.run.ID, e.run.ID)
		return err
	}
	for _, key := range e.keys() {
		if _, err := tx.Exec(ctx, setResult, key, e.run.ID, now.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}

// keys are what is claimed that keeps the run that succeeded with it.
func (e *Entry) keys() (names []string) {
	for _, c := range e.claims {
		if c.isKey() {
			names = append(names, c.resource)
		}
	}
	return names
}
