package main

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

// memory is a Digdag server's attempts, as observe asks for them.
type memory struct {
	digdag // what is not there is not asked for
	page   int
	next   int64
	rows   map[int64]client.Attempt
	// late are ids that were given out and whose rows are not committed yet.
	late map[int64]bool
	life int // which database this is
	now  time.Time
	// meanwhile is what happens before each request.
	meanwhile func()
	// project and workflow are what is started.
	project, workflow client.Ref
	requests          int
}

func newMemory(page int) *memory {
	return &memory{page: page, next: 1, rows: map[int64]client.Attempt{}, late: map[int64]bool{}, now: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC), meanwhile: func() {}, project: client.Ref{ID: "1", Name: "p"}, workflow: client.Ref{Name: "w"}}
}

// reset is a server in memory that was started anew.
func (m *memory) reset() {
	m.next, m.rows, m.late = 1, map[int64]client.Attempt{}, map[int64]bool{}
	m.life++
}

// give gives out an id.
func (m *memory) give() int64 {
	m.next++
	return m.next - 1
}

func (m *memory) commit(n int64) {
	delete(m.late, n)
	m.rows[n] = client.Attempt{
		ID: idOf(n), Index: 1, SessionID: idOf(n), SessionUUID: fmt.Sprintf("%d-%d", m.life, n), CreatedAt: m.now, SessionTime: m.now,
		Project: m.project, Workflow: m.workflow, Params: []byte("{}"),
	}
}

func (m *memory) end(n int64) {
	a := m.rows[n]
	a.Done, a.Success, a.FinishedAt = true, true, m.now
	m.rows[n] = a
}

// open are the ids of what is not done, ascending.
func (m *memory) open() (ids []int64) {
	for n, a := range m.rows {
		if !a.Done {
			ids = append(ids, n)
		}
	}
	slices.Sort(ids)
	return ids
}

func (m *memory) asked() {
	m.requests++
	m.meanwhile()
}

func (m *memory) Version(context.Context) (string, error) { return "0.10.5", nil }

func (m *memory) AttemptsPage(_ context.Context, f client.AttemptFilter) (page []client.Attempt, err error) {
	m.asked()
	if !f.IncludeRetried {
		return nil, fmt.Errorf("asked for without those that were retried")
	}
	for n := m.next; n > 0 && len(page) < m.page; n-- {
		if a, ok := m.rows[n]; ok && (f.Before == "" || a.ID.Compare(f.Before) < 0) {
			page = append(page, a)
		}
	}
	return page, nil
}

func (m *memory) Attempt(_ context.Context, id client.ID) (client.Attempt, error) {
	m.asked()
	n, err := strconv.ParseInt(string(id), 10, 64)
	if a, ok := m.rows[n]; ok && err == nil {
		return a, nil
	}
	return client.Attempt{}, &client.Error{Status: 404, Code: client.CodeNotFound, Message: "none"}
}

func (m *memory) Schedules(context.Context, client.ScheduleFilter) iter.Seq2[client.Schedule, error] {
	return func(func(client.Schedule, error) bool) {}
}

func (m *memory) AllWorkflows(context.Context) iter.Seq2[client.Workflow, error] {
	return func(func(client.Workflow, error) bool) {}
}

func (m *memory) Requests() int { return m.requests }

func (m *memory) Endpoint() string { return "http://digdag" }

