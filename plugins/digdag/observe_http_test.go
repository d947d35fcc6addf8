package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

// TestObserveCosts counts requests: the version, each 100 new attempts, each 100
// schedules, each open attempt that is not among the newest 100.
func TestObserveCosts(t *testing.T) {
	s := serve(t)
	s.start(2)
	s.run(150)
	s.schedules = 150
	// Without history, all three pages would be the first pass's, were there as many.
	first := s.must(t, 1+2+2, nil)
	if got := openOf(first); !slices.Equal(got, []string{"1", "2"}) || len(first.Runs) != 2 || len(first.Schedules) != 150 || first.Version != "0.10.5.1" || first.Cut || first.Reset {
		t.Fatalf("%v, %d runs, %d schedules", got, len(first.Runs), len(first.Schedules))
	}
	// 1 and 2 are not among the newest.
	second := s.must(t, 1+1+2+2, fields{"cursor": first.Cursor})
	if got := openOf(second); !slices.Equal(got, []string{"1", "2"}) || len(second.Runs) != 2 {
		t.Errorf("%v, %d runs", got, len(second.Runs))
	}
	s.attempts.end(1)
	s.run(250)
	third := s.must(t, 1+3+2+2, fields{"cursor": second.Cursor})
	if got := openOf(third); !slices.Equal(got, []string{"2"}) || len(third.Runs) != 252 {
		t.Errorf("%v, %d runs, want 250 new ones, 1 and 2", got, len(third.Runs))
	}
	s.start(20)
	fourth := s.must(t, 1+1+2+1, fields{"cursor": third.Cursor, "details": []string{}})
	if got := openOf(fourth); len(got) != 21 || len(fourth.Runs) != 21 {
		t.Errorf("%v", got)
	}
	s.run(20_000)
	s.attempts.end(2)
	fifth := s.must(t, 1+200+2+2, fields{"cursor": fourth.Cursor, "limit": 50_000}) // 20 open ones in one page
	if got := openOf(fifth); len(got) != 20 || len(fifth.Runs) != 20+20_000+1 {
		t.Errorf("%v, %d runs", got, len(fifth.Runs))
	}
	s.run(100) // which fill a page, and are known to be all
	s.must(t, 1+1+2+1, fields{"cursor": fifth.Cursor})
}

// TestObserveLimit: what is cut off comes with the next pass.
func TestObserveLimit(t *testing.T) {
	s := serve(t)
	s.run(1)
	cursor := s.must(t, 3, nil).Cursor
	s.run(30)
	open := strconv.FormatInt(s.start(1), 10)
	var got []string
	for pass := range 4 {
		out := s.must(t, 3, fields{"cursor": cursor, "limit": 10})
		for _, r := range out.Runs {
			if r.State.Ended() {
				got = append(got, r.ID)
			}
		}
		if o := openOf(out); !slices.Equal(o, []string{open}) || out.Cut != (pass < 2) {
			t.Errorf("pass %d: open %v, cut %v", pass, o, out.Cut)
		}
		cursor = out.Cursor
	}
	if len(got) != 30 || got[0] != "2" || got[29] != "31" {
		t.Errorf("%v", got)
	}
	s.run(3000)
	s.start(1) // which the cursor must not stand behind: it would name all that is left out
	if out := s.must(t, 1+31+1, fields{"cursor": cursor, "limit": 10}); !out.Cut || len(out.Cursor) > 1000 {
		t.Errorf("a cursor of %d bytes, cut %v", len(out.Cursor), out.Cut)
	}
}

