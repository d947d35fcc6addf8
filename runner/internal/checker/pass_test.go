package checker

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/observe"
)

var t0 = time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) // a Monday

func at(minutes float64) time.Time { return t0.Add(time.Duration(minutes * float64(time.Minute))) }

func run(id string, from, minutes float64, state observe.State) observe.Run {
	r := observe.Run{
		ID: id, Address: "etl/daily@" + id, Project: "etl", Workflow: "daily", Session: "s" + id, Try: 1,
		State: state, Time: at(from), Created: at(from), Link: "http://d/attempts/" + id,
	}
	if state.Ended() {
		r.Ended = at(from + minutes)
	}
	return r
}

func snap(minute float64, runs ...observe.Run) observe.Snapshot {
	return observe.Snapshot{Engine: "digdag", At: at(minute), Runs: runs}
}

func past(n int) observe.Snapshot {
	s := snap(-1)
	for i := range n {
		s.Runs = append(s.Runs, run(fmt.Sprint("p", i), float64(-1500*(n-i)), 30, observe.Success))
	}
	return s
}

func rules(t testing.TB, text string) *rule.Set {
	t.Helper()
	var list []rule.Rule
	if err := manifest.DecodeYAML([]byte(text), &list); err != nil {
		t.Fatal(err)
	}
	s, err := rule.NewSet(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// watch plays passes.
type watch struct {
	t     testing.TB
	c     Config
	state State
	last  Result
}

func (w *watch) pass(minute float64, reports ...Report) string {
	w.t.Helper()
	w.last = Pass(w.state, reports, w.c, at(minute))
	w.state = w.last.State
	var lines []string
	for _, e := range w.last.Events {
		var keys []string
		for _, a := range e.Alerts {
			text := strings.TrimPrefix(a.Key, "prod|")
			if a.Reason != "" {
				text += " (" + a.Reason + ")"
			}
			keys = append(keys, text)
		}
		lines = append(lines, string(e.Kind)+" "+strings.Join(keys, ", "))
	}
	return strings.Join(lines, "; ")
}

func (w *watch) snap(s observe.Snapshot) string {
	w.t.Helper()
	return w.pass(s.At.Sub(t0).Minutes(), Report{Source: "prod", Snapshot: s})
}

func expect(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestALongRunFromItsCrossingToItsKill(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	expect(t, "baseline", w.snap(past(10)), "")
	expect(t, "not yet", w.snap(snap(45, run("1", 0, 0, observe.Running))), "")
	expect(t, "crossed", w.snap(snap(46, run("1", 0, 0, observe.Running))), "new running|etl/daily@1")
	incident := w.last.Events[0].Incident
	expect(t, "still", w.snap(snap(47, run("1", 0, 0, observe.Running))), "")
	expect(t, "killed", w.snap(snap(60, run("1", 0, 58, observe.Cancelled))), "resolved running|etl/daily@1 (it ended: cancelled)")
	if e := w.last.Events[0]; e.Incident != incident {
		t.Errorf("another incident: %s, %s", e.Incident, incident)
	}
}

func TestTheFirstPassIsABaseline(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	expect(t, "what failed before", w.snap(snap(60, run("1", 0, 30, observe.Failed))), "")
	if want := map[string][]string{"prod": {"prod:etl/daily@1"}}; !reflect.DeepEqual(w.last.Baseline, want) {
		t.Errorf("baseline %v", w.last.Baseline)
	}
	expect(t, "it stays so", w.snap(snap(61)), "")
	if len(w.last.Baseline) > 0 {
		t.Error("one summary is enough")
	}
	expect(t, "a new failure is news", w.snap(snap(90, run("2", 80, 5, observe.Failed))), "new failed|etl/daily")
}

func TestASourceThatIsDownFreezesItsAlerts(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	w.snap(past(10))
	w.snap(snap(46, run("1", 0, 0, observe.Running)))
	other := Report{Source: "test", Snapshot: snap(47)}
	down := Report{Source: "prod", Failure: "dial tcp: refused"}
	expect(t, "once", w.pass(47, down, other), "")
	expect(t, "twice", w.pass(48, down), "")
	expect(t, "three times", w.pass(49, down), "new unreachable")
	if d := w.state.Down["prod"]; !d.Since.Equal(at(47)) {
		t.Errorf("down since %s", d.Since)
	}
	expect(t, "for long", w.pass(200, down), "")
	expect(t, "back", w.snap(snap(201, run("1", 0, 50, observe.Success))), "resolved running|etl/daily@1 (it ended: success); resolved unreachable (it answers again)")
	if len(w.state.Down) > 0 {
		t.Error("it is still down")
	}
}

func TestBlindPartsResolveNothing(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	w.snap(past(10))
	w.snap(snap(46, run("1", 0, 0, observe.Running)))
	blind := observe.Snapshot{At: at(47), Blind: []string{"runs: 500"}}
	expect(t, "half an answer", w.snap(blind), "")
	expect(t, "an older answer", w.snap(snap(20, run("1", 0, 10, observe.Success))), "")
	expect(t, "a whole one", w.snap(snap(48, run("1", 0, 47, observe.Success))), "resolved running|etl/daily@1 (it ended: success)")
}

func TestAResetEndsWhatHangsOnIDs(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	w.snap(past(10))
	w.snap(snap(46, run("1", 0, 0, observe.Running)))
	expect(t, "reset", w.snap(observe.Snapshot{At: at(47), Reset: true}), "resolved running|etl/daily@1 (the engine began its ids anew)")
}

func TestARenamedWorkflowResolvesWithThatReason(t *testing.T) {
	sched := func(minute float64, name string) observe.Snapshot {
		s := snap(minute)
		s.Schedules = []observe.Schedule{{Project: "etl", Workflow: name, NextRun: at(30)}}
		return s
	}
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	w.snap(sched(0, "daily"))
	expect(t, "late", w.snap(sched(41, "daily")), "new late|etl/daily")
	expect(t, "renamed", w.snap(sched(42, "hourly")), "resolved late|etl/daily (the workflow is gone: hourly came in its place)")
	expect(t, "nobody starts it either", w.snap(sched(53, "hourly")), "new late|etl/hourly")
}

func TestTheConfigChangesDuringARun(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "[{name: mine, kind: running, threshold: 10m}]")}}
	w.snap(past(10))
	expect(t, "by the first", w.snap(snap(20, run("1", 0, 0, observe.Running))), "new mine|etl/daily@1")
	w.c.Rules = rules(t, "[{name: other, kind: running, threshold: 15m}]")
	expect(t, "by the second", w.snap(snap(21, run("1", 0, 0, observe.Running))), "new other|etl/daily@1; resolved mine|etl/daily@1 (the rule is not there any more)")
	w.c.Rules = rules(t, "[{name: other, kind: running, threshold: 3h}]")
	expect(t, "it has more time now", w.snap(snap(22, run("1", 0, 0, observe.Running))), "resolved other|etl/daily@1 (it is not too long by the threshold that holds now)")
}

