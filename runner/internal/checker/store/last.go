package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// Last is a finished pass. Summary is JSON, whatever the caller makes of it; CompleteAt is
// when the last complete one was made, which Finish knows.
type Last struct {
	At       time.Time       `json:"at"`
	Took     time.Duration   `json:"took_ns"`
	Exit     int             `json:"exit"`
	Complete bool            `json:"complete"`
	Summary  json.RawMessage `json:"summary,omitempty"`

	CompleteAt time.Time `json:"complete_at,omitzero"`
}

// Last returns the last finished pass; false where there is none yet.
func (s *Store) Last(ctx context.Context) (l Last, ok bool, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *db.Tx) error {
		l, ok, err = lastOf(ctx, tx)
		return err
	})
	return l, ok && err == nil, wrap("read the last pass", err)
}

func lastOf(ctx context.Context, tx *db.Tx) (l Last, ok bool, err error) {
	var data string
	if err := tx.QueryRow(ctx, `SELECT last_pass FROM outrider_checker_meta`).Scan(&data); err != nil || data == "" {
		return l, false, err
	}
	return l, true, json.Unmarshal([]byte(data), &l)
}

const (
	// keepSilence is for how long a silence is kept that is over.
	keepSilence = 30 * 24 * time.Hour
	// keepThread is for how long a thread is kept in which nothing is told any more.
	keepThread = 30 * 24 * time.Hour
	// keepLog is for how long it is known what was told and done.
	keepLog = 90 * 24 * time.Hour
	// keepWrite is longer than any transaction is tried.
	keepWrite = time.Hour
)

// Finish notes that a pass has ended, and forgets what is long over.
func (s *Store) Finish(ctx context.Context, t *Turn, l Last) error {
	return wrap("note the pass", s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if err := t.held(ctx, tx); err != nil {
			return err
		}
		if l.CompleteAt = l.At; !l.Complete {
			before, _, err := lastOf(ctx, tx)
			if err != nil {
				return err
			}
			l.CompleteAt = before.CompleteAt
		}
		data, err := encode(l)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE outrider_checker_meta SET last_pass = ?`, data); err != nil {
			return err
		}
		return prune(ctx, tx, l.At)
	}))
}

func prune(ctx context.Context, tx *db.Tx, now time.Time) error {
	for _, old := range []struct {
		of     string
		before time.Time
	}{
		{`writes WHERE at < ?`, time.Now().Add(-keepWrite)},
		{`silences WHERE until < ?`, now.Add(-keepSilence)},
		{`log WHERE at < ?`, now.Add(-keepLog)},
		{`acts WHERE at < ? AND NOT (` + openAct + `)`, now.Add(-keepLog)},
		{`threads WHERE at < ? AND incident NOT IN (SELECT name FROM outrider_checker_incidents)
 AND incident NOT IN (SELECT incident FROM outrider_checker_outbox)`, now.Add(-keepThread)},
	} {
		if _, err := tx.Exec(ctx, `DELETE FROM outrider_checker_`+old.of, old.before.UnixMilli()); err != nil {
			return err
		}
	}
	return nil
}
