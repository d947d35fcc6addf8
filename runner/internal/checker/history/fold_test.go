package history

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

var t0 = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday

func at(minutes float64) time.Time { return t0.Add(time.Duration(minutes * float64(time.Minute))) }

// run is one of etl/daily, by its number, that began at a minute and takes so many.
func run(id string, from, minutes float64, state observe.State) observe.Run {
	r := observe.Run{
		ID: id, Address: "etl/daily@" + id, Project: "etl", Workflow: "daily", Session: "s" + id, Try: 1,
		State: state, Time: at(from), Created: at(from),
	}
	if state.Ended() {
		r.Ended = at(from + minutes)
	}
	return r
}

func snap(minute float64, runs ...observe.Run) observe.Snapshot {
	return observe.Snapshot{Engine: "digdag", At: at(minute), Runs: runs}
}

func TestARunFromOpenToSuccess(t *testing.T) {
	s, c := Fold(Source{}, snap(1, run("1", 0, 0, observe.Running)))
	if !c.First || !s.Since.Equal(at(1)) || len(s.Open) != 1 || !slices.Equal(c.Workflows, []string{"etl/daily"}) {
		t.Fatalf("%+v %+v", s, c)
	}
	s, c = Fold(s, snap(2, run("1", 0, 0, observe.Running)))
	if c.First || len(c.Workflows) > 0 {
		t.Errorf("nothing happened, and %+v changed", c)
	}
	s, c = Fold(s, snap(12, run("1", 0, 10, observe.Success)))
	w := s.Workflows["etl/daily"]
	if len(s.Open) > 0 || len(c.Ended) != 1 || len(w.Runs.Samples()) != 1 || w.Runs.Samples()[0].Total != 600_000 || w.Runs.Samples()[0].Hour != 24 || w.Good == nil || w.Good.ID != "1" {
		t.Fatalf("%+v %+v", w, c)
	}
	again, c := Fold(s, snap(13, run("1", 0, 10, observe.Success)))
	if len(c.Workflows)+len(c.Ended) > 0 || !reflect.DeepEqual(again.Workflows, s.Workflows) {
		t.Errorf("the same end is news again: %+v", c)
	}
}

func TestTriesOfASessionAreOne(t *testing.T) {
	first, second := run("1", 0, 10, observe.Failed), run("2", 20, 0, observe.Running)
	second.Session, second.Try, second.Time = first.Session, 2, first.Time
	s, _ := Fold(Source{}, snap(11, first))
	s, _ = Fold(s, snap(21, second))
	if o := s.Open["2"]; !o.First.Equal(at(0)) || o.Before != 600_000 {
		t.Errorf("the second try does not know the first: %+v", o)
	}
	second = run("2", 20, 5, observe.Success)
	second.Session, second.Try, second.Time = first.Session, 2, first.Time
	s, _ = Fold(s, snap(26, second))
	s, _ = Fold(s, snap(27, first)) // told once more, late
	w := s.Workflows["etl/daily"]
	if len(w.Outcomes) != 1 || w.Outcomes[0].State != observe.Success || w.Outcomes[0].Sum != 900_000 || !w.Good.First.Equal(at(0)) {
		t.Errorf("%+v", w)
	}
}

func TestAClearedRunIsOpenAgain(t *testing.T) {
	s, _ := Fold(Source{}, snap(11, run("1", 0, 10, observe.Failed)))
	s, _ = Fold(s, snap(15, run("1", 0, 0, observe.Running)))
	if o, ok := s.Open["1"]; !ok || o.Before != 600_000 {
		t.Fatalf("%+v", s.Open)
	}
	s, c := Fold(s, snap(31, run("1", 0, 30, observe.Success)))
	w := s.Workflows["etl/daily"]
	if len(c.Ended) != 1 || len(w.Outcomes) != 1 || w.Outcomes[0].State != observe.Success || w.Outcomes[0].Sum != 1_800_000 {
		t.Errorf("%+v", w.Outcomes)
	}
}

