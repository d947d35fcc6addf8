package judge

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestWhoHoldsIt: the runs that overlap and those that wait are named, with their times.
func TestWhoHoldsIt(t *testing.T) {
	two := snap(5, run("9", 0, 0, observe.Running), run("10", 1, 0, observe.Running))
	f := Judge(after(t, "[{name: x, kind: overlap}]", past(10), two)).Findings[0]
	if want := []string{"prod:etl/daily@9 for 5m", "prod:etl/daily@10 for 4m"}; !slices.Equal(f.Holders, want) || !f.Since.Equal(at(1)) {
		t.Errorf("overlap since %s by %q", f.Since, f.Holders)
	}
	var waiting []observe.Run
	for _, id := range []string{"2", "10", "3", "1", "4", "5"} {
		waiting = append(waiting, run(id, 0, 0, observe.Queued))
	}
	f = Judge(after(t, "[{name: queued, kind: queued, off: true}]", snap(0), snap(1, waiting...), snap(32, waiting...))).Findings[0]
	want := []string{"prod:etl/daily@1", "prod:etl/daily@2", "prod:etl/daily@3", "prod:etl/daily@4", "prod:etl/daily@5"}
	if f.Kind != rule.Stalled || !slices.Equal(f.Holders, want) || !strings.HasPrefix(f.What, "6 runs wait") {
		t.Errorf("%s by %q", f.What, f.Holders)
	}
}

// TestWhatWasOpenThen is told of a run that never started.
func TestWhatWasOpenThen(t *testing.T) {
	open := run("1", 30, 0, observe.Running)
	snaps := []observe.Snapshot{with(snap(31, open), sched(60)), with(snap(61, open), sched(120)), with(snap(76, open), sched(120))}
	f := Judge(after(t, "", snaps...)).Findings
	if len(f) != 1 || f[0].What != "the run due at 01:00 UTC never started; prod:etl/daily@1 was open then" {
		t.Fatal(texts(f))
	}
	if want := (finding.Missed{Address: "prod:etl/daily", At: at(60), Session: at(60), While: "prod:etl/daily@1"}); f[0].Missed[0] != want {
		t.Errorf("%+v", f[0].Missed)
	}
}

