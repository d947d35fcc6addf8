package history

import (
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

func sched(name string, next float64) observe.Schedule {
	return observe.Schedule{Project: "etl", Workflow: name, NextRun: at(next), NextSession: at(next - 5)}
}

func snapS(minute float64, schedules []observe.Schedule, runs ...observe.Run) observe.Snapshot {
	s := snap(minute, runs...)
	s.Schedules = schedules
	return s
}

func TestADueRunThatNeverCame(t *testing.T) {
	one := func(next float64) []observe.Schedule { return []observe.Schedule{sched("daily", next)} }
	came := run("9", 60, 0, observe.Running)
	came.Time = at(55)
	other := run("8", 61, 0, observe.Running)
	other.Time = at(30) // somebody's retry of another session
	noTime := run("7", 60.5, 0, observe.Running)
	noTime.Time = time.Time{}
	off := one(120)
	off[0].Off = true
	for _, c := range []struct {
		name  string
		snaps []observe.Snapshot
		due   int
	}{
		{"not before its time", []observe.Snapshot{snapS(1, one(60)), snapS(59, one(60))}, 0},
		{"its time has come, the engine has not gone on", []observe.Snapshot{snapS(1, one(60)), snapS(90, one(60))}, 0},
		{"the engine went on without it", []observe.Snapshot{snapS(1, one(60)), snapS(61, one(120))}, 1},
		{"it came", []observe.Snapshot{snapS(1, one(60)), snapS(61, one(120), came)}, 0},
		{"it came a pass later", []observe.Snapshot{snapS(1, one(60)), snapS(61, one(120)), snapS(62, one(120), came)}, 0},
		{"it came a pass earlier", []observe.Snapshot{snapS(1, one(60)), snapS(60.5, one(60), came), snapS(61, one(120), came)}, 0},
		{"it came and ended between", []observe.Snapshot{snapS(1, one(60)), snapS(90, one(120), func() observe.Run { r := run("9", 60, 5, observe.Success); r.Time = at(55); return r }())}, 0},
		{"one of another session does not count", []observe.Snapshot{snapS(1, one(60)), snapS(61, one(120), other)}, 1},
		{"one without a session's time does", []observe.Snapshot{snapS(1, one(60)), snapS(61, one(120), noTime)}, 0},
		{"the schedule was changed before its time", []observe.Snapshot{snapS(1, one(60)), snapS(30, one(120))}, 0},
		{"the schedule was off", []observe.Snapshot{snapS(1, func() []observe.Schedule { s := one(60); s[0].Off = true; return s }()), snapS(61, one(120))}, 0},
		{"it was turned off after", []observe.Snapshot{snapS(1, one(60)), snapS(61, off)}, 1},
		{"schedules could not be seen", []observe.Snapshot{snapS(1, one(60)), {At: at(61), Blind: []string{"schedules: 500"}}}, 0},
		{"it is forgotten after a week", []observe.Snapshot{snapS(1, one(60)), snapS(61, one(120)), snapS(8*1440+60, one(120))}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s Source
			for _, snap := range c.snaps {
				s, _ = Fold(s, snap)
			}
			if w := s.Workflows["etl/daily"]; len(w.Due) != c.due {
				t.Errorf("due: %+v, want %d", w.Due, c.due)
			}
		})
	}
}

func TestWhatRanWhileOneWasDueIsNamed(t *testing.T) {
	s, _ := Fold(Source{}, snapS(1, []observe.Schedule{sched("daily", 60)}, run("1", 0, 0, observe.Running)))
	s, _ = Fold(s, snapS(61, []observe.Schedule{sched("daily", 120)}, run("1", 0, 0, observe.Running)))
	if due := s.Workflows["etl/daily"].Due; len(due) != 1 || due[0].While != "etl/daily@1" || !due[0].At.Equal(at(60)) {
		t.Errorf("%+v", due)
	}
}

func TestAScheduleThatGoes(t *testing.T) {
	daily, nightly := sched("daily", 60), sched("nightly", 60)
	s, _ := Fold(Source{}, snapS(1, []observe.Schedule{daily, nightly}))
	gone, _ := Fold(s, snapS(2, []observe.Schedule{nightly}))
	if w := gone.Workflows["etl/daily"]; !w.Gone.Equal(at(2)) || w.Renamed != "" {
		t.Errorf("%+v", w)
	}
	back, _ := Fold(gone, snapS(3, []observe.Schedule{daily, nightly}))
	if w := back.Workflows["etl/daily"]; !w.Gone.IsZero() {
		t.Errorf("%+v", w)
	}
	renamed, _ := Fold(s, snapS(2, []observe.Schedule{nightly, sched("daily2", 60)}))
	if w := renamed.Workflows["etl/daily"]; w.Gone.IsZero() || w.Renamed != "daily2" {
		t.Errorf("%+v", w)
	}
	if kept, _ := Fold(gone, snapS(34*1440, []observe.Schedule{nightly})); kept.Workflows["etl/daily"] == nil {
		t.Error("forgotten too soon")
	}
	forgotten, c := Fold(gone, snapS(36*1440, []observe.Schedule{nightly}))
	if forgotten.Workflows["etl/daily"] != nil || len(c.Forgotten) != 1 || forgotten.Workflows["etl/nightly"] == nil {
		t.Errorf("%+v", c)
	}
}

func TestSinceWhenAScheduleIsOff(t *testing.T) {
	on, off := sched("daily", 60), sched("daily", 60)
	off.Off = true
	was, _ := Fold(Source{}, snapS(1, []observe.Schedule{off}))
	if w := was.Workflows["etl/daily"].Schedule; !w.OffSince.IsZero() {
		t.Errorf("it was off before we looked: %+v", w)
	}
	s, _ := Fold(Source{}, snapS(1, []observe.Schedule{on}))
	s, _ = Fold(s, snapS(5, []observe.Schedule{off}))
	s, _ = Fold(s, snapS(9, []observe.Schedule{off}))
	if w := s.Workflows["etl/daily"].Schedule; !w.OffSince.Equal(at(5)) {
		t.Errorf("%+v", w)
	}
}

func TestSignalsRememberTheirChange(t *testing.T) {
	sig := func(minute, v float64) observe.Snapshot {
		s := snap(minute)
		s.Signals = []observe.Signal{{Name: "rows", Value: v, Labels: map[string]string{"t": "a"}}}
		return s
	}
	s, _ := Fold(Source{}, sig(1, 5))
	s, _ = Fold(s, sig(2, 7))
	s, _ = Fold(s, sig(3, 7))
	key := SignalKey(observe.Signal{Name: "rows", Labels: map[string]string{"t": "a"}})
	if v := s.Signals[key]; v.Value != 7 || v.Previous != 7 || !v.Changed.Equal(at(2)) || !v.Seen.Equal(at(3)) {
		t.Errorf("%+v", v)
	}
	if s, _ = Fold(s, snap(3+25*60)); len(s.Signals) > 0 {
		t.Error("it is remembered for ever")
	}
}