// look makes a pass.
func (m *memory) look(t interface{ Fatal(...any) }, ask observe.Ask) observe.Snapshot {
	o := observer{digdag: m, page: m.page, now: m.now, progress: func(int, string) {}}
	s, err := o.pass(context.Background(), ask)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestObserveLosesNothing lets attempts come, end, and come late, also in the middle
// of passes: each pass has all that is open all the while, and each end is told once.
func TestObserveLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory(rapid.IntRange(1, 5).Draw(t, "page"))
		step := func() {
			m.now = m.now.Add(time.Second)
			switch rapid.SampledFrom([]string{"start", "start", "late", "commit", "end", "end"}).Draw(t, "step") {
			case "start":
				m.commit(m.give())
			case "late":
				m.late[m.give()] = true
			case "commit":
				if late := slices.Sorted(maps.Keys(m.late)); len(late) > 0 {
					m.commit(rapid.SampledFrom(late).Draw(t, "which"))
				}
			case "end":
				if open := m.open(); len(open) > 0 {
					m.end(rapid.SampledFrom(open).Draw(t, "which"))
				}
			}
			for _, n := range slices.Sorted(maps.Keys(m.late)) { // no transaction lasts for ever
				if m.next-n >= int64(m.page) {
					m.commit(n)
				}
			}
		}
		steps := func(most int) {
			for range rapid.IntRange(0, most).Draw(t, "steps") {
				step()
			}
		}
		steps(20)
		var ask observe.Ask
		ended, past := map[string]int{}, map[string]bool{}
		for n, a := range m.rows {
			past[string(idOf(n))] = a.Done
		}
		pass := func() observe.Snapshot {
			ask.Limit = rapid.IntRange(1, 4).Draw(t, "limit")
			m.now = m.now.Add(time.Second)
			before := m.open()
			s := m.look(t, ask)
			ask.Cursor = s.Cursor
			seen := map[string]bool{}
			for _, r := range s.Runs {
				if r.State.Ended() {
					ended[r.ID]++
				}
				seen[r.ID] = true
			}
			for _, n := range before {
				if a := m.rows[n]; !a.Done && !seen[string(a.ID)] {
					t.Fatalf("attempt %d is open all the while and not in %v", n, seen)
				}
			}
			if s.Reset {
				t.Fatal("there was no reset")
			}
			return s
		}
		for range rapid.IntRange(1, 8).Draw(t, "passes") {
			m.meanwhile = func() { steps(2) }
			pass()
			m.meanwhile = func() {}
			steps(12)
		}
		for _, n := range slices.Sorted(maps.Keys(m.late)) {
			m.commit(n)
		}
		for i := 0; pass().Cut; i++ {
			if i > len(m.rows) {
				t.Fatal("no pass is the last")
			}
		}
		for n, a := range m.rows {
			want := 0
			if a.Done && !past[string(a.ID)] {
				want = 1
			}
			if ended[string(a.ID)] != want {
				t.Errorf("the end of attempt %d, done %v, was told %d times, want %d", n, a.Done, ended[string(a.ID)], want)
			}
		}
	})
}

// TestObserveSeesAReset starts the server anew on an empty database, on which more or
// fewer attempts have come since.
func TestObserveSeesAReset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory(rapid.IntRange(2, 5).Draw(t, "page"))
		for range rapid.IntRange(1, 12).Draw(t, "before") {
			n := m.give()
			if m.commit(n); rapid.Bool().Draw(t, "ends") {
				m.end(n)
			}
		}
		first := m.look(t, observe.Ask{Limit: 100})
		high := m.next - 1
		m.reset()
		m.now = m.now.Add(time.Hour)
		count := int64(rapid.IntRange(0, 30).Draw(t, "after"))
		if over := count - high; over > 0 && over%int64(m.page) == 0 {
			count++ // a page would end above what tells
		}
		for range count {
			n := m.give()
			if m.commit(n); rapid.Bool().Draw(t, "ends") {
				m.end(n)
			}
		}
		s := m.look(t, observe.Ask{Limit: 100, Cursor: first.Cursor})
		if !s.Reset || len(s.Runs) != len(m.rows) {
			t.Fatalf("reset %v, %d runs of %d", s.Reset, len(s.Runs), len(m.rows))
		}
		if again := m.look(t, observe.Ask{Limit: 100, Cursor: s.Cursor}); again.Reset || len(again.Runs) != len(m.open()) {
			t.Fatalf("then: reset %v, %d runs, want the %d that are open", again.Reset, len(again.Runs), len(m.open()))
		}
	})
}