// TestObserveHistory: at a first pass, what ended since.
func TestObserveHistory(t *testing.T) {
	s := serve(t)
	now := s.attempts.now
	for _, age := range []time.Duration{30 * 24 * time.Hour, 9 * 24 * time.Hour, 2 * time.Hour, time.Minute} {
		s.attempts.now = now.Add(-age)
		s.run(300)
	}
	s.attempts.now = now.Add(-10 * 24 * time.Hour)
	for _, c := range []struct {
		from     string
		requests int
		runs     int
	}{
		{"", 1 + 8 + 1, 0}, // two pages of more than 8 days, and not a third
		{now.Add(-time.Hour).Format(time.RFC3339), 1 + 8 + 1, 300},
		{now.Add(-24 * time.Hour).Format(time.RFC3339), 1 + 8 + 1, 600},
		{now.Add(-20 * 24 * time.Hour).Format(time.RFC3339), 1 + 11 + 1, 900},
		{now.Add(-100 * 24 * time.Hour).Format(time.RFC3339), 1 + 13 + 1, 1200}, // to an empty page
	} {
		params := fields{}
		if c.from != "" {
			params["history_from"] = c.from
		}
		if out := s.must(t, c.requests, params); len(out.Runs) != c.runs {
			t.Errorf("from %q: %d runs, want %d", c.from, len(out.Runs), c.runs)
		}
	}
	if _, o := s.see(t, nil); len(o.Progress) == 0 || !strings.Contains(o.Progress[0].Note, "looking at attempts, back to ") {
		t.Errorf("progress: %+v", o.Progress)
	}
}

// TestObserveManyOpen: 300 open attempts are got by their pages, at Digdag's limit or
// above.
func TestObserveManyOpen(t *testing.T) {
	s := serve(t)
	s.start(100)
	signal := func(out observe.Snapshot, name string) float64 {
		for _, x := range out.Signals {
			if x.Name == name {
				return x.Value
			}
		}
		return -1
	}
	out := s.must(t, 1+2+1, nil)
	if len(openOf(out)) != 100 || signal(out, "open_attempts") != 100 || signal(out, "open_attempts_limit") != 100 {
		t.Errorf("%d open, %+v", len(openOf(out)), out.Signals)
	}
	s.start(200)
	cursor := s.must(t, 1+2+1+1, fields{"cursor": out.Cursor}).Cursor
	out = s.must(t, 1+1+2+1, fields{"cursor": cursor})
	if len(openOf(out)) != 300 || signal(out, "open_attempts") != 300 || signal(out, "open_attempts_limit") != 300 {
		t.Errorf("%d open, %+v", len(openOf(out)), out.Signals)
	}
	s.run(1000)
	cursor = s.must(t, 1+10+3+1, fields{"cursor": out.Cursor}).Cursor
	out = s.must(t, 1+1+3+1, fields{"cursor": cursor})
	if len(openOf(out)) != 300 || len(out.Runs) != 300 {
		t.Errorf("%d open of %d", len(openOf(out)), len(out.Runs))
	}
}

func TestObserveAskedForOne(t *testing.T) {
	s := serve(t)
	s.run(3)
	running := s.start(1)
	s.tasks["4"] = string(recordedFile(t, "tasks_no_agent"))
	s.tasks["2"] = strings.ReplaceAll(string(recordedFile(t, "tasks_error")), "+error+fail", "+w+a")
	s.logs["2"] = "begun\n" + strings.Repeat("x\n", 30) + "no such table\n"
	cursor := s.must(t, 3, nil).Cursor
	// 2, which ended long ago, once; 4 is open and so in the list. Three requests for 2's
	// tasks and log, two for 4's, which has no log; one finds that there is no 99.
	out := s.must(t, 3+1+3+2+1, fields{"cursor": cursor, "details": []string{"4", "2", "99", "2"}})
	if len(out.Runs) != 2 || out.Runs[0].ID != strconv.FormatInt(running, 10) || out.Runs[1].ID != "2" {
		t.Fatalf("%+v", out.Runs)
	}
	open, failed := out.Runs[0], out.Runs[1]
	if len(open.Tasks) != 3 || open.LogTail != "" || open.Started.IsZero() || open.State != observe.Running {
		t.Errorf("%+v", open)
	}
	if len(failed.Tasks) != 6 || failed.LogTail != strings.Repeat("x\n", 19)+"no such table" {
		t.Errorf("%d tasks, %q", len(failed.Tasks), failed.LogTail)
	}
	if len(out.Blind) != 1 || out.Blind[0] != "attempt 99, asked for in details: the server has none" {
		t.Errorf("%q", out.Blind)
	}
	// What cannot be got of one takes nothing from the others.
	s.instead["/api/logs/2/files"] = status404
	out = s.must(t, 3+1+2+2, fields{"cursor": cursor, "details": []string{"4", "2"}})
	if len(out.Runs) != 2 || len(out.Runs[1].Tasks) != 6 || len(out.Blind) != 1 || !strings.Contains(out.Blind[0], "log of +w+a of attempt 2: ") {
		t.Errorf("%q", out.Blind)
	}
}

