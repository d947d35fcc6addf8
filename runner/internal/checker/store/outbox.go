package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// ErrTaken: the row is another than it was when Due gave it. It was told or is being told
// by another checker, or there is more to tell by now: ask again.
var ErrTaken = errors.New("the message has changed since it was read from the outbox")

// RowState is where a row of the outbox stands.
type RowState string

// The states of a row. One that was told is no more.
const (
	Pending RowState = "pending"
	Sending RowState = "sending"
)

// Row is an event to be told to a receiver. Rows of a receiver's incident are told in
// the order of their IDs.
type Row struct {
	ID                 int64
	Receiver, Incident string
	Event              alert.Event
	State              RowState
	// Tries are those that failed, Err says why the last one did.
	Tries int
	Err   string
	// Next is when it is to be tried, Created since when the receiver has not been told.
	Next, Created time.Time
	// Doubt: an earlier try may have told it.
	Doubt bool
	// Handed: its event was handed to the fallback.
	Handed bool
}

const rowColumns = `id, receiver, incident, event, state, tries, err, next_at, created_at, doubt, handed, version`

func scanRow(scan func(...any) error) (r Row, version int64, err error) {
	var event string
	var doubt, handed int
	var next, created int64
	err = scan(&r.ID, &r.Receiver, &r.Incident, &event, &r.State, &r.Tries, &r.Err, &next, &created, &doubt, &handed, &version)
	if err != nil {
		return r, 0, err
	}
	r.Receiver, r.Incident, r.Err = from(r.Receiver), from(r.Incident), from(r.Err)
	r.Next, r.Created = moment(next), moment(created)
	r.Doubt, r.Handed = doubt != 0 || r.State == Sending, handed != 0
	if err := decode([]byte(event), &r.Event); err != nil {
		return r, version, &unreadable{"a message that is to be told", err}
	}
	return r, version, nil
}

// Due returns the first row of each incident of a receiver whose time has come, the
// oldest first, at most limit; all where that is 0. One that is found in Sending is in
// doubt: its sender died, or could not say what became of it.
func (s *Store) Due(ctx context.Context, receiver string, now time.Time, limit int) (due []Row, err error) {
	return s.list(ctx, "read what is to be told", `SELECT `+rowColumns+` FROM outrider_checker_outbox o
 WHERE receiver = ? AND next_at <= ? AND id = (
  SELECT min(id) FROM outrider_checker_outbox f WHERE f.receiver = o.receiver AND f.incident = o.incident)
 ORDER BY id LIMIT ?`, text(receiver), now.UnixMilli(), most(limit))
}

// longestWait is the most that a row is ever put off.
const longestWait = time.Hour

// settle takes what lies ahead as now: the clock was set back, and nothing may wait for it
// to come round again.
func settle(ctx context.Context, tx *db.Tx, now time.Time) error {
	if _, err := tx.Exec(ctx, `UPDATE outrider_checker_outbox SET created_at = ? WHERE created_at > ?`, now.UnixMilli(), now.UnixMilli()); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `UPDATE outrider_checker_outbox SET next_at = ? WHERE next_at > ?`, now.UnixMilli(), now.Add(longestWait).UnixMilli())
	return err
}

// Unhanded returns the rows of a receiver that the fallback was not handed, due or not,
// the oldest first, at most limit; all where that is 0.
func (s *Store) Unhanded(ctx context.Context, receiver string, limit int) ([]Row, error) {
	return s.list(ctx, "read what is not told", `SELECT `+rowColumns+` FROM outrider_checker_outbox
 WHERE receiver = ? AND handed = 0 ORDER BY id LIMIT ?`, text(receiver), most(limit))
}

// list reads rows, and remembers as which they were seen.
func (s *Store) list(ctx context.Context, what, query string, args ...any) (all []Row, err error) {
	versions := map[int64]int64{}
	err = s.read(ctx, func(ctx context.Context, tx *db.Tx) error {
		all = nil
		clear(versions)
		return rows(ctx, tx, func(scan func(...any) error) error {
			r, version, err := scanRow(scan)
			all, versions[r.ID] = append(all, r), version
			return err
		}, query, args...)
	})
	if err != nil {
		return nil, wrap(what, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, version := range versions {
		s.seen[id] = version
	}
	return all, nil
}

// Sending notes that a row which was read is about to be sent: the commit is before the
// first byte. Its error is ErrTaken where the row is no longer as it was read; then it
// is not to be sent.
func (s *Store) Sending(ctx context.Context, id int64) error {
	err := s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := s.update(ctx, tx, id, `doubt = CASE WHEN state = 'sending' THEN 1 ELSE doubt END, state = 'sending'`)
		if err == nil && n == 0 {
			err = ErrTaken
		}
		return err
	})
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.seen[id]++
	}
	return wrap("note that a message is sent", err)
}

