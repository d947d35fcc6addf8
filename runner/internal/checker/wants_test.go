package checker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/sdk/observe"
)

// looks plays a pass over runs that are open, each with a task since its beginning, and
// gives those that were looked at: a source tells tasks only of them.
func looks(w *watch, minute float64, open []observe.Run) (ids []string) {
	w.t.Helper()
	ids = Wants(w.state, Report{Source: "prod", Snapshot: snap(minute, open...)}, w.c, at(minute))
	told := slices.Clone(open)
	for i, r := range told {
		if slices.Contains(ids, r.ID) {
			told[i].Tasks = []observe.Task{{Name: "+daily+load", State: observe.Running, Started: r.Created}}
		}
	}
	w.pass(minute, Report{Source: "prod", Snapshot: snap(minute, told...), Details: ids})
	return ids
}

func openRuns(from, n int) (all []observe.Run) {
	for i := range n {
		all = append(all, run(fmt.Sprint(from+i), 0, 0, observe.Running))
	}
	return all
}

// TestNoTaskStarves: a pass looks at few runs, and the ones after at the others.
func TestNoTaskStarves(t *testing.T) {
	w := &watch{t: t, c: Config{Rules: rules(t, "[{name: load, kind: task, threshold: 40m}]")}}
	w.snap(past(10))
	open := openRuns(1, 50)
	for pass, want := range []string{"1 to 20", "21 to 40", "41 to 10", "11 to 30"} {
		ids := looks(w, float64(41+pass), open)
		if got := ids[0] + " to " + ids[len(ids)-1]; got != want || len(ids) != maxDetails {
			t.Errorf("pass %d looks at %d: %s, want %s", pass, len(ids), got, want)
		}
	}
	if n := len(w.state.Alerts.Alerts); n != 50 {
		t.Errorf("%d of 50 are found", n)
	}
	stored := w.state.Sources["prod"].Open["1"]
	if !stored.Looked.Equal(at(43)) {
		t.Errorf("run 1 was looked at %s", stored.Looked)
	}
}

// TestWhatIsFoundLeavesRoomForTasks, and has its turns too.
func TestWhatIsFoundLeavesRoomForTasks(t *testing.T) {
	const text = "[{name: long, kind: running, workflow: daily, threshold: 10m}, {name: off, kind: running, off: true}, {name: load, kind: task, workflow: other, threshold: 40m}]"
	w := &watch{t: t, c: Config{Rules: rules(t, text)}}
	w.snap(past(10))
	open := openRuns(1, 300)
	for _, r := range openRuns(1001, 15) {
		r.Workflow, r.Address = "other", "etl/other@"+r.ID
		open = append(open, r)
	}
	tasks := map[string]bool{}
	for pass := range 2 {
		for _, id := range looks(w, float64(41+pass), open) {
			if len(id) == 4 {
				tasks[id] = true
			}
		}
	}
	if len(tasks) != 15 {
		t.Errorf("%d of 15 runs were looked at for their tasks", len(tasks))
	}
	for pass := range 40 {
		looks(w, float64(43+pass), open)
	}
	for _, a := range w.state.Alerts.Alerts {
		if a.Rule == "long" && a.State == alert.Firing && a.Looked.IsZero() {
			t.Errorf("%s was never looked at", a.Key)
		}
	}
}

// TestATaskInATasksPathIsLookedAt: by what is usual for it, also where its name holds a slash.
func TestATaskInATasksPathIsLookedAt(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "[{name: load, kind: task, task: '*load'}]")}}
	p := past(10)
	for i, r := range p.Runs {
		p.Runs[i].Tasks = []observe.Task{{Name: "+daily+for-0=path=/a+load", State: observe.Success, Started: r.Created, Ended: r.Created.Add(20 * time.Minute)}}
	}
	w.snap(p)
	for minute, want := range map[float64]int{29: 0, 35: 1} {
		if got := Wants(w.state, Report{Source: "prod", Snapshot: snap(minute, openRuns(1, 1)...)}, w.c, at(minute)); len(got) != want {
			t.Errorf("after %v minutes: %v", minute, got)
		}
	}
}
