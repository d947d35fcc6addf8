package store

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// keep adds to a pass's result what was changed beside it: that somebody acknowledged,
// and that it was told.
func keep(before, after alert.Book, alerts map[string]alert.Alert, incidents map[string]alert.Incident) alert.Book {
	after.Alerts, after.Incidents = maps.Clone(after.Alerts), maps.Clone(after.Incidents)
	for key, now := range alerts {
		a, there := after.Alerts[key]
		if there && !reflect.DeepEqual(now.Ack, before.Alerts[key].Ack) {
			a.Ack = now.Ack
			after.Alerts[key] = a
		}
	}
	for id, now := range incidents {
		if i, there := after.Incidents[id]; there {
			i.Seq += now.Seq - before.Incidents[id].Seq
			if now.Last.After(i.Last) {
				i.Last = now.Last
			}
			after.Incidents[id] = i
		}
	}
	return after
}

// putBook writes what differs between two books. changes is meta.changes where that is
// outside of a pass, else 0.
func putBook(ctx context.Context, tx *db.Tx, before, after alert.Book, changes int64) error {
	if err := putMap(ctx, tx, "alerts", before.Alerts, after.Alerts, changes); err != nil {
		return err
	}
	if err := putMap(ctx, tx, "incidents", before.Incidents, after.Incidents, changes); err != nil {
		return err
	}
	var acted [][]any
	for _, key := range slices.Sorted(maps.Keys(after.Acted)) {
		if at, was := before.Acted[key]; !was || !at.Equal(after.Acted[key]) {
			acted = append(acted, []any{text(key), after.Acted[key].UnixNano()})
		}
	}
	if err := put(ctx, tx, "acted", 1, []string{"name", "at"}, acted); err != nil {
		return err
	}
	if err := remove(ctx, tx, `acted WHERE name`, nil, missing(before.Acted, after.Acted)); err != nil {
		return err
	}
	after.Alerts, after.Incidents, after.Acted = nil, nil, nil
	data, err := encode(after)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE outrider_checker_meta SET book = ?`, data)
	return err
}

// putMap writes the rows of a table that differ.
func putMap[V any](ctx context.Context, tx *db.Tx, table string, before, after map[string]V, changes int64) error {
	columns := []string{"name", "data"}
	if changes > 0 {
		columns = append(columns, "changed")
	}
	var rows [][]any
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if was, there := before[key]; there && reflect.DeepEqual(was, after[key]) {
			continue
		}
		data, err := encode(after[key])
		if err != nil {
			return wrap(key, err)
		}
		rows = append(rows, []any{text(key), data, changes}[:len(columns)])
	}
	if err := put(ctx, tx, table, 1, columns, rows); err != nil {
		return err
	}
	return remove(ctx, tx, table+` WHERE name`, nil, missing(before, after))
}

// missing are the keys that are there before and not after.
func missing[V any](before, after map[string]V) (all []string) {
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, there := after[key]; !there {
			all = append(all, key)
		}
	}
	return all
}

// happened is what the log is told of two books.
func happened(before, after alert.Book, at time.Time) (all []LogEntry) {
	for _, key := range slices.Sorted(maps.Keys(after.Alerts)) {
		was, is := before.Alerts[key], after.Alerts[key]
		e := LogEntry{At: at, Alert: key, Severity: is.Severity, What: is.What}
		if is.State == alert.Firing && (was.State != alert.Firing || !was.Fired.Equal(is.Fired)) {
			e.Kind, e.Note = Fired, is.Muted
			all = append(all, e)
		}
		if is.Ack != nil && !reflect.DeepEqual(was.Ack, is.Ack) {
			e.Kind, e.By, e.Note = Acked, is.Ack.By, is.Ack.Note
			all = append(all, e)
		}
		if is.State == alert.Resolved && was.State == alert.Firing {
			e.Kind, e.By, e.Note = Resolved, "", is.Reason
			all = append(all, e)
		}
	}
	return all
}

// Change does what somebody asks for, such as an acknowledgement, outside of a pass, also
// while one is made. do may be called more than once, and gives the book its time. What it says of an alert beyond
// who acknowledged it gives way to a pass that changes that alert too.
func (s *Store) Change(ctx context.Context, do func(b alert.Book) (alert.Book, []alert.Event, error)) error {
	return wrap("change the alerts", s.write(ctx, func(ctx context.Context, tx *db.Tx) error {
		before, err := book(ctx, tx)
		if err != nil {
			return err
		}
		after, events, err := do(before)
		if err != nil {
			return err
		}
		var changes int64
		err = tx.QueryRow(ctx, `UPDATE outrider_checker_meta SET changes = changes + 1 RETURNING changes`).Scan(&changes)
		if err != nil {
			return err
		}
		if err := putBook(ctx, tx, before, after, changes); err != nil {
			return err
		}
		if err := note(ctx, tx, happened(before, after, after.At)); err != nil {
			return err
		}
		return tell(ctx, tx, events, after.At)
	}))
}
