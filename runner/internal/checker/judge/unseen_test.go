package judge

import (
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/sdk/observe"
)

func TestAWorkflowThatNobodyHasSeen(t *testing.T) {
	const by = "[{name: x, kind: deadline, project: etl, workflow: weekly, by: '07:00'}]"
	const fresh = "[{name: x, kind: fresh, project: etl, workflow: weekly, threshold: 2h}]"
	const none = "x |etl/weekly: no success by 07:00 UTC on Mon 2 Mar, and nobody has seen a workflow of this name"
	weekly := run("1", 400, 5, observe.Success)
	weekly.Workflow = "weekly"
	table{
		{"not before the deadline", by, []observe.Snapshot{snap(0), snap(419)}, ""},
		{"then it is told", by, []observe.Snapshot{snap(0), snap(421)}, none},
		{"not where it is there", by, []observe.Snapshot{snap(0), snap(421, weekly)}, ""},
		{"not by a pattern", "[{name: x, kind: deadline, project: etl, workflow: 'week*', by: '07:00'}]", []observe.Snapshot{snap(0), snap(421)}, ""},
		{"not at another source", "[{name: x, kind: deadline, source: test, project: etl, workflow: weekly, by: '07:00'}]", []observe.Snapshot{snap(0), snap(421)}, ""},
		{"not before anybody watched", by, []observe.Snapshot{snap(421)}, ""},
		{"not where nobody could look", by, []observe.Snapshot{snap(0), {At: at(421), Engine: "digdag", Blind: []string{"runs: 500"}}}, ""},
		{"no success for long", fresh, []observe.Snapshot{snap(0), snap(121)}, "x |etl/weekly: no success by 02:00 UTC on Mon 2 Mar, and nobody has seen a workflow of this name"},
	}.run(t)
	// When it comes it is the same alert.
	in := after(t, by, snap(0), snap(421))
	key := Judge(in).Findings[0].Key
	late := weekly
	late.State = observe.Running
	in = after(t, by, snap(0), snap(1, func() observe.Run { r := late; r.Created = at(1); return r }()), snap(421, func() observe.Run { r := late; r.Created = at(1); return r }()))
	if f := Judge(in).Findings; len(f) != 1 || f[0].Key != key {
		t.Errorf("%s", texts(f))
	}
}

// A DAG that runs at the same hour of its own zone has one bucket over the year, though
// Airflow tells the time in UTC.
func TestTheHourIsThatOfTheSchedulesZone(t *testing.T) {
	var s history.Source
	first := snap(-1)
	first.Schedules = []observe.Schedule{{Workflow: "dag", Zone: "Europe/Berlin", NextRun: at(1e6)}}
	s, _ = history.Fold(s, first)
	for i := range 14 { // Sundays at 03:30 in Berlin, the clocks change on the 29th of March
		days := 7*i - 22
		minute := float64(days*1440 + 150)
		if i >= 7 {
			minute -= 60
		}
		r := run(string(rune('a'+i)), minute, 30, observe.Success)
		r.Project, r.Workflow = "", "dag"
		one := snap(minute+40, r)
		one.Schedules = first.Schedules
		s, _ = history.Fold(s, one)
	}
	hours := map[uint8]int{}
	for _, x := range s.Workflows["dag"].Runs.Samples() {
		hours[x.Hour]++
	}
	if len(hours) != 1 {
		t.Errorf("buckets %v", hours)
	}
}
