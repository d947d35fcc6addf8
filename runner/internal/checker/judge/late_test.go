package judge

import (
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestLateFromWhenItIsKnown: a next run may lie in the past when it is first reported, and
// the engine is about to start it.
func TestLateFromWhenItIsKnown(t *testing.T) {
	due := func(minute, next float64, f ...func(*observe.Schedule)) observe.Snapshot {
		return with(snap(minute), sched(next, f...))
	}
	off := func(s *observe.Schedule) { s.Off = true }
	table{
		{"late when it is looked at first", "", []observe.Snapshot{due(71, 60)}, "late |etl/daily: due at 01:00 UTC, 11m ago, and not started"},
		{"new, and its time is past", "", []observe.Snapshot{snap(0), due(100, 60), due(109, 60)}, ""},
		{"new, and nobody starts it", "", []observe.Snapshot{snap(0), due(100, 60), due(105, 60), due(111, 60)}, "late |etl/daily: due at 01:00 UTC, 51m ago, and not started"},
		{"just turned on", "", []observe.Snapshot{due(0, 60, off), due(100, 60), due(109, 60)}, ""},
		{"turned on, and nobody starts it", "", []observe.Snapshot{due(0, 60, off), due(100, 60), due(111, 60)}, "late |etl/daily: due at 01:00 UTC, 51m ago, and not started"},
		{"catching up", "", []observe.Snapshot{due(1000, 60), with(snap(1008, run("1", 1008, 0, observe.Success)), sched(120)), with(snap(1016, run("2", 1016, 0, observe.Success)), sched(180))}, ""},
	}.run(t)
}

// TestLateUntilTheRunIsSeen: also where it was started by hand, and the engine still says
// that it is due; and whatever else of it is open, unless the engine sets a limit.
func TestLateUntilTheRunIsSeen(t *testing.T) {
	const late = "late |etl/daily: due at 01:00 UTC, 11m ago, and not started"
	due := func(minute float64, runs ...observe.Run) observe.Snapshot {
		return with(snap(minute, runs...), sched(60))
	}
	of := func(r observe.Run, session time.Time) observe.Run { r.Time = session; return r }
	began, done := of(run("1", 70, 0, observe.Running), at(60)), of(run("1", 70, 5, observe.Success), at(60))
	noSession := func(s *observe.Snapshot) { s.Schedules[0].NextSession = time.Time{} }
	limit := func(n int) func(*observe.Snapshot) { return func(s *observe.Snapshot) { s.Schedules[0].MaxActive = n } }
	table{
		{"its run is open", "", []observe.Snapshot{due(0), due(71, began)}, ""},
		{"it ended, hours ago", "", []observe.Snapshot{due(0), due(71, began), due(76, done), due(400)}, ""},
		{"it failed", "[{name: failed, kind: failed, off: true}]", []observe.Snapshot{due(0), due(71, of(run("1", 70, 1, observe.Failed), at(60)))}, ""},
		{"one of another session", "", []observe.Snapshot{due(0), due(71, of(run("1", 65, 5, observe.Success), at(65)))}, late},
		{"no session is told: one that began since", "", []observe.Snapshot{due(0), with(due(71, run("1", 65, 5, observe.Success)), noSession)}, ""},
		{"no session is told: one before it", "", []observe.Snapshot{due(0), with(due(71, run("1", 50, 5, observe.Success)), noSession)}, late},
		{"another hangs, and there is no limit", "", []observe.Snapshot{due(0), due(71, run("1", 0, 0, observe.Running), run("2", 10, 0, observe.Running))}, late},
		{"another hangs, and it may be open beside it", "", []observe.Snapshot{due(0), with(due(71, run("1", 0, 0, observe.Running)), limit(2))}, late},
		{"another hangs, and it waits its turn", "[{name: saturated, kind: saturated, off: true}]", []observe.Snapshot{due(0), with(due(71, run("1", 0, 0, observe.Running)), limit(1))}, ""},
	}.run(t)
	reason, over := after(t, "", due(0), due(71), due(72, began)).Absent(Judge(after(t, "", due(0), due(71))).Findings[0])
	if !over || reason != "it was started" {
		t.Errorf("%q, %v", reason, over)
	}
}

// TestWhatRanLast under a name of the ledger is named with its due run: nothing else knows
// how to start it. An engine does.
func TestWhatRanLast(t *testing.T) {
	for name, want := range map[string]string{finding.Ledger: "2", "digdag": ""} {
		ran := with(snap(10, run("1", 0, 2, observe.Success), run("2", 5, 2, observe.Failed)), sched(60))
		ran.Engine = name
		gone := with(snap(61), sched(120))
		gone.Engine = name
		overdue := with(snap(140), sched(120))
		overdue.Engine = name
		in := after(t, "[{name: failed, kind: failed, off: true}]", ran, gone, overdue)
		out := Judge(in)
		if len(out.Findings) != 2 {
			t.Fatal(texts(out.Findings))
		}
		for _, m := range append(Missed("prod", in.Source, "", "", at(0)), out.Findings[0].Missed[0], out.Findings[1].Missed[0]) {
			if m.Last != want || m.Address != "prod:etl/daily" {
				t.Errorf("%s: %+v", name, m)
			}
		}
	}
}
