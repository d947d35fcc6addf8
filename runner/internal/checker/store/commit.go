package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// Passed is what came of a pass.
type Passed struct {
	// Before is the state that was loaded, Result what the pass made of it.
	Before checker.State
	Result checker.Result
	// Cursors of the sources that answered; others stay as they are.
	Cursors map[string]json.RawMessage
	// Events are to be told; those without a receiver are not.
	Events []alert.Event
	At     time.Time
}

// Commit stores a pass: what has changed of the state, the cursors and the events, all or
// nothing. An acknowledgement that came while the pass was made stays. Its error is
// ErrTurnLost where the turn is over; after db.ErrInDoubt it may be called again with the
// same, and is then done once.
func (s *Store) Commit(ctx context.Context, t *Turn, p Passed) error {
	s.mu.Lock()
	bad := s.bad
	s.mu.Unlock()
	name := fmt.Sprintf("pass %d.%d", t.token, t.commits)
	err := s.writeAs(ctx, name, func(ctx context.Context, tx *db.Tx) error {
		if err := t.held(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE outrider_checker_meta SET state = ?`, checker.Version); err != nil {
			return err
		}
		if err := bad.drop(ctx, tx); err != nil {
			return err
		}
		if err := settle(ctx, tx, p.At); err != nil {
			return err
		}
		if err := p.sources(ctx, tx); err != nil {
			return err
		}
		alerts, incidents, err := written(ctx, tx, t.changes)
		if err != nil {
			return err
		}
		after := keep(p.Before.Alerts, p.Result.State.Alerts, alerts, incidents)
		if err := putBook(ctx, tx, p.Before.Alerts, after, 0); err != nil {
			return err
		}
		if err := note(ctx, tx, happened(p.Before.Alerts, p.Result.State.Alerts, p.At)); err != nil {
			return err
		}
		return tell(ctx, tx, p.Events, p.At)
	})
	if err == nil {
		t.commits++
		s.mu.Lock()
		s.bad = damage{}
		s.mu.Unlock()
	}
	return wrap("store the pass", err)
}

// sources writes what has changed of the sources.
func (p Passed) sources(ctx context.Context, tx *db.Tx) error {
	was, is := p.Before, p.Result.State
	names := slices.Concat(names(was.Sources), names(is.Sources), names(was.Down), names(is.Down), names(was.Unwatched), names(is.Unwatched), names(p.Cursors))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if err := p.source(ctx, tx, name); err != nil {
			return wrap("source "+name, err)
		}
	}
	return nil
}

func (p Passed) source(ctx context.Context, tx *db.Tx, name string) error {
	_, known := p.Before.Sources[name]
	is, there := p.Result.State.Sources[name]
	_, down := p.Result.State.Down[name]
	_, unwatched := p.Result.State.Unwatched[name]
	if known && !there {
		if _, err := tx.Exec(ctx, `DELETE FROM outrider_checker_workflows WHERE source = ?`, text(name)); err != nil {
			return err
		}
	}
	if !there && !down && !unwatched && (known || p.Cursors[name] == nil) {
		_, err := tx.Exec(ctx, `DELETE FROM outrider_checker_sources WHERE name = ?`, text(name))
		return err
	}
	columns, row, err := p.columns(name)
	if err != nil {
		return err
	}
	if len(columns) > 1 {
		if err := put(ctx, tx, "sources", 1, columns, [][]any{row}); err != nil {
			return err
		}
	}
	changes := p.Result.Changes[name]
	rows := make([][]any, 0, len(changes.Workflows))
	for _, key := range changes.Workflows {
		data, err := encode(is.Workflows[key])
		if err != nil {
			return wrap("workflow "+key, err)
		}
		rows = append(rows, []any{text(name), text(key), data})
	}
	if err := put(ctx, tx, "workflows", 2, []string{"source", "name", "data"}, rows); err != nil {
		return err
	}
	return remove(ctx, tx, `workflows WHERE source = ? AND name`, []any{text(name)}, changes.Forgotten)
}

// columns are those of a source's row that differ, its name first.
func (p Passed) columns(name string) (columns []string, row []any, err error) {
	set := func(column string, v any) {
		var data string
		if v != nil && err == nil {
			data, err = encode(v)
		}
		columns, row = append(columns, column), append(row, data)
	}
	columns, row = []string{"name"}, []any{text(name)}
	was, known := p.Before.Sources[name]
	is, there := p.Result.State.Sources[name]
	if _, looked := p.Result.Changes[name]; there && (looked || !known) {
		head := is
		head.Workflows, head.Open = nil, nil
		set("data", head)
		if !known || !reflect.DeepEqual(was.Open, is.Open) {
			set("open_runs", is.Open)
		}
	}
	if cursor := p.Cursors[name]; cursor != nil {
		set("position", cursor)
	}
	before, wasDown := p.Before.Down[name]
	down, isDown := p.Result.State.Down[name]
	switch {
	case isDown && (!wasDown || before != down):
		set("down", down)
	case wasDown && !isDown:
		set("down", nil)
	}
	beforeSince, wasUnwatched := p.Before.Unwatched[name]
	since, isUnwatched := p.Result.State.Unwatched[name]
	switch {
	case isUnwatched && !(wasUnwatched && beforeSince.Equal(since)):
		set("unwatched", since)
	case wasUnwatched && !isUnwatched:
		set("unwatched", nil)
	}
	return columns, row, err
}

func names[V any](m map[string]V) []string { return slices.Collect(maps.Keys(m)) }