func TestARunThatVanishes(t *testing.T) {
	open, _ := Fold(Source{}, snap(1, run("1", 0, 0, observe.Running)))
	for _, c := range []struct {
		name string
		snap observe.Snapshot
		lost bool
		open bool
	}{
		{"is lost", snap(2), true, false},
		{"not where the source could not look", observe.Snapshot{At: at(2), Blind: []string{"runs: timeout"}}, false, true},
		{"not where nobody knows what it was blind for", observe.Snapshot{At: at(2), Blind: []string{"something odd"}}, false, true},
		{"not where that run could not be looked at", observe.Snapshot{At: at(2), Blind: []string{"attempt 1: timeout"}}, false, true},
		{"is lost where the server has it no more", observe.Snapshot{At: at(2), Blind: []string{"attempt 1: it was open, and the server has it no more"}}, true, false},
		{"is lost where only its details could not be seen", observe.Snapshot{At: at(2), Blind: []string{"run 1, asked for in details: not looked at: 403"}}, true, false},
		{"not where the report was cut", observe.Snapshot{At: at(2), Cut: true}, false, true},
		{"other blindness does not matter", observe.Snapshot{At: at(2), Blind: []string{"schedules: x", "log of +a: y", "pools: 403", "settings of the owners of workflows: 403"}}, true, false},
		{"not after a reset", observe.Snapshot{At: at(2), Reset: true}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, _ := Fold(open, c.snap)
			if _, there := s.Open["1"]; len(s.Lost) > 0 != c.lost || there != c.open {
				t.Errorf("lost %v, open %v", s.Lost, s.Open)
			}
		})
	}
	const airflow = "etl@scheduled__2026-03-02T00:00:00+00:00"
	one, _ := Fold(Source{}, snap(1, run(airflow, 0, 0, observe.Running)))
	if s, _ := Fold(one, observe.Snapshot{At: at(2), Blind: []string{"run " + airflow + ": timeout"}}); len(s.Lost) > 0 {
		t.Error("an id with colons is lost")
	}
	if s, _ := Fold(one, observe.Snapshot{At: at(2), Blind: []string{"run " + airflow + ": it was open, and the server has it no more"}}); len(s.Lost) != 1 {
		t.Error("an id with colons is not lost")
	}
	lost, _ := Fold(open, snap(2))
	if s, _ := Fold(lost, snap(20, run("2", 10, 5, observe.Success))); len(s.Lost) > 0 {
		t.Error("a success later does not end it")
	}
	if s, _ := Fold(lost, snap(2+25*60)); len(s.Lost) > 0 {
		t.Error("a day later it is still told")
	}
}

func TestAnOldSnapshotIsNotTakenIn(t *testing.T) {
	s, _ := Fold(Source{}, snap(60, run("1", 50, 0, observe.Running)))
	old, c := Fold(s, snap(10))
	if !c.Old || len(old.Open) != 1 || len(old.Lost) > 0 {
		t.Fatalf("%+v %+v", old, c)
	}
	if again, c := Fold(old, snap(61, run("1", 50, 0, observe.Running))); c.Old || again.Older != 0 {
		t.Errorf("it is right again: %+v %+v", again, c)
	}
	// They all are: the clock was set back.
	back := s
	for i := range maxOlder {
		if back, c = Fold(back, snap(float64(10+i))); !c.Old {
			t.Fatalf("the %d. old snapshot was taken in", i+1)
		}
	}
	back, c = Fold(back, snap(16, run("2", 15, 0, observe.Running)))
	if c.Old || len(back.Open) != 1 || back.Open["2"].ID == "" || !back.At.Equal(at(16)) || !back.Since.Equal(at(16)) {
		t.Errorf("%+v %+v", back, c)
	}
	if _, c = Fold(s, snap(59)); c.Old {
		t.Error("a minute is not old")
	}
}

func TestResetVoidsWhatHangsOnIDs(t *testing.T) {
	s, _ := Fold(Source{}, snap(11, run("1", 0, 10, observe.Failed), run("2", 1, 9, observe.Success), run("3", 5, 0, observe.Running)))
	s, c := Fold(s, observe.Snapshot{At: at(5), Reset: true, Runs: []observe.Run{run("1", 4, 0, observe.Running)}})
	w := s.Workflows["etl/daily"]
	if !c.Reset || !c.First || !s.Since.Equal(at(5)) || len(s.Open) != 1 || len(s.Lost) > 0 || len(w.Outcomes) > 0 || w.Good != nil {
		t.Errorf("%+v %+v %+v", s, w, c)
	}
	if len(w.Runs.Samples()) != 1 {
		t.Error("how long it takes does not hang on ids")
	}
}

