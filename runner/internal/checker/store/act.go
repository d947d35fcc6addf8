package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/action"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// ActState is where an action stands.
type ActState = action.State

// The states of an action. The first three are open: more is to come.
const (
	WaitingAck  = action.WaitingAck
	ActRunning  = action.Running
	Verifying   = action.Verifying
	ActDone     = action.Done
	ActFailed   = action.Failed
	ActEscalate = action.Escalated
	DryRun      = action.DryRun
	ActSkipped  = action.Skipped
)

// openAct picks those that are open.
const openAct = `state IN ('waiting_ack', 'running', 'verifying')`

// Act is the record of an action that was taken because of an event.
type Act = action.Act

// Acts returns the actions since a time, and all that are open, the oldest first.
func (s *Store) Acts(ctx context.Context, since time.Time) (acts []Act, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *db.Tx) error {
		acts = nil
		return each(ctx, tx, func(data []byte) error {
			var a Act
			err := decode(data, &a)
			acts = append(acts, a)
			return err
		}, `SELECT data FROM outrider_checker_acts WHERE at >= ? OR `+openAct+` ORDER BY at, id`, millis(since))
	})
	return acts, wrap("read the actions", err)
}

// PutAct records an action or its next state. created is false, and nothing is written,
// where another checker was first: it has this action for this event under another ID,
// or it has given this act that state.
func (s *Store) PutAct(ctx context.Context, a Act) (created bool, err error) {
	data, err := encode(a)
	if err != nil {
		return false, wrap("record the action "+a.Action, err)
	}
	err = s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		var id, state, writer string
		err := tx.QueryRow(ctx, `SELECT id, state, writer FROM outrider_checker_acts WHERE (action = ? AND event_key = ?) OR id = ?`,
			text(a.Action), text(a.EventKey), text(a.ID)).Scan(&id, &state, &writer)
		known := !errors.Is(err, sql.ErrNoRows)
		if known && err != nil {
			return err
		}
		created = !known || id == text(a.ID) && (state != string(a.State) || writer == s.life)
		if !created {
			return nil
		}
		err = put(ctx, tx, "acts", 1, []string{"id", "action", "event_key", "state", "writer", "at", "data"},
			[][]any{{text(a.ID), text(a.Action), text(a.EventKey), string(a.State), s.life, a.At.UnixMilli(), data}})
		if err != nil || known && state == string(a.State) {
			return err
		}
		return note(ctx, tx, []LogEntry{{At: a.At, Kind: Acted, Alert: a.Alert, Incident: a.Incident, What: a.Action, Note: acted(a)}})
	})
	return created && err == nil, wrap("record the action "+a.Action, err)
}

func acted(a Act) string {
	if a.Note == "" {
		return string(a.State)
	}
	return string(a.State) + ": " + a.Note
}