// TestWhatChangedBeforeAFailure: revision and parameters against the last success, also of a
// run that is open; of a parameter its name alone.
func TestWhatChangedBeforeAFailure(t *testing.T) {
	of := func(r observe.Run, revision, table string) observe.Run {
		r.Revision, r.Params = revision, json.RawMessage(`{"table":"`+table+`","token":"same"}`)
		return r
	}
	good := past(10)
	for i, r := range good.Runs {
		good.Runs[i] = of(r, "r1", "orders")
	}
	want := []finding.Change{{What: "revision", Before: "r1", Now: "r2"}, {What: "parameter", Key: "table"}}
	for name, r := range map[string]observe.Run{
		"failed":  of(run("1", 0, 12, observe.Failed), "r2", "customers"),
		"running": of(run("1", -60, 0, observe.Running), "r2", "customers"),
	} {
		f := Judge(after(t, "", good, snap(20, r))).Findings
		if len(f) != 1 || string(f[0].Kind) != name || !slices.Equal(f[0].Changes, want) {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f := Judge(after(t, "", good, snap(20, of(run("1", 0, 12, observe.Failed), "r1", "orders")))).Findings[0]; len(f.Changes) > 0 {
		t.Errorf("nothing has: %+v", f.Changes)
	}
}

// TestHowLongTheTaskThatHoldsItUsuallyTakes.
func TestHowLongTheTaskThatHoldsItUsuallyTakes(t *testing.T) {
	good := past(10)
	for i, r := range good.Runs {
		good.Runs[i].Tasks = []observe.Task{{Name: "+daily+load", State: observe.Success, Started: r.Created, Ended: r.Created.Add(20 * time.Minute)}}
	}
	r := run("1", 0, 0, observe.Running)
	r.Tasks = []observe.Task{{Name: "+daily+load", State: observe.Running, Started: at(2)}}
	f := Judge(after(t, "", good, snap(46, r))).Findings[0]
	if f.Holder == nil || f.Holder.Usual != "20m, mostly 20m to 20m, in 10 successes" {
		t.Errorf("%+v", f.Holder)
	}
}

// TestWhatARuleSaysIsTold: owner, text and runbook. The config's runbook goes before that of
// the workflow's owner, and the owner's before none.
func TestWhatARuleSaysIsTold(t *testing.T) {
	r := run("1", 0, 0, observe.Running)
	r.Labels = map[string]string{rule.LabelRunbook: "theirs"}
	snaps := []observe.Snapshot{past(10), snap(46, r)}
	for text, want := range map[string]string{
		"[{name: x, kind: running, owner: data, text: look there, runbook: wiki}]": "data, look there, wiki",
		"[{name: x, kind: running, owner: data}]":                                  "data, , theirs",
		"": ", , theirs",
	} {
		f := Judge(after(t, text, snaps...)).Findings[0]
		if got := f.Owner + ", " + f.Text + ", " + f.Runbook; got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestWhomARuleMeans, by its globs on sources and labels, for each of what rules are about.
func TestWhomARuleMeans(t *testing.T) {
	r := run("1", 0, 0, observe.Running)
	r.Labels = map[string]string{"team": "data"}
	failed := run("2", 0, 12, observe.Failed)
	failed.Labels = r.Labels
	sick := with(snap(20, failed), func(s *observe.Snapshot) { s.Health = []observe.Health{{Name: "database"}} })
	table{
		{"of a run, another source", "[{name: x, kind: running, source: test}]", []observe.Snapshot{past(10), snap(46, r)}, "running |etl/daily@1: running for 46m, usually 30m"},
		{"of a run, this one", "[{name: x, kind: running, source: 'pr*'}]", []observe.Snapshot{past(10), snap(46, r)}, "x |etl/daily@1: running for 46m, usually 30m"},
		{"of a run, another label", "[{name: x, kind: running, labels: {team: web}}]", []observe.Snapshot{past(10), snap(46, r)}, "running |etl/daily@1: running for 46m, usually 30m"},
		{"of a run, this label", "[{name: x, kind: running, labels: {team: 'd*'}}]", []observe.Snapshot{past(10), snap(46, r)}, "x |etl/daily@1: running for 46m, usually 30m"},
		{"of a workflow and a source, other sources", "[{name: x, kind: failed, source: test}, {name: y, kind: unhealthy, source: test}]", []observe.Snapshot{past(10), sick}, "failed |etl/daily: failed after 12m\nunhealthy |database: database is not well"},
		{"of a workflow and a source, this one", "[{name: x, kind: failed, source: prod, labels: {team: data}}, {name: y, kind: unhealthy, source: prod}]", []observe.Snapshot{past(10), sick}, "x |etl/daily: failed after 12m\ny |database: database is not well"},
	}.run(t)
	for source, want := range map[string]string{"test": "unreachable", "prod": "x"} {
		f := Unreachable("prod", rules(t, "[{name: x, kind: unreachable, source: "+source+"}]"), at(0), at(5), "refused")
		if len(f) != 1 || f[0].Rule != want {
			t.Errorf("a rule for %s: %+v", source, f)
		}
	}
}

// TestASignalWithinBounds: above and below stand together, and an event's key is that of the
// alert.
func TestASignalWithinBounds(t *testing.T) {
	const text = "[{name: x, kind: signal, signal: rows, above: 100, below: 10}]"
	for value, want := range map[float64]string{9: "rows{event_key=o-7} is 9, below 10", 10: "", 100: "", 101: "rows{event_key=o-7} is 101, above 100"} {
		s := with(snap(0), func(s *observe.Snapshot) {
			s.Signals = []observe.Signal{{Name: "rows", Value: value, Labels: map[string]string{"event_key": "o-7"}}}
		})
		got := ""
		for _, f := range Judge(after(t, text, s)).Findings {
			if got += f.What; f.EventKey != "o-7" {
				t.Errorf("event key %q", f.EventKey)
			}
		}
		if got != want {
			t.Errorf("%v: %q, want %q", value, got, want)
		}
	}
}
