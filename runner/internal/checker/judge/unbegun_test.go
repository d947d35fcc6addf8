package judge

import (
	"slices"
	"testing"

	"github.com/outrider-run/outrider/sdk/observe"
)

// looked is a run whose tasks were looked at: they tell what the engine does not.
func looked(r observe.Run, state observe.State, began float64) observe.Run {
	r.State = state
	r.Tasks = []observe.Task{{Name: "+daily", Group: true, State: observe.Running}, {Name: "+daily+a", State: observe.Queued}}
	if state == observe.Running {
		r.Started, r.Tasks[1].State, r.Tasks[1].Started = at(began), observe.Running, at(began)
	}
	return r
}

// TestQueuedByTasks: a run that its engine calls running waits as long as its tasks were
// last seen not to have begun, and stands still with it where nothing else begins or ends.
func TestQueuedByTasks(t *testing.T) {
	one := func(id string, from float64) observe.Run { return run(id, from, 0, observe.Running) }
	waits := func(id string, from float64) observe.Run { return looked(one(id, from), observe.Queued, 0) }
	short := func(id string, from, minutes float64) observe.Run { return run(id, from, minutes, observe.Success) }
	const queued, stalled = "queued |etl/daily@1: waiting to begin for ", "stalled : 1 runs wait, and none began or ended for "
	const alone = "[{name: stalled, kind: stalled, off: true}, {name: running, kind: running, off: true}]"
	table{
		{"it is not known", "", []observe.Snapshot{past(10), snap(0, one("1", 0)), snap(20, one("1", 0))}, ""},
		{"its tasks tell", alone, []observe.Snapshot{past(10), snap(0, one("1", 0)), snap(61, waits("1", 0))}, queued + "1h1m"},
		{"they are not looked at again", alone, []observe.Snapshot{past(10), snap(0, one("1", 0)), snap(61, waits("1", 0)), snap(62, one("1", 0))}, queued + "1h2m"},
		{"it began", alone, []observe.Snapshot{past(10), snap(0, one("1", 0)), snap(61, waits("1", 0)), snap(63, looked(one("1", 0), observe.Running, 62)), snap(64, one("1", 0))}, ""},
		{"nothing begins or ends", "", []observe.Snapshot{past(10), snap(0, one("1", 0)), snap(31, waits("1", 0))}, stalled + "31m"},
		{"a new one is no sign that one begins", "", []observe.Snapshot{
			past(10), snap(0, one("1", 0)), snap(5, waits("1", 0)), snap(20, one("1", 0), one("2", 20)), snap(31, one("1", 0), one("2", 20)),
		}, stalled + "31m"},
		{"a start is", "", []observe.Snapshot{
			past(10), snap(0, one("1", 0)), snap(5, waits("1", 0)), snap(20, one("1", 0), looked(one("2", 20), observe.Running, 20)), snap(31, one("1", 0), one("2", 20)),
		}, ""},
		{"a start that is learned of later is", "", []observe.Snapshot{
			past(10), snap(0, one("1", 0)), snap(5, waits("1", 0)), snap(6, one("1", 0), one("2", 6)), snap(31, one("1", 0), looked(one("2", 6), observe.Running, 6)),
		}, ""},
		{"its own is", "", []observe.Snapshot{
			past(10), snap(0, one("1", 0), one("2", 0)), snap(5, waits("1", 0), waits("2", 0)), snap(20, waits("1", 0), looked(one("2", 0), observe.Running, 19)), snap(31, waits("1", 0), one("2", 0)),
		}, ""},
		{"an end is", "", []observe.Snapshot{past(10), snap(0, one("1", 0)), snap(5, waits("1", 0)), snap(20, one("1", 0), short("2", 6, 9)), snap(31, one("1", 0))}, ""},
	}.run(t)
}

// TestUnbegun: details are asked of what would wait for too long, and of nothing that is
// known to have begun.
func TestUnbegun(t *testing.T) {
	began := run("3", 0, 0, observe.Running)
	began.Started = at(1)
	all := []observe.Run{run("1", 0, 0, observe.Running), run("2", 50, 0, observe.Running), began, run("4", 0, 0, observe.Queued), run("5", 0, 0, observe.Cancelling), looked(run("6", 0, 0, observe.Running), observe.Queued, 0)}
	const off = "[{name: stalled, kind: stalled, off: true}]"
	for _, c := range []struct {
		rules  string
		minute float64
		want   []string
	}{
		{off, 60, nil},
		{off, 61, []string{"1", "6"}},
		{off, 111, []string{"1", "2", "6"}},
		{"", 31, []string{"1", "6"}},
		{"[{name: q, kind: queued, threshold: 10m}]", 11, []string{"1", "6"}},
		{"[{name: q, kind: queued, off: true}, {name: stalled, kind: stalled, off: true}]", 500, nil},
	} {
		if got := after(t, c.rules, snap(0), snap(c.minute, all...)).TaskRuns(); !slices.Equal(got, c.want) {
			t.Errorf("%s at %v: %q, want %q", c.rules, c.minute, got, c.want)
		}
	}
}
