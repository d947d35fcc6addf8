package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// Loaded is all that a pass begins with.
type Loaded struct {
	State checker.State
	// Cursors by source; those that have none are not in it.
	Cursors map[string]json.RawMessage
	// Silences are all that there are, those that ended of late too.
	Silences []alert.Silence
	// Notes say what could not be read: it is dropped, and learned anew.
	Notes []string
}

// Load reads what was committed last. What cannot be read of a source is left out, and
// gone with the next Commit. Its error is db.ErrNewer where a newer program has written it.
func (s *Store) Load(ctx context.Context) (l Loaded, err error) {
	var bad damage
	err = s.read(ctx, func(ctx context.Context, tx *db.Tx) error {
		l, bad = Loaded{Cursors: map[string]json.RawMessage{}}, damage{}
		if err := still(ctx, tx); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `SELECT state FROM outrider_checker_meta`).Scan(&l.State.Version)
		if err != nil {
			return err
		}
		if err := known("the checker's state", l.State.Version, checker.Version); err != nil {
			return err
		}
		if err := l.sources(ctx, tx, &bad); err != nil {
			return err
		}
		if l.State.Alerts, err = book(ctx, tx); err != nil {
			return err
		}
		l.Silences, err = silences(ctx, tx)
		return err
	})
	if err == nil {
		l.Notes = bad.notes()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bad = bad
	}
	return l, wrap("load the checker's state", err)
}

// Position is where a source had stopped.
type Position struct {
	// Cursor is nil where it gives none, or was never asked. Known: it has answered before.
	Cursor json.RawMessage
	Known  bool
}

// Positions of the sources, by name.
func (l Loaded) Positions() map[string]Position {
	all := map[string]Position{}
	for name, cursor := range l.Cursors {
		all[name] = Position{Cursor: cursor}
	}
	for name := range l.State.Sources {
		all[name] = Position{l.Cursors[name], true}
	}
	return all
}

// Positions are those that Load will return, if all that is remembered can be read. They
// come sooner.
func (s *Store) Positions(ctx context.Context) (map[string]Position, error) {
	all := map[string]Position{}
	err := s.read(ctx, func(ctx context.Context, tx *db.Tx) error {
		clear(all)
		return rows(ctx, tx, func(scan func(...any) error) error {
			var name string
			var position sql.RawBytes
			var known int
			if err := scan(&name, &position, &known); err != nil {
				return err
			}
			one := Position{Known: known == 1}
			if len(position) > 0 {
				one.Cursor = slices.Clone(json.RawMessage(position))
			}
			if one.Known || one.Cursor != nil {
				all[from(name)] = one
			}
			return nil
		}, `SELECT name, position, CASE data WHEN '' THEN 0 ELSE 1 END FROM outrider_checker_sources`)
	})
	return all, wrap("ask where the sources had stopped", err)
}

// still has all statements of a transaction see the same, also while a pass is stored. On
// SQLite they do.
func still(ctx context.Context, tx *db.Tx) error {
	if tx.Kind() == db.SQLite {
		return nil
	}
	none := func(func(...any) error) error { return nil }
	return rows(ctx, tx, none, `SET TRANSACTION ISOLATION LEVEL REPEATABLE READ`)
}

