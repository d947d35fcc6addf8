package main

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

// memory is an Airflow's runs, as observe asks for them.
type memory struct {
	airflow // what is not there is not asked for
	page    int
	next    int
	silent  bool            // it does not tell how many there are
	rows    map[string]*row // by runID
	now     time.Time
	// meanwhile is what happens before each request.
	meanwhile func()
	requests  int
}

// row is a run. Until its transaction is there, at shown, the change to run is not.
type row struct {
	client.DAGRun
	n     int // Airflow's own id
	ends  time.Time
	shown time.Time
}

func newMemory(page int) *memory {
	return &memory{page: page, rows: map[string]*row{}, now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), meanwhile: func() {}}
}

func (m *memory) start(state string) *row {
	m.next++
	r := &row{n: m.next, DAGRun: client.DAGRun{DAG: fmt.Sprintf("d%d", m.next%3), ID: fmt.Sprintf("manual__%d", m.next/3), State: state, Type: "manual"}}
	if state == "running" {
		r.Start = m.now
	}
	m.rows[runID(r.DAG, r.ID)] = r
	return r
}

// end ends a run, which the others see after a while.
func (m *memory) end(r *row, late time.Duration) {
	r.ends, r.shown = m.now, m.now.Add(late)
	m.settle()
}

// clear opens a run that ended.
func (m *memory) clear(r *row) { r.State, r.Start, r.End = "queued", time.Time{}, time.Time{} }

func (m *memory) settle() {
	for _, r := range m.rows {
		if !r.ends.IsZero() && !m.now.Before(r.shown) {
			r.State, r.End, r.ends = "success", r.ends, time.Time{}
		}
	}
}

// those are the runs that are as f says, in the order of their ids.
func (m *memory) those(f func(*row) bool) (all []*row) {
	for _, r := range m.rows {
		if f(r) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *row) int { return a.n - b.n })
	return all
}

func isOpen(r *row) bool { return !r.Ended() }

func (m *memory) asked() {
	m.requests++
	m.meanwhile()
}

func (m *memory) Version(context.Context) (client.Version, error) {
	return client.Version{Version: "3.3.2", API: 2}, nil
}

func (m *memory) Now() time.Time { return m.now }

func (m *memory) Health(context.Context) ([]client.Part, error) { return nil, nil }

func (m *memory) RunsPage(_ context.Context, f client.RunFilter) ([]client.DAGRun, int, error) {
	m.asked()
	all := m.those(func(r *row) bool {
		return slices.Contains(f.States, r.State) && (f.EndedSince.IsZero() || !r.End.IsZero() && !r.End.Before(f.EndedSince))
	})
	switch f.OrderBy {
	case "id":
	case "end_date":
		slices.SortStableFunc(all, func(a, b *row) int { return cmp.Or(a.End.Compare(b.End), a.n-b.n) })
	default:
		return nil, 0, fmt.Errorf("ordered by %q", f.OrderBy)
	}
	var page []client.DAGRun
	for _, r := range all[min(f.Offset, len(all)):min(f.Offset+min(m.page, f.Limit), len(all))] {
		page = append(page, r.DAGRun)
	}
	if m.silent {
		return page, -1, nil
	}
	return page, len(all), nil
}

func (m *memory) Run(_ context.Context, dag, run string) (client.DAGRun, error) {
	m.asked()
	if r := m.rows[runID(dag, run)]; r != nil {
		return r.DAGRun, nil
	}
	return client.DAGRun{}, &client.Error{Code: client.CodeNotFound, Message: "none"}
}

func (m *memory) DAGs(context.Context, client.DAGFilter) iter.Seq2[client.DAG, error] {
	return func(func(client.DAG, error) bool) {}
}

func (m *memory) Link(string, string, string, int) string { return "" }

func (m *memory) Requests() int { return m.requests }

func (m *memory) Endpoint() string { return "http://airflow" }