func TestASourceThatIsNotWatchedAnyMore(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	w.snap(past(10))
	w.snap(snap(46, run("1", 0, 0, observe.Running)))
	const day = 24 * 60
	other := func(minute float64) string {
		return w.pass(minute, Report{Source: "test", Snapshot: snap(minute)})
	}
	w.c.Sources = []string{"test"}
	expect(t, "frozen", other(47), "")
	expect(t, "still frozen", other(47+3*day-1), "")
	if len(w.state.Sources["prod"].Workflows) == 0 || w.state.Unwatched["prod"] != at(47) {
		t.Errorf("it is forgotten at once: %+v", w.state.Unwatched)
	}
	w.c.Sources = []string{"prod", "test"}
	expect(t, "watched again, and not asked", other(47+3*day-1), "")
	w.c.Sources = []string{"test"}
	expect(t, "the time begins anew", other(47+3*day), "")
	expect(t, "dropped", other(47+6*day), "resolved running|etl/daily@1 (the source is not watched any more)")
	if _, there := w.state.Sources["prod"]; there || len(w.state.Unwatched) > 0 {
		t.Errorf("it is still remembered: %+v", w.state)
	}
}

func TestTheClockIsSetBackForASourceThatIsNotWatched(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	w.snap(past(10))
	w.c.Sources = []string{"test"}
	w.pass(600)
	w.pass(20)
	if got := w.state.Unwatched["prod"]; got != at(20) {
		t.Errorf("since %v", got)
	}
}

