package checker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// The same input gives the same result, also from a state that was stored, and the state
// before is not changed.
func TestPassIsAFunction(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Config{Rules: rules(&testing.T{}, "[{name: x, kind: deadline, by: '07:00'}, {name: y, kind: task}, {name: z, kind: overlap}]")}
		var s State
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		minute := 0.0
		for range rapid.IntRange(1, 12).Draw(t, "passes") {
			minute += float64(r.IntN(300))
			report := Report{Source: "prod", Snapshot: anySnapshot(r, minute)}
			if r.IntN(6) == 0 {
				report = Report{Source: "prod", Failure: "down"}
			}
			before, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			var stored State
			if err := json.Unmarshal(before, &stored); err != nil {
				t.Fatal(err)
			}
			a := Pass(s, []Report{report}, c, at(minute))
			b := Pass(stored, []Report{report}, c, at(minute))
			if after, _ := json.Marshal(s); string(after) != string(before) {
				t.Fatal("Pass changed the state before")
			}
			x, _ := json.Marshal(a)
			y, _ := json.Marshal(b)
			if string(x) != string(y) {
				t.Fatalf("%s\nfrom the stored state\n%s", x, y)
			}
			s = a.State
		}
	})
}

func anySnapshot(r *rand.Rand, minute float64) observe.Snapshot {
	s := snap(minute)
	states := []observe.State{observe.Queued, observe.Running, observe.Cancelling, observe.Success, observe.Failed, observe.Cancelled}
	for i := range r.IntN(8) {
		one := run(fmt.Sprint(r.IntN(20)), minute-float64(r.IntN(100)), 0, states[r.IntN(len(states))])
		one.Workflow = []string{"daily", "hourly"}[i%2]
		if one.State.Ended() {
			one.Ended = s.At
		}
		if r.IntN(2) == 0 {
			one.Tasks = []observe.Task{{Name: "+a", State: observe.Success, Started: one.Created, Ended: s.At}, {Name: "+b", State: observe.Running, Started: one.Created}}
		}
		one.Params = json.RawMessage(fmt.Sprintf(`{"a":%d}`, r.IntN(3)))
		s.Runs = append(s.Runs, one)
	}
	for _, name := range []string{"daily", "hourly"} {
		if r.IntN(4) > 0 {
			s.Schedules = append(s.Schedules, observe.Schedule{Project: "etl", Workflow: name, NextRun: at(minute + float64(r.IntN(100)-50)), Off: r.IntN(8) == 0, MaxActive: r.IntN(3)})
		}
	}
	if r.IntN(8) == 0 {
		s.Blind = []string{[]string{"runs: x", "schedules: x", "odd"}[r.IntN(3)]}
	}
	s.Reset = r.IntN(20) == 0
	s.Health = []observe.Health{{Name: "scheduler", OK: r.IntN(2) == 0, Heartbeat: at(minute - float64(r.IntN(5)))}}
	s.Signals = []observe.Signal{{Name: "open_attempts", Value: float64(r.IntN(100))}, {Name: "open_attempts_limit", Value: 100}}
	return s
}

// manyWorkflows is a state of 5,000 workflows with a history, of which 500 are open, and
// the snapshot after it: 100 have ended.
func manyWorkflows(b *testing.B, c Config) (State, observe.Snapshot) {
	b.Helper()
	const workflows, open = 5000, 500
	of := func(r observe.Run, i int) observe.Run {
		r.Project, r.Workflow = fmt.Sprint("p", i%200), fmt.Sprint("w", i)
		return r
	}
	at := func(minute float64, ended int) observe.Snapshot {
		s := snap(minute)
		for i := range workflows {
			s.Schedules = append(s.Schedules, observe.Schedule{ID: fmt.Sprint(i), Project: fmt.Sprint("p", i%200), Workflow: fmt.Sprint("w", i), NextRun: t0.Add(time.Duration(i) * time.Hour)})
		}
		for i := range open {
			r := of(run(fmt.Sprint("o", i), float64(-i), 0, observe.Running), i)
			if i < ended {
				r.State, r.Ended = observe.Success, s.At
			}
			s.Runs = append(s.Runs, r)
		}
		return s
	}
	history := snap(-30000)
	for i := range workflows {
		for n := range 40 { // 200,000 in all
			history.Runs = append(history.Runs, of(run(fmt.Sprint("h", i, "-", n), float64(-200000+n*1500), 30+float64(n%7), observe.Success), i))
		}
	}
	state := Pass(State{}, []Report{{Source: "prod", Snapshot: history}}, c, t0).State
	state = Pass(state, []Report{{Source: "prod", Snapshot: at(1, 0)}}, c, t0.Add(time.Minute)).State
	return state, at(2, 100)
}

func manyRules(b *testing.B) Config {
	b.Helper()
	c := Config{Rules: rules(b, "[{name: crit, kind: running, project: p1*, threshold: usual*2, severity: critical, continue: true}, {name: often, kind: failed, failures: 2, of: 5}, {name: morning, kind: deadline, workflow: 'w*7', by: '07:00', zone: Asia/Tokyo}]")}
	c.Policy.Routes = []alert.Route{{Receiver: "slack", Repeat: threshold.Duration(time.Hour)}}
	return c
}

func BenchmarkPass(b *testing.B) {
	c := manyRules(b)
	state, next := manyWorkflows(b, c)
	b.ReportAllocs()
	for b.Loop() {
		Pass(state, []Report{{Source: "prod", Snapshot: next}}, c, t0.Add(2*time.Minute))
	}
}

// BenchmarkStoredState is what a pass costs besides that reads its whole state.
func BenchmarkStoredState(b *testing.B) {
	state, _ := manyWorkflows(b, manyRules(b))
	raw, err := json.Marshal(state)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		var s State
		if err := json.Unmarshal(raw, &s); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(raw)), "stored-B")
}