func status404(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }

// TestObserveBetweenPasses: a reset, a project that was deleted, an attempt that is
// gone.
func TestObserveBetweenPasses(t *testing.T) {
	s := serve(t)
	old := s.start(3)
	s.schedules = 1
	s.run(200)
	cursor := s.must(t, 1+3+1, nil).Cursor

	s.schedules = 0 // as of a deleted project; its attempts are listed on
	s.attempts.end(old)
	out := s.must(t, 1+1+1+1, fields{"cursor": cursor})
	if got := openOf(out); !slices.Equal(got, []string{"1", "2"}) || len(out.Runs) != 3 || out.Runs[2].ID != "3" || out.Runs[2].Project != "p" || len(out.Schedules) != 0 {
		t.Errorf("%v, %+v", got, out.Runs)
	}
	delete(s.attempts.rows, 2) // by hand, in the database
	gone := s.must(t, 1+1+2+1, fields{"cursor": out.Cursor})
	if got := openOf(gone); !slices.Equal(got, []string{"1"}) || len(gone.Blind) != 1 || !strings.HasPrefix(gone.Blind[0], "attempt 2: it was open") {
		t.Errorf("%v, %q", got, gone.Blind)
	}
	if again := s.must(t, 1+1+1+1, fields{"cursor": gone.Cursor}); len(again.Blind) != 0 {
		t.Errorf("%q", again.Blind)
	}

	s.attempts.reset()
	s.run(2)
	s.start(1)
	out = s.must(t, 1+1+1+1+1, fields{"cursor": gone.Cursor}) // the workflows anew
	if !out.Reset || len(out.Runs) != 3 || !slices.Equal(openOf(out), []string{"3"}) {
		t.Errorf("%v, %+v", out.Reset, out.Runs)
	}
	if out = s.must(t, 1+1+1, fields{"cursor": out.Cursor}); out.Reset || len(out.Runs) != 1 {
		t.Errorf("%v, %+v", out.Reset, out.Runs)
	}
	s.attempts.reset()
	if out = s.must(t, 1+1+1+1+1, fields{"cursor": out.Cursor}); !out.Reset || len(out.Runs) != 0 {
		t.Errorf("%v, %+v", out.Reset, out.Runs)
	}
	s.run(1)
	if out = s.must(t, 1+1+1, fields{"cursor": out.Cursor}); out.Reset || len(out.Runs) != 1 {
		t.Errorf("the first after none: %v, %+v", out.Reset, out.Runs)
	}
}

// TestObserveAsksForSchedulesSideBySide: all are told, each once and in their order, whatever
// came and went since the pages were known; and no more is asked than one by one.
func TestObserveAsksForSchedulesSideBySide(t *testing.T) {
	for _, c := range []struct{ before, after, requests int }{
		{250, 250, 3}, {200, 200, 3}, {350, 150, 4}, {150, 350, 4}, {1000, 0, 11}, {99, 1001, 11}, {450, 449, 5},
	} {
		s := serve(t)
		s.schedules = c.before
		first := s.must(t, 1+1+c.before/schedulesPage+1, nil)
		s.schedules = c.after
		out := s.must(t, 1+1+c.requests, fields{"cursor": first.Cursor})
		for i, one := range out.Schedules {
			if one.ID != strconv.Itoa(i+1) {
				t.Fatalf("from %d to %d: schedule %s in place %d", c.before, c.after, one.ID, i)
			}
		}
		if len(first.Schedules) != c.before || len(out.Schedules) != c.after {
			t.Errorf("from %d to %d: %d and %d", c.before, c.after, len(first.Schedules), len(out.Schedules))
		}
	}
	s := serve(t)
	s.schedules = 500
	cursor := s.must(t, 1+1+6, nil).Cursor
	var mu sync.Mutex
	waiting, met := 0, make(chan struct{})
	s.before = func(r *http.Request) {
		if r.URL.Path != "/api/schedules" {
			return
		}
		mu.Lock()
		if waiting++; waiting == atOnce {
			close(met)
		}
		mu.Unlock()
		<-met
	}
	s.must(t, 1+1+6, fields{"cursor": cursor})
}
