package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/outrider-run/outrider/runner/internal/db"
)

// unreadable is a value that decodes no more: the file was damaged, or somebody wrote it
// by hand.
type unreadable struct {
	what string
	err  error
}

func (u *unreadable) Error() string { return u.what + " cannot be read: " + u.err.Error() }
func (u *unreadable) Unwrap() error { return u.err }

// damage is what Load could not read of sources. Names are as columns hold them.
type damage struct {
	sources   map[string]error
	orphans   map[string]int
	workflows []badWorkflow
}

type badWorkflow struct {
	source, name string
	err          error
}

func (d *damage) source(name string, err error) {
	if d.sources == nil {
		d.sources = map[string]error{}
	}
	d.sources[name] = err
}

// orphan is a workflow without its source, which may be one that could not be read.
func (d *damage) orphan(source string) {
	if d.orphans == nil {
		d.orphans = map[string]int{}
	}
	d.orphans[source]++
}

func (d *damage) workflow(source, name string, err error) {
	d.workflows = append(d.workflows, badWorkflow{source, name, err})
}

func (d *damage) notes() (all []string) {
	for _, name := range slices.Sorted(maps.Keys(d.sources)) {
		all = append(all, fmt.Sprintf("what was remembered of source %s is dropped and learned anew: %v", from(name), d.sources[name]))
	}
	for _, name := range slices.Sorted(maps.Keys(d.orphans)) {
		if d.sources[name] == nil {
			all = append(all, fmt.Sprintf("%d workflows of source %s are dropped and learned anew: the source itself is not remembered", d.orphans[name], from(name)))
		}
	}
	for _, w := range d.workflows {
		all = append(all, fmt.Sprintf("the history of workflow %s of source %s is dropped and learned anew: %v", from(w.name), from(w.source), w.err))
	}
	return all
}

// drop deletes the rows.
func (d *damage) drop(ctx context.Context, tx *db.Tx) error {
	for name := range d.sources {
		if _, err := tx.Exec(ctx, `DELETE FROM outrider_checker_sources WHERE name = ?`, name); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM outrider_checker_workflows WHERE source = ?`, name); err != nil {
			return err
		}
	}
	for name := range d.orphans {
		if _, err := tx.Exec(ctx, `DELETE FROM outrider_checker_workflows WHERE source = ?`, name); err != nil {
			return err
		}
	}
	for _, w := range d.workflows {
		if _, err := tx.Exec(ctx, `DELETE FROM outrider_checker_workflows WHERE source = ? AND name = ?`, w.source, w.name); err != nil {
			return err
		}
	}
	return nil
}

// remedy says where the value is that cannot be read, and what to do.
func (s *Store) remedy(err error) error {
	if _, is := errors.AsType[*unreadable](err); !is {
		return err
	}
	if s.file != "" {
		return fmt.Errorf("%w; it is in %s: put a backup there, or move it away, then the checker learns anew and tells again what still fires", err, s.file)
	}
	return fmt.Errorf("%w; it is in the tables outrider_checker_* of the schema %s, %s: restore them, or drop the schema's tables outrider_checker_*,"+
		" then the checker learns anew and tells again what still fires", err, s.schema, s.at)
}

// read runs do in a transaction that reads.
func (s *Store) read(ctx context.Context, do func(ctx context.Context, tx *db.Tx) error) error {
	return s.remedy(s.db.Read(ctx, do))
}
