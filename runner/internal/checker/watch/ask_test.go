package watch

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/settings"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestTheFirstLookMayTakeLonger: it reads the past. Whoever does not answer in time is
// told of with what helps.
func TestTheFirstLookMayTakeLonger(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	var left, quiet []time.Duration
	hang := false
	b.source("one", func(ctx context.Context, a source.Asked) (observe.Snapshot, error) {
		if hang {
			<-ctx.Done()
			return observe.Snapshot{}, context.Cause(ctx)
		}
		until, _ := ctx.Deadline()
		left, quiet = append(left, time.Until(until)), append(quiet, a.Quiet)
		return observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{}, Cursor: json.RawMessage(`1`)}, nil
	})
	b.pass()
	b.pass()
	if len(left) != 2 || left[0] <= source.DefaultTimeout || left[0] > firstTimeout || left[1] > source.DefaultTimeout {
		t.Errorf("the times to answer: %s", left)
	}
	if quiet[0] != source.DefaultTimeout || quiet[1] != 0 {
		t.Errorf("without a word: %s", quiet)
	}
	hang = true
	b.setup.Sources = map[string]settings.Source{"one": {Timeout: time.Millisecond}}
	if s, _ := b.pass(); !strings.Contains(s.Sources[0].Failure, "no answer within 1ms; watch: {timeout: …}") || strings.Contains(s.Sources[0].Failure, "--history") {
		t.Error(s.Sources[0].Failure)
	}
	if text := moreTime(true); !strings.Contains(text, "watch: {timeout: …}") || !strings.Contains(text, "--history") {
		t.Error(text)
	}
}

// TestARunOfTheLedgerIsTold with its name, its log though it has no tasks, and what can be
// done about it.
func TestARunOfTheLedgerIsTold(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	b.source("one", func(_ context.Context, a source.Asked) (observe.Snapshot, error) {
		s := observe.Snapshot{Engine: source.Engine, At: b.now, Runs: []observe.Run{hung()}, Cursor: json.RawMessage(`1`)}
		if len(a.Details) > 0 {
			s.Runs[0].LogTail = "row 1"
		}
		return s, nil
	})
	s, told := b.pass()
	for _, want := range []string{"CRITICAL: one:daily run 9: running for 2h", "row 1", "outrider runs logs 9", "outrider runs cancel 9"} {
		if !strings.Contains(told, want) {
			t.Errorf("no %q in\n%s", want, told)
		}
	}
	if len(s.Alerts) != 1 || s.Alerts[0].Where != "one:daily run 9" {
		t.Errorf("%+v", s.Alerts)
	}
	asked := 0
	b.source("one", func(_ context.Context, a source.Asked) (observe.Snapshot, error) {
		asked += len(a.Details)
		return observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{hung()}, Cursor: json.RawMessage(`1`)}, nil
	})
	for range 30 {
		b.now = b.now.Add(time.Minute)
		b.pass()
	}
	if asked != 3 {
		t.Errorf("asked %d times in half an hour for details that are not there", asked)
	}
}

// TestASourceHasABudget of requests: what is left of it is for details, and where it is
// passed there are none.
func TestASourceHasABudget(t *testing.T) {
	for _, c := range []struct{ budget, took, want int }{{0, 1001, 0}, {0, 994, 2}, {20, 21, 0}, {20, 20, 0}, {20, 5, 5}, {20, 0, 6}, {2000, 1001, 8}} {
		b := newBench(t, dbtest.SQLite(t))
		b.setup.Sources = map[string]settings.Source{"one": {Requests: c.budget}}
		asked := 0
		b.source("one", func(_ context.Context, a source.Asked) (observe.Snapshot, error) {
			asked += len(a.Details)
			s := observe.Snapshot{Engine: "x", At: b.now, Requests: c.took}
			for i := range 8 {
				r := hung()
				r.ID += strconv.Itoa(i)
				s.Runs = append(s.Runs, r)
			}
			return s, nil
		})
		s, _ := b.pass()
		noted := slices.ContainsFunc(s.Notes, func(n string) bool {
			return strings.Contains(n, fmt.Sprintf("one took %d requests, more than its budget of ", c.took))
		})
		if over := c.took > cmp.Or(c.budget, askRequests); asked != c.want || noted != over {
			t.Errorf("budget %d, %d requests: details of %d runs, want %d; notes %q", c.budget, c.took, asked, c.want, s.Notes)
		}
	}
}

// TestALongLookIsAlive while it says how far it is.
func TestALongLookIsAlive(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	b.pulse = NewPulse(time.Minute)
	old := time.Now().Add(-time.Hour)
	b.pulse.at = old
	b.source("one", func(_ context.Context, a source.Asked) (observe.Snapshot, error) {
		if b.pulse.Alive() == nil {
			t.Error("it lives before anything was heard")
		}
		a.Progress(100, "looked at")
		if err := b.pulse.Alive(); err != nil {
			t.Error(err)
		}
		return observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{}}, nil
	})
	b.pass()
}

// TestASourceWhoseMemoryIsGone is asked anew in the same pass: what it told goes on from
// what is not known any more.
func TestASourceWhoseMemoryIsGone(t *testing.T) {
	url := dbtest.SQLite(t)
	b := newBench(t, url)
	var from []string
	b.source("one", func(_ context.Context, a source.Asked) (observe.Snapshot, error) {
		from = append(from, string(a.Cursor))
		return observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{}, Cursor: json.RawMessage(`1`)}, nil
	})
	b.source("two", func(_ context.Context, a source.Asked) (observe.Snapshot, error) {
		return observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{}, Cursor: json.RawMessage(`2`)}, nil
	})
	b.pass()
	other, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(`UPDATE outrider_checker_sources SET data = 'x' WHERE name = 'one'`); err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	s, _ := b.pass()
	b.pass()
	if got := strings.Join(from, ","); got != ",1,,1" || len(s.Notes) != 1 || !strings.Contains(s.Notes[0], "what was remembered of source one is dropped") {
		t.Errorf("asked from %q; notes %q", got, s.Notes)
	}
}