func (l *Loaded) sources(ctx context.Context, tx *db.Tx, bad *damage) error {
	l.State.Sources = map[string]history.Source{}
	l.State.Down = map[string]checker.Down{}
	l.State.Unwatched = map[string]time.Time{}
	err := rows(ctx, tx, func(scan func(...any) error) error {
		var name string
		var data, open, position, down, unwatched sql.RawBytes
		if err := scan(&name, &data, &open, &position, &down, &unwatched); err != nil {
			return err
		}
		err := l.source(from(name), data, open, position, down, unwatched)
		if _, is := errors.AsType[*unreadable](err); is {
			bad.source(name, err)
			return nil
		}
		return wrap("source "+from(name), err)
	}, `SELECT name, data, open_runs, position, down, unwatched FROM outrider_checker_sources`)
	if err != nil {
		return err
	}
	// Most of the state are outcomes: they get the room that they need, and no more.
	outcomes := make([]history.Outcome, 0, history.MaxOutcomes)
	return rows(ctx, tx, func(scan func(...any) error) error {
		var source, name string
		var data sql.RawBytes
		if err := scan(&source, &name, &data); err != nil {
			return err
		}
		of, there := l.State.Sources[from(source)]
		if !there {
			bad.orphan(source)
			return nil
		}
		w := &history.Workflow{Outcomes: outcomes}
		if err := decode(data, w); err != nil {
			bad.workflow(source, name, err)
			return nil
		}
		w.Outcomes = slices.Clone(w.Outcomes)
		of.Workflows[from(name)] = w
		return nil
	}, `SELECT source, name, data FROM outrider_checker_workflows`)
}

// source takes a source in, all of it or nothing. Its error is unreadable where a column
// is.
func (l *Loaded) source(name string, data, open, position, down, unwatched []byte) error {
	var one history.Source
	var since checker.Down
	var left time.Time
	for _, column := range []struct {
		data []byte
		into any
		must bool
	}{
		{data, &one, false}, {open, &one.Open, len(data) > 0}, {down, &since, false}, {unwatched, &left, false}, {position, new(any), false},
	} {
		if len(column.data) == 0 && !column.must {
			continue
		}
		if err := decode(column.data, column.into); err != nil {
			return &unreadable{"it", err}
		}
	}
	if err := known("its history", one.Version, history.Version); err != nil {
		return err
	}
	if len(position) > 0 {
		l.Cursors[name] = append(json.RawMessage(nil), position...)
	}
	if len(down) > 0 {
		l.State.Down[name] = since
	}
	if len(unwatched) > 0 {
		l.State.Unwatched[name] = left
	}
	if len(data) > 0 {
		one.Workflows = map[string]*history.Workflow{}
		l.State.Sources[name] = one
	}
	return nil
}

// book reads all that is remembered of alerts.
func book(ctx context.Context, tx *db.Tx) (b alert.Book, err error) {
	var data string
	if err := tx.QueryRow(ctx, `SELECT book FROM outrider_checker_meta`).Scan(&data); err != nil {
		return b, err
	}
	if err := decode([]byte(data), &b); err != nil {
		return b, &unreadable{"what is known of all alerts", err}
	}
	if err := known("its alerts", b.Version, alert.Version); err != nil {
		return b, err
	}
	if b.Alerts, b.Incidents, err = written(ctx, tx, -1); err != nil {
		return b, err
	}
	b.Acted = map[string]time.Time{}
	err = rows(ctx, tx, func(scan func(...any) error) error {
		var name string
		var at int64
		if err := scan(&name, &at); err != nil {
			return err
		}
		b.Acted[from(name)] = time.Unix(0, at).UTC()
		return nil
	}, `SELECT name, at FROM outrider_checker_acted`)
	return b, err
}

// written reads the alerts and incidents that were written outside of a pass after so
// many changes; all where that is below 0.
func written(ctx context.Context, tx *db.Tx, changes int64) (alerts map[string]alert.Alert, incidents map[string]alert.Incident, err error) {
	alerts, incidents = map[string]alert.Alert{}, map[string]alert.Incident{}
	err = each(ctx, tx, func(data []byte) error {
		var a alert.Alert
		if err := decode(data, &a); err != nil {
			return &unreadable{"an alert", err}
		}
		alerts[a.Key] = a
		return nil
	}, `SELECT data FROM outrider_checker_alerts WHERE changed > ?`, changes)
	if err != nil {
		return nil, nil, err
	}
	err = each(ctx, tx, func(data []byte) error {
		var i alert.Incident
		if err := decode(data, &i); err != nil {
			return &unreadable{"an incident", err}
		}
		incidents[i.ID] = i
		return nil
	}, `SELECT data FROM outrider_checker_incidents WHERE changed > ?`, changes)
	return alerts, incidents, err
}