// Sent notes that a row was told. The receipt, JSON, stands for the thread from now on;
// nil leaves the one that does.
func (s *Store) Sent(ctx context.Context, id int64, receipt json.RawMessage, at time.Time) error {
	s.forget(id)
	return wrap("note that a message was told", s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		var r Row
		err := rows(ctx, tx, func(scan func(...any) error) (err error) {
			r, _, err = scanRow(scan)
			return err
		}, `SELECT `+rowColumns+` FROM outrider_checker_outbox WHERE id = ?`, id)
		if err != nil || r.ID == 0 {
			return err // another checker noted it
		}
		if _, err := tx.Exec(ctx, `DELETE FROM outrider_checker_outbox WHERE id = ?`, id); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE outrider_checker_threads SET at = ?, receipt = COALESCE(NULLIF(?, ''), receipt)
 WHERE receiver = ? AND incident = ?`, at.UnixMilli(), string(receipt), text(r.Receiver), text(r.Incident))
		if err != nil {
			return err
		}
		return note(ctx, tx, []LogEntry{{
			At: at, Kind: Told, What: string(r.Event.Kind), Severity: r.Event.Severity(), Receiver: r.Receiver, Incident: r.Incident, Note: r.Event.Note,
		}})
	}))
}

// Retry puts a row off until next, because of why. surelyNot: nobody was told by this
// try; else the row stays in doubt. A row that is no longer as it was read stays as it
// is. A pending row, too, can be put off.
func (s *Store) Retry(ctx context.Context, id int64, why string, next time.Time, surelyNot bool) error {
	state := `doubt = 1`
	if surelyNot {
		state = `state = CASE WHEN doubt = 1 THEN state ELSE 'pending' END`
	}
	defer s.forget(id)
	return wrap("put a message off", s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		_, err := s.update(ctx, tx, id, state+`, tries = tries + 1, err = ?, next_at = ?`, text(why), next.UnixMilli())
		return err
	}))
}

// update changes a row that is as it was read, and counts how many that are.
func (s *Store) update(ctx context.Context, tx *db.Tx, id int64, set string, args ...any) (int64, error) {
	s.mu.Lock()
	version := s.seen[id]
	s.mu.Unlock()
	return tx.Exec(ctx, `UPDATE outrider_checker_outbox SET version = version + 1, `+set+` WHERE id = ? AND version = ?`, append(args, id, version)...)
}

func (s *Store) forget(id int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, id)
}

// HandOver puts e, for the fallback, into the outbox, and marks the row as handed; once,
// and only as long as the row is there.
func (s *Store) HandOver(ctx context.Context, id int64, e alert.Event, at time.Time) error {
	if err := readable(e); err != nil {
		return wrap("hand a message to the fallback", err)
	}
	return wrap("hand a message to the fallback", s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		n, err := tx.Exec(ctx, `UPDATE outrider_checker_outbox SET handed = 1 WHERE id = ? AND handed = 0`, id)
		if err != nil || n == 0 {
			return err
		}
		return tell(ctx, tx, []alert.Event{e}, at)
	}))
}

// Receipt returns the one that stands for the thread of an incident at a receiver, nil
// without.
func (s *Store) Receipt(ctx context.Context, receiver, incident string) (json.RawMessage, error) {
	var receipt string
	err := s.read(ctx, func(ctx context.Context, tx *db.Tx) error {
		receipt = ""
		return rows(ctx, tx, func(scan func(...any) error) error { return scan(&receipt) },
			`SELECT receipt FROM outrider_checker_threads WHERE receiver = ? AND incident = ?`, text(receiver), text(incident))
	})
	return raw(receipt), wrap("read the receipt", err)
}

// Waiting is what a receiver was not told yet.
type Waiting struct {
	Receiver string
	Count    int
	// Oldest is since when, Critical likewise of what is critical, zero without.
	Oldest, Critical time.Time
	Worst            rule.Severity
	// Err is why a try failed last.
	Err string
}

// Backlog returns every receiver that was not told all, also one that the config has no
// more, by name.
func (s *Store) Backlog(ctx context.Context) (all []Waiting, err error) {
	err = s.read(ctx, func(ctx context.Context, tx *db.Tx) error {
		all = nil
		err := rows(ctx, tx, func(scan func(...any) error) error {
			var receiver string
			var severity rule.Severity
			var count int
			var oldest int64
			if err := scan(&receiver, &severity, &count, &oldest); err != nil {
				return err
			}
			receiver = from(receiver)
			if len(all) == 0 || all[len(all)-1].Receiver != receiver {
				all = append(all, Waiting{Receiver: receiver, Worst: severity, Oldest: moment(oldest)})
			}
			w := &all[len(all)-1]
			w.Count += count
			if severity.Rank() > w.Worst.Rank() {
				w.Worst = severity
			}
			if t := moment(oldest); t.Before(w.Oldest) {
				w.Oldest = t
			}
			if severity == rule.Critical {
				w.Critical = moment(oldest)
			}
			return nil
		}, `SELECT receiver, severity, count(*), min(created_at) FROM outrider_checker_outbox GROUP BY receiver, severity ORDER BY receiver`)
		if err != nil {
			return err
		}
		return rows(ctx, tx, func(scan func(...any) error) error {
			var receiver, why string
			err := scan(&receiver, &why)
			for i := range all {
				if all[i].Receiver == from(receiver) {
					all[i].Err = from(why)
				}
			}
			return err
		}, `SELECT receiver, err FROM outrider_checker_outbox WHERE err <> '' ORDER BY next_at`)
	})
	return all, wrap("read what is not told", err)
}

// Put adds more to tell, such as what an action did.
func (s *Store) Put(ctx context.Context, events []alert.Event, at time.Time) error {
	if err := readable(events...); err != nil {
		return wrap("put messages into the outbox", err)
	}
	return wrap("put messages into the outbox", s.write(ctx, func(ctx context.Context, tx *db.Tx) error { return tell(ctx, tx, events, at) }))
}

// readable refuses events that could not be read again: they would stand in the way of
// all that comes after them.
func readable(events ...alert.Event) error {
	data, err := encode(events)
	if err != nil {
		return err
	}
	var again []alert.Event
	return decode([]byte(data), &again)
}
