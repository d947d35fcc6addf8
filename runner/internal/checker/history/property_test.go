package history

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/sdk/observe"
)

// Whatever an engine does, a state that was folded in is not changed afterwards, folding
// the same snapshot again is no news, nothing grows beyond its bound, the state is the
// same when it is read back, and no run is lost: each one that the source told of as
// open is open, has ended, or is told as lost.
func TestFoldOfAnyLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Source
		clock := t0
		open := map[string]observe.Run{}
		n := 0
		for range rapid.IntRange(1, 40).Draw(t, "passes") {
			clock = clock.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "minutes")) * time.Minute)
			snap := observe.Snapshot{Engine: "digdag", At: clock}
			for id, r := range open {
				switch rapid.IntRange(0, 4).Draw(t, "fate") {
				case 0:
					r.State, r.Ended = rapid.SampledFrom([]observe.State{observe.Success, observe.Failed, observe.Cancelled}).Draw(t, "end"), clock
					delete(open, id)
				case 1:
					if rapid.IntRange(0, 5).Draw(t, "vanishes") == 0 {
						delete(open, id)
						continue
					}
				}
				snap.Runs = append(snap.Runs, r)
			}
			for range rapid.IntRange(0, 3).Draw(t, "new") {
				n++
				r := observe.Run{
					ID: fmt.Sprint(n), Project: "p", Workflow: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "wf"),
					Session: fmt.Sprint("s", rapid.IntRange(0, n).Draw(t, "session")), Try: n, State: observe.Running, Created: clock,
					Params: json.RawMessage(fmt.Sprintf(`{"k":%d}`, rapid.IntRange(0, 2).Draw(t, "k"))),
				}
				open[r.ID] = r
				snap.Runs = append(snap.Runs, r)
			}
			for _, name := range []string{"a", "b"} {
				if next := rapid.IntRange(-100, 300).Draw(t, "next"); next < 250 {
					snap.Schedules = append(snap.Schedules, observe.Schedule{Project: "p", Workflow: name, NextRun: clock.Add(time.Duration(next) * time.Minute)})
				}
			}
			before, _ := json.Marshal(s)
			next, c := Fold(s, snap)
			if after, _ := json.Marshal(s); string(after) != string(before) {
				t.Fatalf("Fold changed the state before")
			}
			for id, o := range s.Open {
				_, still := next.Open[id]
				known := still
				for _, l := range next.Lost {
					known = known || l.ID == id
				}
				for _, r := range c.Ended {
					known = known || r.ID == id
				}
				if w := next.Workflows[Key(o.Project, o.Workflow)]; w != nil && w.Good != nil && w.Good.Ended.After(o.Created) {
					known = true // lost, and a later success makes up for it
				}
				for _, r := range snap.Runs {
					known = known || r.ID == id && r.State.Ended() // an older try of a session whose newer one has ended
				}
				if !known {
					t.Fatalf("run %s was open and is nowhere", id)
				}
			}
			for id := range open {
				if _, ok := next.Open[id]; !ok {
					t.Fatalf("run %s is open, and not in the state", id)
				}
			}
			again, c := Fold(next, snap)
			if len(c.Workflows)+len(c.Ended) > 0 || !reflect.DeepEqual(again.Workflows, next.Workflows) {
				t.Fatalf("the same snapshot again: %+v", c)
			}
			for _, w := range next.Workflows {
				if len(w.Outcomes) > maxOutcomes || len(w.Runs.Samples()) > maxRuns || len(w.Volatile) > maxParams || len(w.Due) > maxDue {
					t.Fatalf("%+v is beyond its bounds", w)
				}
			}
			raw, err := json.Marshal(next)
			var back Source
			if err != nil || json.Unmarshal(raw, &back) != nil {
				t.Fatal(err)
			}
			if twice, _ := json.Marshal(back); string(twice) != string(raw) {
				t.Fatalf("%s\nis read back as\n%s", raw, twice)
			}
			s = next
		}
	})
}

// The state of 5,000 workflows, each with all that is kept of one, stays below 20 MB
// when it is stored, however long they run.
func TestStateOfManyWorkflowsIsSmall(t *testing.T) {
	const workflows, most = 5000, 20 << 20
	r := rand.New(rand.NewPCG(1, 1))
	s := Source{}
	for pass := range 130 {
		snap := observe.Snapshot{Engine: "digdag", At: at(float64(pass+1) * 1440)}
		one := run(fmt.Sprint(1_000_000+pass*workflows), float64(pass)*1440, 30+r.Float64()*20, observe.Success)
		one.Link = "http://digdag.example.com:65432/attempts/" + one.ID
		one.Params = json.RawMessage(`{"last_session_time":"2026","next_session_time":"2027","table":"orders"}`)
		snap.Runs = append(snap.Runs, one)
		snap.Schedules = append(snap.Schedules, observe.Schedule{Project: "etl", Workflow: one.Workflow, NextRun: at(float64(pass+1) * 1440)})
		s, _ = Fold(s, snap)
	}
	w := s.Workflows["etl/daily"]
	for i := range workflows {
		one := *w
		one.Name = fmt.Sprintf("workflow_%04d", i)
		s.Workflows[one.Key()] = &one
	}
	raw, err := json.Marshal(s)
	if err != nil || len(raw) > most {
		t.Errorf("the state takes %d bytes, %v", len(raw), err)
	}
	packed, err := w.Runs.MarshalText()
	if err != nil || len(w.Runs.Samples()) != maxRuns || len(packed) > 16*maxRuns {
		t.Errorf("%d durations take %d bytes, %v", maxRuns, len(packed), err)
	}
	t.Logf("%d workflows: %d bytes; %d durations: %d", len(s.Workflows), len(raw), maxRuns, len(packed))
}
