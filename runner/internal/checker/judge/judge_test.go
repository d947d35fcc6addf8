package judge

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/history"
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

func with(s observe.Snapshot, all ...func(*observe.Snapshot)) observe.Snapshot {
	for _, f := range all {
		f(&s)
	}
	return s
}

func sched(next float64, f ...func(*observe.Schedule)) func(*observe.Snapshot) {
	c := observe.Schedule{Project: "etl", Workflow: "daily", NextRun: at(next), NextSession: at(next)}
	for _, g := range f {
		g(&c)
	}
	return func(s *observe.Snapshot) { s.Schedules = append(s.Schedules, c) }
}

// past is a history of so many successes of half an hour, before minute 0.
func past(n int) observe.Snapshot {
	s := snap(-1)
	for i := range n {
		r := run(fmt.Sprint("p", i), float64(-1500*(n-i)), 30, observe.Success)
		s.Runs = append(s.Runs, r)
	}
	return s
}

func rules(t *testing.T, text string) *rule.Set {
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

// after folds snapshots and gives what the last one is judged by.
func after(t *testing.T, ruleText string, snaps ...observe.Snapshot) Input {
	t.Helper()
	in := Input{Name: "prod", Rules: rules(t, ruleText)}
	for _, s := range snaps {
		in.Source, in.Changes = history.Fold(in.Source, s)
		in.Snapshot = s
	}
	return in
}

func texts(all []finding.Finding) string {
	var lines []string
	for _, f := range all {
		lines = append(lines, fmt.Sprintf("%s %s: %s", f.Rule, strings.TrimPrefix(f.Key, "prod|"+f.Rule), f.What))
	}
	return strings.Join(lines, "\n")
}

type table []struct {
	name, rules string
	snaps       []observe.Snapshot
	want        string
}

func (all table) run(t *testing.T) {
	t.Helper()
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			if got := texts(Judge(after(t, c.rules, c.snaps...)).Findings); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func running(minute float64) []observe.Snapshot {
	return []observe.Snapshot{past(10), snap(minute, run("1", 0, 0, observe.Running))}
}

func TestRunning(t *testing.T) {
	retried := run("2", 70, 0, observe.Running)
	retried.Session, retried.Try = "s1", 2
	table{
		{"not yet", "", running(44), ""},
		{"longer than usual", "", running(46), "running |etl/daily@1: running for 46m, usually 30m"},
		{"a fixed time", "[{name: x, kind: running, threshold: 20m}]", running(21), "x |etl/daily@1: running for 21m, usually 30m"},
		{"without a history it waits for a day", "", []observe.Snapshot{snap(0), snap(1439, run("1", 0, 0, observe.Running))}, ""},
		{"and then says so", "", []observe.Snapshot{snap(0), snap(1450, run("1", 0, 0, observe.Running))}, "running |etl/daily@1: running for 1d"},
		{"the total over tries is named", "", []observe.Snapshot{past(10), snap(60, run("1", 0, 60, observe.Cancelled)), snap(120, retried)}, "running |etl/daily@2: running for 50m, usually 30m; with the tries before it, 1h50m in all"},
		{"a queued one does not run", "", []observe.Snapshot{past(10), snap(46, run("1", 0, 0, observe.Queued))}, ""},
		{"an old snapshot says nothing", "", append(running(46), snap(20, run("1", 0, 0, observe.Running))), ""},
	}.run(t)
}

func TestRunningSaysWhatHelps(t *testing.T) {
	r := run("1", 0, 0, observe.Running)
	r.Revision, r.LogTail, r.Labels = "r2", "waiting for lock", map[string]string{rule.LabelChannel: "#etl", rule.LabelRunbook: "wiki", "team": "data"}
	r.Tasks = []observe.Task{
		{Name: "+daily", Group: true, State: observe.Running, Started: at(1)},
		{Name: "+daily+a", State: observe.Success, Started: at(1), Ended: at(2)},
		{Name: "+daily+load", State: observe.Running, Word: "running", Type: "sh>", Started: at(2), Tries: 2},
		{Name: "+daily+b", State: observe.Running, Started: at(20)},
	}
	p := past(10)
	p.Runs[9].Revision = "r1"
	f := Judge(after(t, "", p, snap(46, r))).Findings[0]
	if f.Limit == nil || f.Limit.N != 10 || f.Limit.Clock != "created" || !f.Since.Equal(at(45)) || f.ETA != (time.Time{}) {
		t.Errorf("%+v %+v", f, f.Limit)
	}
	if f.Holder == nil || f.Holder.Name != "+daily+load" || f.Holder.Tries != 2 || time.Duration(f.Holder.Elapsed) != 44*time.Minute || f.LogTail != "waiting for lock" {
		t.Errorf("holder %+v", f.Holder)
	}
	if f.Address != "prod:etl/daily@1" || f.Link != r.Link || f.Channel != "#etl" || f.Runbook != "wiki" || f.Get("team") != "data" || f.Get(rule.LabelChannel) != "" {
		t.Errorf("%+v", f)
	}
	if want := []finding.Change{{What: "revision", Before: "r1", Now: "r2"}}; !slices.Equal(f.Changes, want) {
		t.Errorf("%+v", f.Changes)
	}
}

func TestTask(t *testing.T) {
	r := run("1", 0, 0, observe.Running)
	r.Tasks = []observe.Task{
		{Name: "+daily", Group: true, State: observe.Running, Started: at(1)},
		{Name: "+daily+load", State: observe.Running, Started: at(2)},
		{Name: "+daily+wait", State: observe.Queued, Started: at(2)},
	}
	const load = "[{name: x, kind: task, task: '*load', threshold: 10m}]"
	table{
		{"not without a rule", "", []observe.Snapshot{past(10), snap(30, r)}, ""},
		{"not yet", load, []observe.Snapshot{past(10), snap(11, r)}, ""},
		{"too long", load, []observe.Snapshot{past(10), snap(13, r)}, "x |etl/daily@1|+daily+load: task +daily+load running for 11m"},
	}.run(t)
}

func TestQueuedAndCancelling(t *testing.T) {
	backfill := run("2", 0, 0, observe.Queued)
	backfill.Trigger = "backfill"
	one := func(s *observe.Schedule) { s.MaxActive = 1 }
	cancelling := run("1", 0, 0, observe.Cancelling)
	table{
		{"not yet", "", []observe.Snapshot{snap(0), snap(59, run("1", 0, 0, observe.Queued))}, ""},
		{"queued", "", []observe.Snapshot{snap(0), with(snap(61, run("1", 0, 0, observe.Queued)), func(s *observe.Snapshot) { s.Runs = append(s.Runs, run("9", 60, 0, observe.Running)) })}, "queued |etl/daily@1: waiting to begin for 1h1m"},
		{"a backfill's turn", "", []observe.Snapshot{snap(0), snap(600, run("1", 580, 0, observe.Running), backfill)}, ""},
		{"a backfill of which none runs", "", []observe.Snapshot{snap(0), snap(61, backfill), snap(62, backfill)}, "queued |etl/daily@2: waiting to begin for 1h2m"},
		{"as many as may be", "", []observe.Snapshot{snap(0), with(snap(61, run("1", 0, 0, observe.Queued), run("3", 50, 0, observe.Running)), sched(300, one))}, "saturated |etl/daily: 1 of 1 runs at once are open, and etl/daily@1 waits"},
		{"cancelling, not for long", "", []observe.Snapshot{snap(0), snap(10, cancelling), snap(24, cancelling)}, ""},
		{"cancelling", "", []observe.Snapshot{snap(0), snap(10, cancelling), snap(26, cancelling)}, "cancelling |etl/daily@1: its end was asked for at least 16m ago, and it goes on"},
	}.run(t)
}

func TestFailed(t *testing.T) {
	retry := run("2", 30, 0, observe.Running)
	retry.Session, retry.Try, retry.Trigger = "s1", 2, "retry"
	again := run("2", 30, 5, observe.Failed)
	again.Session, again.Try = "s1", 2
	good := again
	good.State = observe.Success
	failed := snap(20, run("1", 0, 12, observe.Failed))
	const often = "[{name: x, kind: failed, failures: 2, of: 3}]"
	table{
		{"the last one", "", []observe.Snapshot{past(1), failed}, "failed |etl/daily: failed after 12m"},
		{"until one succeeds", "", []observe.Snapshot{past(1), failed, snap(40, run("3", 30, 5, observe.Success))}, ""},
		{"its retry succeeds", "", []observe.Snapshot{past(1), failed, snap(40, good)}, ""},
		{"its retry fails", "", []observe.Snapshot{past(1), failed, snap(40, again)}, "failed |etl/daily: failed after 5m; try 2 of its session, 17m in all"},
		{"it failed before anybody watched", "", []observe.Snapshot{failed}, ""},
		{"it failed in the second of the first look, and the engine tells whole ones", "", []observe.Snapshot{
			with(past(1), func(s *observe.Snapshot) { s.At = s.At.Add(600 * time.Millisecond) }), snap(1, run("1", -10, 9, observe.Failed)),
		}, "failed |etl/daily: failed after 9m"},
		{"a cancelled one is neither", "", []observe.Snapshot{past(1), failed, snap(40, run("3", 30, 5, observe.Cancelled))}, "failed |etl/daily: failed after 12m"},
		{"cancelled alone", "", []observe.Snapshot{past(1), snap(40, run("3", 30, 5, observe.Cancelled))}, ""},
		{"one of three is not two", often, []observe.Snapshot{past(1), failed}, ""},
		{"two of three", often, []observe.Snapshot{past(1), failed, snap(60, run("3", 30, 5, observe.Success), run("4", 40, 5, observe.Failed))}, "x |etl/daily: failed after 5m; 2 of the last 3 sessions failed"},
		{"a retry is the same session", often, []observe.Snapshot{past(1), failed, snap(40, again)}, ""},
	}.run(t)
	f := Judge(after(t, "", past(1), failed, snap(31, retry))).Findings
	if len(f) != 1 || f[0].Retry != "prod:etl/daily@2" {
		t.Errorf("the retry is not named: %+v", f)
	}
	if out := Judge(after(t, "", failed)); !slices.Equal(out.Baseline, []string{"prod:etl/daily@1"}) {
		t.Errorf("baseline %q", out.Baseline)
	}
}

func TestLateAndMissing(t *testing.T) {
	due := func(minute, next float64, f ...func(*observe.Schedule)) observe.Snapshot {
		return with(snap(minute), sched(next, f...))
	}
	active := func(n int) func(*observe.Schedule) { return func(s *observe.Schedule) { s.MaxActive = n } }
	off := func(s *observe.Schedule) { s.Off = true }
	table{
		{"not yet", "", []observe.Snapshot{due(0, 60), due(69, 60)}, ""},
		{"late", "", []observe.Snapshot{due(0, 60), due(71, 60)}, "late |etl/daily: due at 01:00 UTC, 11m ago, and not started"},
		{"off is not late", "", []observe.Snapshot{due(0, 60), due(71, 60, off)}, ""},
		{"without a next time", "", []observe.Snapshot{due(0, 60), with(snap(90), func(s *observe.Snapshot) { s.Schedules = []observe.Schedule{{Project: "etl", Workflow: "daily"}} })}, "missing |etl/daily: the run due at 01:00 UTC never started"},
		{"as many run as may", "", []observe.Snapshot{due(0, 60), with(snap(71, run("1", 70, 0, observe.Running)), sched(60, active(1)))}, "saturated |etl/daily: 1 of 1 runs at once are open, and the one due at 01:00 UTC waits"},
		{"one more may run", "", []observe.Snapshot{due(0, 60), with(snap(71, run("1", 70, 0, observe.Running)), sched(60, active(2)))}, "late |etl/daily: due at 01:00 UTC, 11m ago, and not started"},
		{"not missing yet", "", []observe.Snapshot{due(0, 60), due(61, 120), due(74, 120)}, ""},
		{"missing", "", []observe.Snapshot{due(0, 60), due(61, 120), due(76, 120)}, "missing |etl/daily: the run due at 01:00 UTC never started"},
		{"two are missing", "", []observe.Snapshot{due(0, 60), due(61, 120), due(121, 180), due(140, 180)}, "missing |etl/daily: 2 due runs never started, the first due at 01:00 UTC"},
		{"the next one came", "", []observe.Snapshot{due(0, 60), due(61, 120), with(snap(121, run("1", 120, 0, observe.Running)), sched(180))}, ""},
		{"the next one came at once, it is told all the same", "", []observe.Snapshot{due(0, 60), due(61, 65), with(snap(77, run("1", 65, 0, observe.Running)), sched(80))}, "missing |etl/daily: the run due at 01:00 UTC never started"},
	}.run(t)
}

func TestDisabledAndBroken(t *testing.T) {
	off := func(s *observe.Schedule) { s.Off = true }
	bad := func(s *observe.Schedule) { s.Broken = "SyntaxError: x\n  at line 3" }
	other := func(s *observe.Schedule) { s.Workflow = "other" }
	dag := sched(0, func(s *observe.Schedule) { s.NextRun, s.NextSession = time.Time{}, time.Time{} })
	ran := func(minute float64) observe.Snapshot {
		return with(snap(minute, run("1", minute-10, 5, observe.Success)), sched(1e6))
	}
	table{
		{"off, not for long", "", []observe.Snapshot{with(snap(0), sched(1e6)), with(snap(5), sched(1e6, off)), with(snap(5+1439), sched(1e6, off))}, ""},
		{"off", "", []observe.Snapshot{with(snap(0), sched(1e6)), with(snap(5), sched(1e6, off)), with(snap(5+1441), sched(1e6, off))}, "disabled |etl/daily: its schedule is off for 1d"},
		{"off before anybody watched", "", []observe.Snapshot{with(snap(0), sched(1e6, off)), with(snap(50000), sched(1e6, off))}, ""},
		{"an import error", "", []observe.Snapshot{with(snap(0), sched(1e6, bad))}, "broken |etl/daily: it cannot be read: SyntaxError: x"},
		{"a file of no DAG", "", []observe.Snapshot{with(with(snap(0), sched(1e6, bad)), func(s *observe.Snapshot) {
			s.Signals = []observe.Signal{{Name: "import_error", Value: 1, Labels: map[string]string{"file": "x.py", "error": "no module"}}, {Name: "import_error", Value: 1, Labels: map[string]string{"file": "daily.py", "error": "SyntaxError: x"}}}
		})}, "broken |etl/daily: it cannot be read: SyntaxError: x\nbroken |x.py: x.py cannot be read: no module"},
		{"gone", "", []observe.Snapshot{ran(10), with(snap(20), sched(1e6, other))}, ""},
		{"gone, and something else stays", "", []observe.Snapshot{with(ran(10), sched(1e6, other)), with(snap(70), sched(1e6, other))}, "broken |etl/daily: its schedule is gone, and it ran last 1h10m ago"},
		{"gone, a DAG that had no schedule", "", []observe.Snapshot{with(snap(10, run("1", 0, 5, observe.Success)), dag, sched(1e6, other)), with(snap(70), sched(1e6, other))}, "broken |etl/daily: it is gone, and it ran last 1h10m ago"},
		{"gone, and it ran long ago", "", []observe.Snapshot{with(ran(10), sched(1e6, other)), with(snap(11000), sched(1e6, other))}, ""},
		{"nobody could look", "", []observe.Snapshot{ran(10), {At: at(20), Blind: []string{"schedules: 500"}}}, ""},
	}.run(t)
}

func TestFreshAndFastAndOverlap(t *testing.T) {
	const fresh = "[{name: x, kind: fresh, threshold: 2h}]"
	const fast = "[{name: x, kind: fast}]"
	const overlap = "[{name: x, kind: overlap}]"
	table{
		{"fresh enough", fresh, []observe.Snapshot{past(1), snap(60, run("1", 0, 30, observe.Success)), snap(149)}, ""},
		{"not fresh", fresh, []observe.Snapshot{past(1), snap(60, run("1", 0, 30, observe.Success)), snap(151)}, "x |etl/daily: no success since 2026-03-02 00:30 UTC, for 2h1m"},
		{"never a success", fresh, []observe.Snapshot{snap(0, run("1", 0, 0, observe.Running)), snap(121, run("1", 0, 0, observe.Running))}, "x |etl/daily: no success since it is watched, for 2h1m"},
		{"as fast as ever", fast, []observe.Snapshot{past(10), snap(60, run("1", 0, 25, observe.Success))}, ""},
		{"too fast", fast, []observe.Snapshot{past(10), snap(60, run("1", 0, 2, observe.Success))}, "x |etl/daily: succeeded after only 2m, usually 30m"},
		{"too fast before anybody watched", fast, []observe.Snapshot{with(past(10), func(s *observe.Snapshot) { s.Runs[9].Ended = s.Runs[9].Created.Add(time.Minute) })}, ""},
		{"fast without a history", fast, []observe.Snapshot{past(3), snap(60, run("1", 0, 2, observe.Success))}, ""},
		{"two at once", overlap, []observe.Snapshot{past(10), snap(5, run("1", 0, 0, observe.Running), run("2", 1, 0, observe.Running))}, "x |etl/daily: 2 runs of it are under way at once"},
		{"one runs, one waits", overlap, []observe.Snapshot{past(10), snap(5, run("1", 0, 0, observe.Running), run("2", 1, 0, observe.Queued))}, ""},
		{"as many as may be", overlap, []observe.Snapshot{past(10), with(snap(5, run("1", 0, 0, observe.Running), run("2", 1, 0, observe.Running)), sched(1e6, func(s *observe.Schedule) { s.MaxActive = 2 }))}, ""},
	}.run(t)
}

func TestDeadline(t *testing.T) {
	const seven = "[{name: x, kind: deadline, by: '07:00', days: mon-fri, zone: Europe/Berlin}]" // 06:00 UTC
	const by = 360
	table{
		{"in time", seven, []observe.Snapshot{past(10), snap(by+1, run("1", 300, 30, observe.Success))}, ""},
		{"nothing ran", seven, []observe.Snapshot{past(10), snap(by - 1), snap(by + 1)}, "x |etl/daily: no success by 07:00 CET on Mon 2 Mar"},
		{"it still runs", seven, []observe.Snapshot{past(10), snap(by+1, run("1", 340, 0, observe.Running))}, "x |etl/daily: no success by 07:00 CET on Mon 2 Mar; etl/daily@1 running for 21m"},
		{"it failed", seven, []observe.Snapshot{past(10), snap(by+1, run("1", 340, 5, observe.Failed))}, "failed |etl/daily: failed after 5m\nx |etl/daily: no success by 07:00 CET on Mon 2 Mar; the last run ended failed"},
		{"late, but done", seven, []observe.Snapshot{past(10), snap(by + 1), snap(by+60, run("1", by, 30, observe.Success))}, ""},
		{"the day before's that ended late does not count", seven, []observe.Snapshot{past(10), snap(by+1440+1, run("1", by-10, 30, observe.Success))}, "x |etl/daily: no success by 07:00 CET on Tue 3 Mar"},
		{"before anybody watched", seven, []observe.Snapshot{snap(by+1, run("1", by-10, 0, observe.Running))}, ""},
		{"its ETA passes it", seven, []observe.Snapshot{past(10), snap(by-5, run("1", by-15, 0, observe.Running))}, "x |etl/daily: it will probably not succeed by 07:00 CET: etl/daily@1 will take until about 20m more"},
		{"one that took long says little", seven, []observe.Snapshot{with(past(10), func(s *observe.Snapshot) { s.Runs[3].Ended = s.Runs[3].Ended.Add(time.Hour) }), snap(by-9, run("1", by-40, 0, observe.Running))}, ""},
		{"its ETA does not", seven, []observe.Snapshot{past(10), snap(by-45, run("1", by-55, 0, observe.Running))}, ""},
		{"it has not begun", seven, []observe.Snapshot{past(10), with(snap(by-25), sched(by-15))}, "x |etl/daily: it will probably not succeed by 07:00 CET: it has not begun, and usually takes 30m"},
		{"on a Saturday nobody waits", seven, []observe.Snapshot{past(10), snap(4*1440+300, run("1", 4*1440+290, 5, observe.Success)), snap(5*1440 + by + 1)}, ""},
	}.run(t)
	f := Judge(after(t, seven, past(10), snap(by-5, run("1", by-15, 0, observe.Running)))).Findings[0]
	g := Judge(after(t, seven, past(10), snap(by+5, run("1", by-15, 0, observe.Running)))).Findings[0]
	if f.Key != g.Key || !slices.Contains(f.Notes, "early warning") || f.ETA.IsZero() || !f.ETA.Equal(at(by+15)) {
		t.Errorf("an early warning becomes the miss: %+v, %+v", f, g)
	}
}

func TestLost(t *testing.T) {
	table{
		{"lost", "", []observe.Snapshot{past(1), snap(1, run("1", 0, 0, observe.Running)), snap(2)}, "lost |etl/daily@1: it was open, and the engine has it no more"},
	}.run(t)
}

func TestHealth(t *testing.T) {
	part := func(minute float64, h ...observe.Health) observe.Snapshot {
		return with(snap(minute), func(s *observe.Snapshot) { s.Health = h })
	}
	beat := func(ok bool, minute float64) observe.Health {
		return observe.Health{Name: "scheduler", OK: ok, Heartbeat: at(minute)}
	}
	table{
		{"well", "", []observe.Snapshot{part(1, beat(true, 0))}, ""},
		{"not well", "", []observe.Snapshot{part(1, observe.Health{Name: "database", Note: "refused\nx"})}, "unhealthy |database: database is not well: refused"},
		{"stale, whatever it says", "", []observe.Snapshot{part(3, beat(true, 0))}, "stale |scheduler: scheduler gave its last sign of life 3m ago"},
		{"stale is not unhealthy too", "", []observe.Snapshot{part(3, beat(false, 0))}, "stale |scheduler: scheduler gave its last sign of life 3m ago"},
		{"not well with a fresh heartbeat", "", []observe.Snapshot{part(1, beat(false, 0))}, "unhealthy |scheduler: scheduler is not well"},
		{"a rule for one part", "[{name: x, kind: unhealthy, part: triggerer, off: true}]", []observe.Snapshot{part(1, observe.Health{Name: "triggerer"}, beat(false, 0))}, "unhealthy |scheduler: scheduler is not well"},
	}.run(t)
}

func TestStalledAndSaturated(t *testing.T) {
	queued := run("2", 0, 0, observe.Queued)
	queued.Workflow, queued.Address = "other", "etl/other@2"
	open := func(n, limit float64) func(*observe.Snapshot) {
		return func(s *observe.Snapshot) {
			s.Signals = []observe.Signal{{Name: "open_attempts", Value: n}, {Name: "open_attempts_limit", Value: limit, Labels: map[string]string{"from": "default"}}}
		}
	}
	table{
		{"one waits, and nothing happens", "", []observe.Snapshot{snap(0), snap(1, run("1", 0, 0, observe.Running), queued), snap(32, run("1", 0, 0, observe.Running), queued)}, "stalled : 1 runs wait, and none began or ended for 31m"},
		{"something began", "", []observe.Snapshot{snap(0), snap(1, queued), snap(20, queued, run("1", 19, 0, observe.Running)), snap(32, run("1", 19, 0, observe.Running), queued)}, ""},
		{"nothing waits", "", []observe.Snapshot{snap(0), snap(1, run("1", 0, 0, observe.Running)), snap(60, run("1", 0, 0, observe.Running))}, ""},
		{"79 of 100", "", []observe.Snapshot{with(snap(0), open(79, 100))}, ""},
		{"80 of 100", "", []observe.Snapshot{with(snap(0), open(80, 100))}, "saturated |open_attempts: open attempts: 80 of 100"},
		{"a pool", "", []observe.Snapshot{with(snap(0), func(s *observe.Snapshot) {
			for _, p := range []struct {
				name string
				open float64
			}{{"a", 20}, {"b", 21}} {
				s.Signals = append(s.Signals, observe.Signal{Name: "pool_slots", Value: 100, Labels: map[string]string{"pool": p.name}}, observe.Signal{Name: "pool_open_slots", Value: p.open, Labels: map[string]string{"pool": p.name}})
			}
		})}, "saturated |pool_taken_slots{pool=a}: pool taken slots{pool=a}: 80 of 100"},
		{"another share", "[{name: x, kind: saturated, above: 0.5}]", []observe.Snapshot{with(snap(0), open(50, 100))}, "x |open_attempts: open attempts: 50 of 100"},
	}.run(t)
	s := with(snap(10, run("1", 0, 0, observe.Running), run("3", 5, 0, observe.Running), queued), open(90, 100))
	f := Judge(after(t, "", s)).Findings[0]
	if want := []string{"prod:etl/daily: 2 open, the oldest for 10m", "prod:etl/other: 1 open, the oldest for 10m"}; !slices.Equal(f.Holders, want) {
		t.Errorf("holders %q", f.Holders)
	}
}

func TestSignal(t *testing.T) {
	sig := func(minute, v float64) observe.Snapshot {
		return with(snap(minute), func(s *observe.Snapshot) {
			s.Signals = []observe.Signal{{Name: "queue_age", Value: v, Labels: map[string]string{"pool": "a"}}, {Name: "open", Value: 1}}
		})
	}
	const name = "[{name: x, kind: signal, signal: 'queue_*', "
	table{
		{"below it", name + "above: 10}]", []observe.Snapshot{sig(0, 10)}, ""},
		{"above", name + "above: 10}]", []observe.Snapshot{sig(0, 11)}, "x |queue_age{pool=a}: queue_age{pool=a} is 11, above 10"},
		{"below", name + "below: 10}]", []observe.Snapshot{sig(0, 9)}, "x |queue_age{pool=a}: queue_age{pool=a} is 9, below 10"},
		{"another label", name + "below: 10, labels: {pool: b}}]", []observe.Snapshot{sig(0, 9)}, ""},
		{"another source", name + "below: 10, source: test}]", []observe.Snapshot{sig(0, 9)}, ""},
		{"absent", "[{name: x, kind: signal, signal: rows, absent: true}]", []observe.Snapshot{sig(0, 9)}, "x : no signal rows"},
		{"nobody could look", "[{name: x, kind: signal, signal: rows, absent: true}]", []observe.Snapshot{with(sig(0, 9), func(s *observe.Snapshot) { s.Blind = []string{"pools: 403"} })}, ""},
		{"seen first is no change", name + "changed: true}]", []observe.Snapshot{sig(0, 9)}, ""},
		{"changed", name + "changed: true}]", []observe.Snapshot{sig(0, 9), sig(1, 8)}, "x |queue_age{pool=a}: queue_age{pool=a} changed to 8"},
		{"changed an hour ago", name + "changed: true}]", []observe.Snapshot{sig(0, 9), sig(1, 8), sig(62, 8)}, ""},
		{"a condition", name + "when: 'value > 2*previous && signals.open == 1'}]", []observe.Snapshot{sig(0, 9), sig(1, 19)}, "x |queue_age{pool=a}: queue_age{pool=a} is 19: value > 2*previous && signals.open == 1"},
		{"two rules each for itself", name + "above: 10}, {name: y, kind: signal, signal: queue_age, above: 20}]", []observe.Snapshot{sig(0, 21)}, "x |queue_age{pool=a}: queue_age{pool=a} is 21, above 10\ny |queue_age{pool=a}: queue_age{pool=a} is 21, above 20"},
	}.run(t)
}

func TestUnreachable(t *testing.T) {
	f := Unreachable("prod", rules(t, ""), at(0), at(5), "dial tcp: refused")
	if len(f) != 1 || f[0].Key != "prod|unreachable" || f[0].What != "it does not answer: dial tcp: refused" || f[0].For != 3 || f[0].Severity != rule.Critical {
		t.Errorf("%+v", f)
	}
}

func TestRulesAskForNoMoreSessionsThanAreKept(t *testing.T) {
	if rule.MaxOf != history.MaxOutcomes {
		t.Errorf("a rule may look at %d sessions, and %d are kept", rule.MaxOf, history.MaxOutcomes)
	}
}
