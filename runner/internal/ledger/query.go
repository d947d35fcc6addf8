package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

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
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		runs = nil
		for _, one := range f.perState() {
			query, args := one.query(l.db.Kind, strings.Replace(columns, "log_tail", "''", 1))
			query += ` ORDER BY ` + f.id() + ` DESC`
			if f.Limit > 0 {
				query += ` LIMIT ?`
				args = append(args, f.Limit)
			}
			some, err := list(ctx, tx, query, args...)
			if err != nil {
				return err
			}
			runs = append(runs, some...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	slices.SortFunc(runs, func(a, b Run) int { return strings.Compare(b.ID, a.ID) })
	if f.Limit > 0 && len(runs) > f.Limit {
		runs = runs[:f.Limit]
	}
	return runs, nil
}

// Count is how many runs a filter picks, whatever its Limit.
func (l *Ledger) Count(ctx context.Context, f Filter) (n int, err error) {
	err = l.db.Read(ctx, func(ctx context.Context, tx *db.Tx) error {
		n = 0
		for _, one := range f.perState() {
			query, args := one.query(l.db.Kind, `count(*)`)
			var some int
			if err := tx.QueryRow(ctx, query, args...).Scan(&some); err != nil {
				return err
			}
			n += some
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("count runs: %w", err)
	}
	return n, err
}

// perState are filters that together pick the same, each of one state at most: its
// index then has the runs in their order, and a page costs what is on it.
func (f Filter) perState() []Filter {
	if len(f.States) < 2 {
		return []Filter{f}
	}
	states := slices.Clone(f.States)
	slices.Sort(states)
	var all []Filter
	for _, s := range slices.Compact(states) {
		one := f
		one.States = []run.State{s}
		all = append(all, one)
	}
	return all
}

// clockSlack is how far the time in an id, of the host's clock, may be from the
// ledger's.
const clockSlack = 24 * time.Hour

// id is the column by which runs are ordered: of the index that leads.
func (f Filter) id() string {
	if len(f.Labels) > 0 {
		return `l0.run`
	}
	return `id`
}

// query selects what from the runs of the filter, which names one state at most.
func (f Filter) query(kind db.Kind, what string) (string, []any) {
	var terms []string
	var args []any
	add := func(term string, values ...any) {
		terms, args = append(terms, term), append(args, values...)
	}
	from := `outrider_runs`
	for i, name := range slices.Sorted(maps.Keys(f.Labels)) {
		// The first label leads: its index has the runs in their order.
		l := "l" + strconv.Itoa(i)
		from += ` JOIN outrider_labels ` + l + ` ON ` + l + `.run = id`
		add(l+`.name = ? AND `+l+`.value = ?`, name, f.Labels[name])
	}
	other := ``
	for _, s := range f.States {
		add(`state = ?`, string(s))
		if s != run.Success && kind == db.SQLite {
			// Such runs are few. SQLite does not know and might look through all of a
			// component; this keeps it from that one's index.
			other = `+`
		}
	}
	if f.Component != "" {
		add(other+`component = ?`, f.Component)
	}
	if f.Workflow != "" {
		add(other+`workflow = ? AND workflow <> ''`, f.Workflow) // the index leaves out those without
	}
	// The bound of the id spares looking at all that is older.
	if !f.Since.IsZero() {
		add(`asked_at >= ? AND `+f.id()+` >= ?`, f.Since.UnixMilli(), idAt(f.Since.Add(-clockSlack)))
	}
	if !f.Until.IsZero() {
		add(`asked_at < ? AND `+f.id()+` < ?`, f.Until.UnixMilli(), idAt(f.Until.Add(clockSlack)))
	}
	if f.Before != "" {
		add(f.id()+` < ?`, f.Before)
	}
	query := `SELECT ` + what + ` FROM ` + from
	if len(terms) > 0 {
		query += ` WHERE ` + strings.Join(terms, ` AND `)
	}
	return query, args
}

// idAt is the smallest id of a time.
func idAt(t time.Time) string {
	var id ulid.ULID
	ms := min(max(t.UnixMilli(), 0), int64(ulid.MaxTime()))
	if id.SetTime(uint64(ms)) != nil {
		return ""
	}
	return id.String()
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
		if f.Children, err = list(ctx, tx, `SELECT `+columns+` FROM outrider_runs WHERE parent = ? AND parent <> '' ORDER BY id`, id); err != nil {
			return err
		}
		if f.Reruns, err = list(ctx, tx, `SELECT `+columns+` FROM outrider_runs WHERE rerun_of = ? AND rerun_of <> '' ORDER BY id`, id); err != nil {
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
