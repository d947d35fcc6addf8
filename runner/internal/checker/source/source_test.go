package source

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

// asker is a source that does what it is told.
type asker func(ctx context.Context, a Asked) (observe.Snapshot, error)

func (f asker) Ask(ctx context.Context, a Asked) (observe.Snapshot, error) { return f(ctx, a) }

// TestAll: whatever one source does, the others are heard, and each failure says why.
func TestAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		over := make(chan struct{})
		well := func(_ context.Context, a Asked) (observe.Snapshot, error) {
			if string(a.Cursor) != `"before"` {
				t.Errorf("asked with %s", a.Cursor)
			}
			return observe.Snapshot{At: time.Now(), Cursor: json.RawMessage(`"next"`), Requests: 3}, nil
		}
		sources := map[string]Asker{
			"well": asker(well),
			"fails": asker(func(context.Context, Asked) (observe.Snapshot, error) {
				return observe.Snapshot{}, errors.New("no route")
			}),
			"panics": asker(func(context.Context, Asked) (observe.Snapshot, error) { panic("boom") }),
			"half":   asker(func(context.Context, Asked) (observe.Snapshot, error) { return observe.Snapshot{}, nil }),
			"slow": asker(func(ctx context.Context, _ Asked) (observe.Snapshot, error) {
				<-ctx.Done()
				return observe.Snapshot{}, context.Cause(ctx)
			}),
			"hangs": asker(func(context.Context, Asked) (observe.Snapshot, error) { <-over; return observe.Snapshot{}, nil }),
		}
		asked := map[string]Asked{}
		for name := range sources {
			asked[name] = Asked{Cursor: json.RawMessage(`"before"`)}
		}
		began := time.Now()
		all := All(t.Context(), sources, asked, map[string]time.Duration{"slow": 10 * time.Second, "hangs": 20 * time.Second})
		if took := time.Since(began); took != 20*time.Second+Grace {
			t.Errorf("it took %s", took)
		}
		close(over)
		want := map[string]string{
			"fails": "no route", "panics": "asking it panicked: boom", "half": "is no snapshot", "well": "",
			"slow": "no answer within 10s", "hangs": "no answer within 20s, and it did not stop when told to",
		}
		if len(all) != len(want) {
			t.Fatalf("%d answers", len(all))
		}
		for i, one := range all {
			name := one.Report.Source
			if i > 0 && name <= all[i-1].Report.Source {
				t.Errorf("%s is out of order", name)
			}
			if says, ok := want[name]; !ok || !strings.Contains(one.Report.Failure, says) || (one.Report.Failure == "") != (says == "") {
				t.Errorf("%s: %q, want %q", name, one.Report.Failure, says)
			}
			cursor := `"before"`
			if name == "well" {
				cursor = `"next"`
				if one.Requests != 3 || one.Report.Snapshot.At.IsZero() {
					t.Errorf("%+v", one)
				}
			}
			if string(one.Cursor) != cursor {
				t.Errorf("%s goes on with %s, want %s", name, one.Cursor, cursor)
			}
		}
	})
}

func TestCheck(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	run := func(id string, change ...func(*observe.Run)) observe.Run {
		r := observe.Run{ID: id, Workflow: "w", State: observe.Running, Created: now}
		for _, c := range change {
			c(&r)
		}
		return r
	}
	soon, never := now.Add(ahead), now.Add(ahead+time.Second)
	for _, c := range []struct {
		name string
		snap observe.Snapshot
		want string
	}{
		{"nothing runs", observe.Snapshot{At: now}, ""},
		{"runs", observe.Snapshot{At: soon, Runs: []observe.Run{run("1"), run("2", func(r *observe.Run) { r.Created, r.Started, r.Ended, r.State = soon, soon, soon, observe.Failed })}}, ""},
		{"a session and a schedule of the future", observe.Snapshot{At: now, Runs: []observe.Run{run("1", func(r *observe.Run) { r.Time = never })}, Schedules: []observe.Schedule{{Workflow: "w", NextRun: never}}}, ""},
		{"no time", observe.Snapshot{}, "at, the time when it was made, is missing"},
		{"of the future", observe.Snapshot{At: never}, "15m1s in the future"},
		{"no id", observe.Snapshot{At: now, Runs: []observe.Run{run("1"), run("")}}, `run 2 of 2 (of workflow "w") has no id`},
		{"an id twice", observe.Snapshot{At: now, Runs: []observe.Run{run("1"), run("2"), run("1")}}, `run "1" stands in it twice`},
		{"no workflow", observe.Snapshot{At: now, Runs: []observe.Run{run("1", func(r *observe.Run) { r.Workflow = "" })}}, `run "1" has no workflow`},
		{"no state", observe.Snapshot{At: now, Runs: []observe.Run{run("1", func(r *observe.Run) { r.State = "" })}}, `which is no state`},
		{"another state", observe.Snapshot{At: now, Runs: []observe.Run{run("1", func(r *observe.Run) { r.State = "sleeping" })}}, `"sleeping", which is no state`},
		{"created in the future", observe.Snapshot{At: now, Runs: []observe.Run{run("1", func(r *observe.Run) { r.Created = never })}}, `run "1" was created at 2026-11-22T12:15:01Z`},
		{"begun in the future", observe.Snapshot{At: now, Runs: []observe.Run{run("1", func(r *observe.Run) { r.Started = never })}}, "began at"},
		{"ended in the future", observe.Snapshot{At: now, Runs: []observe.Run{run("1", func(r *observe.Run) { r.Ended = never })}}, "ended at"},
		{"a schedule of nothing", observe.Snapshot{At: now, Schedules: []observe.Schedule{{ID: "1"}}}, "schedule 1 of 1 has no workflow"},
		{"a long id", observe.Snapshot{At: now, Runs: []observe.Run{run(strings.Repeat("x", 1<<20)), run(strings.Repeat("x", 1<<20))}}, "twice"},
	} {
		err := Check(c.snap, now)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		case err != nil && len(err.Error()) > 500:
			t.Errorf("%s: %d bytes", c.name, len(err.Error()))
		}
	}
}

// TestWhoSaysNothing is given up long before its time is over; who tells of progress is not.
func TestWhoSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := 0
		look := func(steps int) asker {
			return func(ctx context.Context, a Asked) (observe.Snapshot, error) {
				for range steps {
					time.Sleep(50 * time.Second)
					a.Progress(1, "looked at")
				}
				if steps == 0 {
					<-ctx.Done()
				}
				return observe.Snapshot{At: time.Now()}, context.Cause(ctx)
			}
		}
		asked := map[string]Asked{"busy": {Quiet: time.Minute, Progress: func(float64, string) { told++ }}, "silent": {Quiet: time.Minute}, "patient": {}}
		timeouts := map[string]time.Duration{"busy": time.Hour, "silent": time.Hour, "patient": 2 * time.Minute}
		all := All(t.Context(), map[string]Asker{"busy": look(20), "silent": look(0), "patient": look(0)}, asked, timeouts)
		if busy := all[0]; busy.Report.Failure != "" || busy.Late || told != 20 {
			t.Errorf("%+v, progress %d times", busy, told)
		}
		if patient := all[1]; !patient.Late || patient.Report.Failure != "no answer within 2m0s" {
			t.Errorf("%+v", patient)
		}
		if silent := all[2]; !silent.Late || silent.Report.Failure != "no progress for 1m0s" || silent.Took != time.Minute {
			t.Errorf("%+v", silent)
		}
	})
}