// look makes a pass.
func (m *memory) look(t interface{ Fatal(...any) }, ask observe.Ask) observe.Snapshot {
	o := observer{airflow: m, progress: func(int, string) {}}
	s, err := o.pass(context.Background(), ask, false)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestObserveLosesNothing lets runs come, end, be cleared and deleted, also in the
// middle of passes and between their pages, and lets ends be seen late: each pass has
// all that is open all the while, and each end that stays is told once.
func TestObserveLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory(rapid.IntRange(4, 25).Draw(t, "page"))
		m.silent = rapid.Bool().Draw(t, "silent")
		step := func() {
			m.now = m.now.Add(time.Second)
			m.settle()
			one := func(of []*row) *row {
				if len(of) == 0 {
					return nil
				}
				return rapid.SampledFrom(of).Draw(t, "which")
			}
			switch rapid.SampledFrom([]string{"queue", "start", "run", "end", "end", "end late", "clear", "delete"}).Draw(t, "step") {
			case "queue":
				m.start("queued")
			case "start":
				m.start("running")
			case "run":
				if r := one(m.those(func(r *row) bool { return r.State == "queued" })); r != nil {
					r.State, r.Start = "running", m.now
				}
			case "end":
				if r := one(m.those(func(r *row) bool { return isOpen(r) && r.ends.IsZero() })); r != nil {
					m.end(r, 0)
				}
			case "end late":
				if r := one(m.those(func(r *row) bool { return isOpen(r) && r.ends.IsZero() })); r != nil {
					m.end(r, time.Duration(rapid.IntRange(1, 90).Draw(t, "late"))*time.Second)
				}
			case "clear":
				if r := one(m.those(func(r *row) bool { return r.Ended() })); r != nil {
					m.clear(r)
				}
			case "delete":
				if r := one(m.those(isOpen)); r != nil && rapid.Bool().Draw(t, "really") {
					delete(m.rows, runID(r.DAG, r.ID))
				}
			}
		}
		steps := func(most int) {
			for range rapid.IntRange(0, most).Draw(t, "steps") {
				step()
			}
		}
		for range rapid.IntRange(0, 60).Draw(t, "many") {
			m.start("running")
		}
		steps(20)
		type end struct {
			id string
			at time.Time
		}
		told, past := map[end]int{}, map[end]bool{}
		var first time.Time
		var ask observe.Ask
		pass := func() observe.Snapshot {
			ask.Limit = rapid.IntRange(1, 4).Draw(t, "limit")
			m.now = m.now.Add(time.Duration(rapid.IntRange(1, 200).Draw(t, "later")) * time.Second)
			m.settle()
			if first.IsZero() {
				first = m.now
				for id, r := range m.rows {
					past[end{id, r.End}] = r.Ended()
				}
			}
			before := map[string]bool{}
			for _, r := range m.those(isOpen) {
				before[runID(r.DAG, r.ID)] = true
			}
			quiet := m.meanwhile
			m.meanwhile = func() {
				quiet()
				for id := range before {
					if r := m.rows[id]; r == nil || r.Ended() {
						delete(before, id)
					}
				}
			}
			s := m.look(t, ask)
			m.meanwhile = quiet
			ask.Cursor = s.Cursor
			open := map[string]bool{}
			for _, r := range s.Runs {
				if r.State.Ended() {
					told[end{r.ID, r.Ended}]++
				} else {
					open[r.ID] = true
				}
			}
			for id := range before {
				if r := m.rows[id]; r != nil && isOpen(r) && !open[id] {
					t.Fatalf("%s is open all the while, and not in the report", id)
				}
			}
			return s
		}
		for range rapid.IntRange(1, 8).Draw(t, "passes") {
			m.meanwhile = func() { steps(2) }
			pass()
			m.meanwhile = func() {}
			steps(12)
		}
		m.now = m.now.Add(overlap)
		m.settle()
		for i := 0; pass().Cut; i++ {
			if i > len(m.rows)+5 {
				t.Fatal("no pass is the last")
			}
		}
		for id, r := range m.rows {
			if e := (end{id, r.End}); r.Ended() && !e.at.Before(first) && told[e] != 1 {
				t.Errorf("the end of %s at %s was told %d times", id, r.End, told[e])
			}
		}
		for e, n := range told {
			if n > 1 || past[e] {
				t.Errorf("the end of %s at %s was told %d times, before the first pass: %v", e.id, e.at, n, past[e])
			}
		}
	})
}

// TestObserveWalks goes through more runs than a page holds, of which some leave.
func TestObserveWalks(t *testing.T) {
	m := newMemory(100)
	var all []*row
	for range 350 {
		all = append(all, m.start("running"))
	}
	gone := 0
	m.meanwhile = func() {
		if m.requests > 1 { // each time more than a page has in common with the next
			for range 15 {
				m.end(all[gone], 0)
				gone++
			}
		}
	}
	s := m.look(t, observe.Ask{Limit: 1000})
	open := map[string]bool{}
	for _, r := range s.Runs {
		open[r.ID] = true
	}
	for _, r := range all[gone:] {
		if !open[runID(r.DAG, r.ID)] {
			t.Errorf("%s is missing", runID(r.DAG, r.ID))
		}
	}
	if len(s.Blind) > 0 || gone == 0 {
		t.Errorf("%d gone, blind %q", gone, s.Blind)
	}
}

// TestObserveOneMoment: more runs than a page holds ended at one time.
func TestObserveOneMoment(t *testing.T) {
	m := newMemory(5)
	first := m.look(t, observe.Ask{Limit: 100})
	m.now = m.now.Add(time.Hour)
	for range 23 {
		m.end(m.start("running"), 0)
	}
	ask := observe.Ask{Limit: 7, Cursor: first.Cursor}
	told := map[string]int{}
	for range 4 {
		s := m.look(t, ask)
		ask.Cursor = s.Cursor
		for _, r := range s.Runs {
			told[r.ID]++
		}
	}
	if len(told) != 23 || slices.Max(slices.Collect(maps.Values(told))) != 1 {
		t.Errorf("%d told: %v", len(told), told)
	}
}