func TestADeadSchedulerAndWhatItMissed(t *testing.T) {
	s := func(minute, next, beat float64, runs ...observe.Run) observe.Snapshot {
		s := snap(minute, runs...)
		s.Schedules = []observe.Schedule{{Project: "etl", Workflow: "daily", NextRun: at(next), NextSession: at(next)}}
		s.Health = []observe.Health{{Name: "scheduler", OK: minute-beat < 2, Heartbeat: at(beat)}}
		return s
	}
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	w.snap(s(0, 10, 0))
	expect(t, "its heartbeat is old", w.snap(s(5, 10, 1)), "")
	expect(t, "dead", w.snap(s(6, 10, 1)), "new stale|scheduler")
	expect(t, "what it does not start is not told", w.snap(s(30, 10, 1)), "")
	expect(t, "back, and one run was left out", w.snap(s(31, 60, 31)), "resolved stale|scheduler (scheduler is well again)")
	back := w.last.Events[0]
	expect(t, "nor later", w.snap(s(40, 60, 40)), "")
	if e := back; len(e.Missed) != 1 || e.Missed[0].Address != "prod:etl/daily" || !e.Missed[0].At.Equal(at(10)) || time.Duration(e.Downtime) != 30*time.Minute {
		t.Errorf("%+v, down for %s", e.Missed, e.Downtime)
	}
}

func TestWants(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "[{name: load, kind: task, task: '*load', threshold: 40m}]")}}
	w.snap(past(10))
	long := Report{Source: "prod", Snapshot: snap(41, run("1", 0, 0, observe.Running), run("2", 39, 0, observe.Running))}
	if got := Wants(w.state, long, w.c, at(41)); !slices.Equal(got, []string{"1"}) {
		t.Errorf("a task may be too long: %v", got)
	}
	if got := Wants(w.state, long, Config{Rules: rules(t, "")}, at(41)); !slices.Equal(got, []string{"1"}) {
		t.Errorf("it may never have begun: %v", got)
	}
	w.c.Rules = rules(t, "[{name: queued, kind: queued, off: true}, {name: stalled, kind: stalled, off: true}]")
	if got := Wants(w.state, long, w.c, at(41)); len(got) > 0 {
		t.Errorf("nothing was found: %v", got)
	}
	failed := Report{Source: "prod", Snapshot: snap(46, run("1", 0, 0, observe.Running), run("3", 40, 5, observe.Failed))}
	if got := Wants(w.state, failed, w.c, at(46)); !slices.Equal(got, []string{"1", "3"}) {
		t.Errorf("%v", got)
	}
	with := run("1", 0, 0, observe.Running)
	with.LogTail = "x"
	w.snap(snap(46, with))
	if got := Wants(w.state, Report{Source: "prod", Snapshot: snap(47, run("1", 0, 0, observe.Running))}, w.c, at(47)); len(got) > 0 {
		t.Errorf("they are known: %v", got)
	}
	if got := Wants(w.state, Report{Source: "prod", Snapshot: snap(60, run("1", 0, 0, observe.Running))}, w.c, at(60)); len(got) != 1 {
		t.Errorf("they are old: %v", got)
	}
	w.state = Pass(w.state, []Report{{Source: "prod", Snapshot: snap(60, run("1", 0, 0, observe.Running)), Details: []string{"1"}}}, w.c, at(60)).State
	for minute, want := range map[float64]int{61: 0, 69: 0, 71: 1} {
		if got := Wants(w.state, Report{Source: "prod", Snapshot: snap(minute, run("1", 0, 0, observe.Running))}, w.c, at(minute)); len(got) != want {
			t.Errorf("%v minutes, asked again 11 minutes ago at most: %v", minute, got)
		}
	}
	if got := Wants(w.state, Report{Source: "prod", Failure: "x"}, w.c, at(60)); got != nil {
		t.Errorf("%v", got)
	}
}

