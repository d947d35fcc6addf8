package judge

import (
	"slices"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestADeadlineNamesWhatItHangsOn: what can be done about an open run, one that failed, and
// none at all is not the same.
func TestADeadlineNamesWhatItHangsOn(t *testing.T) {
	const seven = "[{name: x, kind: deadline, by: '07:00'}, {name: failed, kind: failed, off: true}, {name: late, kind: late, off: true}, {name: missing, kind: missing, off: true}]"
	const by = 420
	load := func(state observe.State) []observe.Task {
		return []observe.Task{{Name: "+daily+load", State: state, Started: at(by - 20), Error: "disk full"}}
	}
	open, failed := run("1", by-20, 0, observe.Running), run("1", by-20, 5, observe.Failed)
	open.Tasks, open.LogTail = load(observe.Running), "waiting for lock"
	failed.Tasks, failed.LogTail, failed.Revision = load(observe.Failed), "disk full", "r2"
	good := past(10)
	good.Runs[9].Revision = "r1"
	missed := func(all ...float64) (list []finding.Missed) {
		for _, minute := range all {
			list = append(list, finding.Missed{Address: "prod:etl/daily", At: at(minute), Session: at(minute)})
		}
		return list
	}
	due := func(minute, next float64, runs ...observe.Run) observe.Snapshot {
		return with(snap(minute, runs...), sched(next))
	}
	for _, c := range []struct {
		name    string
		snaps   []observe.Snapshot
		run     string
		state   observe.State
		address string
		task    string
		log     string
		missed  []finding.Missed
	}{
		{"it is open", []observe.Snapshot{good, snap(by+1, open)}, "1", observe.Running, "prod:etl/daily@1", "+daily+load", "waiting for lock", nil},
		{"it failed", []observe.Snapshot{good, snap(by+1, failed)}, "1", observe.Failed, "prod:etl/daily@1", "+daily+load", "disk full", nil},
		{"it was cancelled", []observe.Snapshot{good, snap(by+1, run("1", by-20, 5, observe.Cancelled))}, "1", observe.Cancelled, "prod:etl/daily@1", "", "", nil},
		{"the engine has not started it", []observe.Snapshot{good, due(1, 400), due(by+1, 400)}, "", "", "prod:etl/daily", "", "", missed(400)},
		{"the engine went on without it", []observe.Snapshot{good, due(1, 400), due(401, 410), due(by+1, 410)}, "", "", "prod:etl/daily", "", "", missed(400, 410)},
		{"it has another day's to come", []observe.Snapshot{good, due(1, 1440+400), due(by+1, 1440+400)}, "", "", "prod:etl/daily", "", "", nil},
		{"what was due the day before is no matter", []observe.Snapshot{good, due(1, 400), due(401, 1440+400), due(1440+by+1, 1440+400)}, "", "", "prod:etl/daily", "", "", missed(1440 + 400)},
		{"nobody knows of a schedule", []observe.Snapshot{good, snap(by + 1)}, "", "", "prod:etl/daily", "", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			all := Judge(after(t, seven, c.snaps...)).Findings
			if len(all) != 1 {
				t.Fatal(texts(all))
			}
			f, task := all[0], ""
			if f.Holder != nil {
				task = f.Holder.Name
			}
			if f.Run != c.run || f.RunState != c.state || f.Address != c.address || task != c.task || f.LogTail != c.log || !slices.Equal(f.Missed, c.missed) {
				t.Errorf("run %q, %q at %s; task %q, log %q; missed %+v", f.Run, f.RunState, f.Address, task, f.LogTail, f.Missed)
			}
			if want := []finding.Change{{What: "revision", Before: "r1", Now: "r2"}}; c.state == observe.Failed && !slices.Equal(f.Changes, want) {
				t.Errorf("changed: %+v", f.Changes)
			}
		})
	}
}

// TestHowARunStands is told of everything that is about one.
func TestHowARunStands(t *testing.T) {
	vanished := Judge(after(t, "", past(1), snap(1, run("1", 0, 0, observe.Running)), snap(2))).Findings
	fast := Judge(after(t, "[{name: fast, kind: fast}]", past(10), snap(60, run("1", 0, 2, observe.Success)))).Findings
	failed := Judge(after(t, "", past(1), snap(20, run("1", 0, 12, observe.Failed)))).Findings
	long := Judge(after(t, "", running(46)...)).Findings
	for want, all := range map[observe.State][]finding.Finding{"": vanished, observe.Success: fast, observe.Failed: failed, observe.Running: long} {
		if len(all) != 1 || all[0].Run != "1" || all[0].RunState != want {
			t.Errorf("want %q: %+v", want, all)
		}
	}
	if eta := Judge(after(t, "[{name: x, kind: running, threshold: 10m}]", running(20)...)).Findings[0].ETA; !eta.Equal(at(30)) {
		t.Errorf("it will end at %s", eta.Format(time.TimeOnly))
	}
}