func TestParametersAreComparedAndNeverKept(t *testing.T) {
	with := func(id string, from float64, state observe.State, params, revision string) observe.Run {
		r := run(id, from, 5, state)
		r.Params, r.Revision = json.RawMessage(params), revision
		return r
	}
	s, _ := Fold(Source{}, snap(10, with("1", 0, observe.Success, `{"date":"a","table":"x","token":"hunter2-first"}`, "r1")))
	s, _ = Fold(s, snap(20, with("2", 10, observe.Success, `{"date":"b","table":"x","token":"hunter2-first"}`, "r1")))
	s, _ = Fold(s, snap(30, with("3", 20, observe.Failed, `{"date":"c","table":"y","token":"hunter2-other"}`, "r2"), with("4", 29, observe.Running, `{"date":"d","table":"x","token":"hunter2-first","new":1}`, "r2")))
	o := s.Workflows["etl/daily"].Outcomes[2]
	if !slices.Equal(o.Changed, []string{"table", "token"}) || o.Before != "r1" || o.Revision != "r2" {
		t.Errorf("%+v", o)
	}
	if got := s.Open["4"]; !slices.Equal(got.Changed, []string{"new"}) || got.Revised != "r1" {
		t.Errorf("%+v", got)
	}
	raw, err := json.Marshal(s)
	if err != nil || strings.Contains(string(raw), "hunter2") {
		t.Errorf("a parameter's value stands in the state, or %v: %s", err, raw)
	}
}

func TestLimitTakesClockAndHour(t *testing.T) {
	w := &Workflow{Project: "etl", Name: "daily"}
	for i := range 30 {
		one := Sample{Start: at(float64(i * 1440)).UnixMilli(), Total: 3600_000, Hour: hourOfWeek(at(float64(i * 1440)))}
		if i%7 == 0 {
			one.Total *= 3
		}
		if i >= 20 {
			one.Work = one.Total / 2
		}
		w.Runs = w.Runs.Samples().with(one, maxRuns).Pack()
	}
	r := observe.Run{Created: at(70 * 1440), Started: at(70*1440 + 20)}
	l := w.Limit(threshold.Usual(), threshold.Bounds{}, r)
	if l.Clock != threshold.Created || l.N != 30 || l.Bucket != "" {
		t.Errorf("10 of 30 starts are known, and 5 Mondays: %+v", l)
	}
	runs := w.Runs.Samples()
	for i := range runs {
		runs[i].Work = runs[i].Total / 2
	}
	w.Runs = runs.Pack()
	if l = w.Limit(threshold.Usual(), threshold.Bounds{}, r); l.Clock != threshold.Started || time.Duration(l.Median) != 30*time.Minute {
		t.Errorf("%+v", l)
	}
	for i := range 10 {
		w.Runs = w.Runs.Samples().with(Sample{Start: at(float64((70 + 7*i) * 1440)).UnixMilli(), Total: 3 * 3600_000, Hour: 24}, maxRuns).Pack()
	}
	l = w.Limit(threshold.Usual(), threshold.Bounds{}, observe.Run{Created: at(200 * 7 * 1440)})
	if l.Bucket != "on Mondays at 00h" || time.Duration(l.Median) != 3*time.Hour || l.N != 15 {
		t.Errorf("%+v", l)
	}
}

func TestTasksAreBounded(t *testing.T) {
	r := run("1", 0, 0, observe.Running)
	for i := range maxTasks + 10 {
		r.Tasks = append(r.Tasks, observe.Task{Name: fmt.Sprintf("+daily+%02d", i), State: observe.Success, Started: at(float64(i)), Ended: at(float64(i + 1))})
	}
	r.Tasks = append(r.Tasks, observe.Task{Name: "+daily", Group: true, State: observe.Success, Started: at(0), Ended: at(100)})
	s, _ := Fold(Source{}, snap(200, r))
	w := s.Workflows["etl/daily"]
	if _, group := w.Tasks["+daily"]; group || len(w.Tasks) != maxTasks || w.Tasks["+daily+00"] != "" || len(w.TaskPast("+daily+49")) != 1 {
		t.Errorf("%d tasks", len(w.Tasks))
	}
}