func TestExplainAndETA(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "[{name: mine, kind: failed, project: etl, severity: critical}]")}}
	p := past(11)
	for i := range p.Runs {
		p.Runs[i].Ended = p.Runs[i].Created.Add(time.Duration(20+2*i) * time.Minute)
	}
	w.snap(p)
	open := run("1", 0, 0, observe.Running)
	open.Tasks = []observe.Task{{Name: "+daily+load", State: observe.Running, Started: at(1)}}
	s := snap(10, open, func() observe.Run { r := run("2", -100, 0, observe.Running); r.Session = "x"; return r }())
	w.snap(s)
	e, err := Explain(w.state, w.c, "prod:etl/daily@1+load")
	if err != nil {
		t.Fatal(err)
	}
	by := map[string]string{}
	for _, d := range e.Rules {
		text := string(d.Kind) + " " + d.From
		if d.Limit != nil {
			text += " " + d.Limit.String() + " | " + d.Limit.Usually()
		}
		by[d.Rule] = text
	}
	if by["mine"] != "failed " || by["failed"] != "" || !strings.HasPrefix(by["running"], "running default 1h30m (usual, which is 3.0 times the median; timed from its creation) | 30m, mostly 22m to 38m, in 11 successes") {
		t.Errorf("%q", by)
	}
	if e.Address != "prod:etl/daily" || e.Good == nil || len(e.Runs) != 2 || len(e.Alerts) != 1 || e.Alerts[0].Run != "2" {
		t.Errorf("%+v", e)
	}
	etas := ETAs("prod", w.state.Sources["prod"], s)
	if len(etas) != 2 || etas[1].Address != "prod:etl/daily@1" || etas[1].Task != "+daily+load" || etas[1].ETA == nil || !etas[1].ETA.At.Equal(at(30)) || !etas[1].ETA.Late.Equal(at(38)) || etas[1].ETA.Longer != 11 {
		t.Errorf("%+v", etas[0])
	}
	if etas[0].ETA != nil || etas[0].Why != "all successes took less" {
		t.Errorf("%+v", etas[1])
	}
	for address, want := range map[string]string{
		"etl/daily": "SOURCE is one of prod", "x:etl/daily": "SOURCE is one of prod", "prod:etl/dayly": "near it: etl/daily", "prod:zzzzzzzzzz": "has been seen at prod",
	} {
		if _, err := Explain(w.state, w.c, address); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestAnETAHeedsTheTaskThatHoldsIt(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	p := past(10)
	for i := range p.Runs {
		from := p.Runs[i].Created
		p.Runs[i].Tasks = []observe.Task{{Name: "+daily+load", State: observe.Success, Started: from.Add(time.Minute), Ended: from.Add(21 * time.Minute)}}
	}
	w.snap(p)
	open := run("1", 0, 0, observe.Running)
	open.Tasks = []observe.Task{{Name: "+daily+load", State: observe.Running, Started: at(20)}}
	s := snap(25, open)
	w.snap(s)
	if e := ETAs("prod", w.state.Sources["prod"], s)[0]; e.ETA == nil || !e.ETA.At.Equal(at(40)) {
		t.Errorf("the load began late: %+v", e.ETA)
	}
}

func TestAnEnginesClockThatIsSetBackHidesNoFailure(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, "")}}
	w.snap(past(10))
	w.pass(0, Report{Source: "prod", Snapshot: snap(600)}) // it is ten hours ahead
	for i := range 5 {
		expect(t, "an old answer, or a clock set back", w.snap(snap(float64(1+i), run("1", 0, 0, observe.Running))), "")
	}
	expect(t, "it goes on", w.snap(snap(6, run("1", 0, 0, observe.Running))), "")
	expect(t, "a failure", w.snap(snap(8, run("1", 0, 7, observe.Failed))), "new failed|etl/daily")
}
