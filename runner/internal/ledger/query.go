package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// Filter picks runs; what is empty picks all.
type Filter struct {
	States    []run.State
	Component string
	Workflow  string
	Labels    map[string]string
	// Since and Until bound the time of asking; Until is not in it.
	Since, Until time.Time
	// Before is a run's id: only older ones. It stays true whatever comes meanwhile.
	Before string
	// Limit is how many at most; 0: all.
	Limit int
}

// List returns runs, the newest first, without their log tails.
func (l *Ledger) List(ctx context.Context, f Filter) (runs []Run, err error) {
	where, args := f.where()
	query := `SELECT ` + strings.Replace(columns, "log_tail", "''", 1) + ` FROM outrider_runs` + where + ` ORDER BY id DESC`
	if f.Limit > 0 {
		query += ` LIMIT ?`
		args = append(args, f.Limit)
	}
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		runs, err = list(ctx, tx, query, args...)
		return err
	})
	if err != nil {
		err = fmt.Errorf("list runs: %w", err)
	}
	return runs, err
}

func (f Filter) where() (string, []any) {
	var terms []string
	var args []any
	add := func(term string, values ...any) {
		terms, args = append(terms, term), append(args, values...)
	}
	if len(f.States) > 0 {
		var states []any
		for _, s := range f.States {
			states = append(states, string(s))
		}
		add(`state IN (?`+strings.Repeat(", ?", len(states)-1)+`)`, states...)
	}
	if f.Component != "" {
		add(`component = ?`, f.Component)
	}
	if f.Workflow != "" {
		add(`workflow = ?`, f.Workflow)
	}
	for name, value := range f.Labels {
		add(`id IN (SELECT run FROM outrider_labels WHERE name = ? AND value = ?)`, name, value)
	}
	// An id sorts by its time.
	if !f.Since.IsZero() {
		add(`asked_at >= ?`, f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		add(`asked_at < ?`, f.Until.UnixMilli())
	}
	if f.Before != "" {
		add(`id < ?`, f.Before)
	}
	if len(terms) == 0 {
		return "", nil
	}
	return ` WHERE ` + strings.Join(terms, ` AND `), args
}

func list(ctx context.Context, tx *db.Tx, query string, args ...any) ([]Run, error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var runs []Run
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, rows.Err()
}

// Get returns a run by its id. Its error is ErrNoRun where there is none.
func (l *Ledger) Get(ctx context.Context, id string) (r Run, err error) {
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		r, err = get(ctx, tx, id)
		return err
	})
	return r, err
}

func get(ctx context.Context, tx *db.Tx, id string) (Run, error) {
	r, err := scan(tx.QueryRow(ctx, `SELECT `+columns+` FROM outrider_runs WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("%w: %s", ErrNoRun, id)
	}
	return r, err
}

// Link is a call that took a run's result.
type Link struct {
	ID   string    `json:"call"`
	Kind string    `json:"kind"` // hit, join or remembered
	At   time.Time `json:"at"`
	Host string    `json:"host"`
	PID  int       `json:"pid"`
	Task string    `json:"task,omitempty"`
}

// Family is what belongs to a run.
type Family struct {
	Run Run `json:"run"`
	// Above is the run that it is part of, or whose rerun it is, and so on up.
	Above []Run `json:"above,omitempty"`
	// Children are parts of it, Reruns were made of it, Links took its result.
	Children  []Run      `json:"children,omitempty"`
	Reruns    []Run      `json:"reruns,omitempty"`
	Links     []Link     `json:"links,omitempty"`
	Artifacts []Artifact `json:"artifacts,omitempty"`
}

// Show returns a run with all that belongs to it.
func (l *Ledger) Show(ctx context.Context, id string) (f Family, err error) {
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		f = Family{}
		if f.Run, err = get(ctx, tx, id); err != nil {
			return err
		}
		for up := f.Run; len(f.Above) < 100; {
			next := up.Parent
			if up.RerunOf != "" {
				next = up.RerunOf
			}
			if next == "" {
				break
			}
			if up, err = get(ctx, tx, next); errors.Is(err, ErrNoRun) {
				break // pruned
			} else if err != nil {
				return err
			}
			f.Above = append(f.Above, up)
		}
		if f.Children, err = list(ctx, tx, `SELECT `+columns+` FROM outrider_runs WHERE parent = ? ORDER BY id`, id); err != nil {
			return err
		}
		if f.Reruns, err = list(ctx, tx, `SELECT `+columns+` FROM outrider_runs WHERE rerun_of = ? ORDER BY id`, id); err != nil {
			return err
		}
		if f.Links, err = links(ctx, tx, id); err != nil {
			return err
		}
		f.Artifacts, err = artifacts(ctx, tx, `run = ?`, id)
		return err
	})
	return f, err
}

func links(ctx context.Context, tx *db.Tx, id string) ([]Link, error) {
	rows, err := tx.Query(ctx, `SELECT id, kind, at, host, pid, task FROM outrider_links WHERE run = ? ORDER BY id`, id)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var all []Link
	for rows.Next() {
		var k Link
		var at int64
		if err := rows.Scan(&k.ID, &k.Kind, &at, &k.Host, &k.PID, &k.Task); err != nil {
			return nil, err
		}
		k.At = moment(at)
		all = append(all, k)
	}
	return all, rows.Err()
}

// Cancel asks the host of a run to end it, and says why. It is true when the run
// goes on; its host obeys within two seconds.
func (l *Ledger) Cancel(ctx context.Context, id, why string) (asked bool, err error) {
	err = l.db.Write(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := get(ctx, tx, id); err != nil {
			return err
		}
		n, err := tx.Exec(ctx, `UPDATE outrider_runs SET cancel = ? WHERE id = ? AND state IN ('waiting', 'running')`, why, id)
		asked = n > 0
		return err
	})
	return asked, err
}
