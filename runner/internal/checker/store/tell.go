package store

import (
	"context"
	"reflect"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// thread is where a receiver is told of an incident.
type thread struct{ receiver, incident string }

// tell puts events into the outbox, in their order. Those without a receiver are told
// nobody. Within a thread their numbers rise: where an event's is not above the last
// one's, since somebody acknowledged while a pass was made or it comes from elsewhere, it
// gets the next.
func tell(ctx context.Context, tx *db.Tx, events []alert.Event, at time.Time) error {
	var order []thread
	by := map[thread][]alert.Event{}
	for _, e := range events {
		if e.Receiver == "" {
			continue
		}
		t := thread{e.Receiver, e.Incident}
		if by[t] == nil {
			order = append(order, t)
		}
		by[t] = append(by[t], e)
	}
	for _, t := range order {
		if err := t.tell(ctx, tx, by[t], at); err != nil {
			return wrap("tell "+t.receiver, err)
		}
	}
	return nil
}

func (t thread) tell(ctx context.Context, tx *db.Tx, events []alert.Event, at time.Time) error {
	seq := 0
	err := rows(ctx, tx, func(scan func(...any) error) error { return scan(&seq) },
		`SELECT seq FROM outrider_checker_threads WHERE receiver = ? AND incident = ?`, text(t.receiver), text(t.incident))
	if err != nil {
		return err
	}
	// What may have been told already takes nothing in.
	var ids []int64
	var unsent []alert.Event
	err = rows(ctx, tx, func(scan func(...any) error) error {
		r, _, err := scanRow(scan)
		ids, unsent = append(ids, r.ID), append(unsent, r.Event)
		return err
	}, `SELECT `+rowColumns+` FROM outrider_checker_outbox WHERE receiver = ? AND incident = ? AND state = 'pending' ORDER BY id`,
		text(t.receiver), text(t.incident))
	if err != nil {
		return err
	}
	merged := unsent
	for _, e := range events {
		seq = max(seq+1, e.Seq)
		e.Seq = seq
		merged = alert.Merge(merged, e)
	}
	if err := t.store(ctx, tx, ids, unsent, merged, at); err != nil {
		return err
	}
	return put(ctx, tx, "threads", 2, []string{"receiver", "incident", "seq", "at"},
		[][]any{{text(t.receiver), text(t.incident), seq, at.UnixMilli()}})
}

// store makes the rows hold what is merged: those that are there take it in in their
// order, the rest of them goes, and what is left over gets new ones.
func (t thread) store(ctx context.Context, tx *db.Tx, have []int64, unsent, merged []alert.Event, at time.Time) error {
	for i, id := range have {
		var err error
		switch {
		case i >= len(merged):
			_, err = tx.Exec(ctx, `DELETE FROM outrider_checker_outbox WHERE id = ?`, id)
		case !reflect.DeepEqual(unsent[i], merged[i]):
			var data string
			if data, err = encode(merged[i]); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, `UPDATE outrider_checker_outbox SET event = ?, severity = ?, handed = 0, version = version + 1 WHERE id = ?`,
				data, string(merged[i].Severity()), id)
		}
		if err != nil {
			return err
		}
	}
	fresh := merged[min(len(have), len(merged)):]
	if len(fresh) == 0 {
		return nil
	}
	id, err := ids(ctx, tx, len(fresh))
	if err != nil {
		return err
	}
	var all [][]any
	for i, e := range fresh {
		data, err := encode(e)
		if err != nil {
			return err
		}
		all = append(all, []any{
			id + int64(i), text(t.receiver), text(t.incident), data, string(e.Severity()), string(Pending),
			0, 0, 0, 1, at.UnixMilli(), at.UnixMilli(), "",
		})
	}
	return put(ctx, tx, "outbox", 1, []string{
		"id", "receiver", "incident", "event", "severity", "state",
		"doubt", "handed", "tries", "version", "next_at", "created_at", "err",
	}, all)
}
