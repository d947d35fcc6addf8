package judge

import (
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
)

func TestAbsent(t *testing.T) {
	of := func(kind rule.Kind) finding.Finding {
		return finding.Finding{Rule: string(kind), Kind: kind, Source: "prod", Project: "etl", Workflow: "daily", Run: "1", Task: "+daily+load", Part: "scheduler", Signal: "open_attempts"}
	}
	ruled := func(f finding.Finding, name string) finding.Finding { f.Rule = name; return f }
	failedAt := func(f finding.Finding, minute float64) finding.Finding { f.Since = at(minute); return f }
	open := snap(46, run("1", 0, 0, observe.Running))
	blind := func(minute float64, what string) observe.Snapshot {
		return observe.Snapshot{At: at(minute), Blind: []string{what}}
	}
	withTask := run("1", 0, 0, observe.Running)
	withTask.Tasks = []observe.Task{{Name: "+daily+load", State: observe.Success}}
	tasks := "[{name: task, kind: task, threshold: 1h}, {name: fresh, kind: fresh, threshold: 1h}, {name: signal, kind: signal, signal: open_attempts, above: 1}]"
	attempts := func(s *observe.Snapshot) { s.Signals = []observe.Signal{{Name: "open_attempts", Value: 1}} }
	well := func(s *observe.Snapshot) { s.Health = []observe.Health{{Name: "scheduler", OK: true}} }
	renamed := func(s *observe.Schedule) { s.Workflow = "daily2" }
	for _, c := range []struct {
		name   string
		f      finding.Finding
		snaps  []observe.Snapshot
		reason string // "" for not over
	}{
		{"it ended", of(rule.Running), []observe.Snapshot{past(1), open, snap(60, run("1", 0, 50, observe.Success))}, "it ended: success"},
		{"it was killed", of(rule.Running), []observe.Snapshot{past(1), open, snap(60, run("1", 0, 50, observe.Cancelled))}, "it ended: cancelled"},
		{"it is cancelling", of(rule.Running), []observe.Snapshot{past(1), open, snap(60, run("1", 0, 50, observe.Cancelling))}, "it is cancelling now"},
		{"it is lost", of(rule.Running), []observe.Snapshot{past(1), open, snap(60)}, "the engine has it no more"},
		{"its runs could not be seen", of(rule.Running), []observe.Snapshot{past(1), open, blind(60, "runs: 500")}, ""},
		{"that run could not be seen", of(rule.Running), []observe.Snapshot{past(1), open, blind(60, "attempt 1: 500")}, ""},
		{"an old snapshot", of(rule.Running), []observe.Snapshot{past(1), open, snap(20)}, ""},
		{"an old snapshot of another workflow's", of(rule.Failed), []observe.Snapshot{past(1), snap(60, run("1", 0, 50, observe.Failed)), snap(20)}, ""},
		{"a reset", of(rule.Running), []observe.Snapshot{past(1), open, {At: at(60), Reset: true}}, "the engine began its ids anew"},
		{"the rule is gone", ruled(of(rule.Running), "old"), []observe.Snapshot{past(1), open}, "the rule is not there any more"},
		{"the threshold is another", of(rule.Running), []observe.Snapshot{past(1), open}, "it is not too long by the threshold that holds now"},
		{"the task ended", of(rule.Task), []observe.Snapshot{past(1), snap(46, withTask)}, "the task is success"},
		{"its tasks were not looked at", of(rule.Task), []observe.Snapshot{past(1), open}, ""},
		{"it began", of(rule.Queued), []observe.Snapshot{past(1), open}, "it is running now"},
		{"it succeeded within the second in which it had failed", failedAt(of(rule.Failed), 50), []observe.Snapshot{past(1), snap(60, run("1", 0, 50, observe.Success))}, "it succeeded at 00:50 UTC on 2 Mar"},
		{"it succeeded", of(rule.Failed), []observe.Snapshot{past(1), snap(60, run("1", 0, 50, observe.Success))}, "it succeeded at 00:50 UTC on 2 Mar"},
		{"a success before it is no reason", func() finding.Finding { f := of(rule.Failed); f.Since = at(61); return f }(), []observe.Snapshot{past(1), snap(60, run("1", 0, 50, observe.Success))}, "it is not so any more"},
		{"nobody could see whether", of(rule.Failed), []observe.Snapshot{past(1), blind(60, "runs: 500")}, ""},
		{"it was deleted", of(rule.Late), []observe.Snapshot{with(snap(1), sched(60)), snap(80)}, "the workflow is gone: it was renamed or deleted"},
		{"it was renamed", of(rule.Late), []observe.Snapshot{with(snap(1), sched(60)), with(snap(80), sched(60, renamed))}, "the workflow is gone: daily2 came in its place"},
		{"schedules could not be seen", of(rule.Late), []observe.Snapshot{with(snap(1), sched(60)), blind(80, "schedules: 500")}, ""},
		{"it was started", of(rule.Late), []observe.Snapshot{with(snap(1), sched(60)), with(snap(80), sched(120))}, "it was started"},
		{"it was turned off", of(rule.Late), []observe.Snapshot{with(snap(1), sched(60)), with(snap(80), sched(60, func(s *observe.Schedule) { s.Off = true }))}, "its schedule was turned off"},
		{"forgotten", of(rule.Late), []observe.Snapshot{snap(1)}, "the workflow is not known any more"},
		{"well again", of(rule.Stale), []observe.Snapshot{with(snap(1), well)}, "scheduler is well again"},
		{"the part is not told of", of(rule.Stale), []observe.Snapshot{snap(1)}, ""},
		{"health could not be seen", of(rule.Unhealthy), []observe.Snapshot{with(snap(1), well), with(blind(2, "health: 500"), well)}, ""},
		{"it answers", of(rule.Unreachable), []observe.Snapshot{snap(1)}, "it answers again"},
		{"a reset leaves the source's to the rules", of(rule.Stalled), []observe.Snapshot{past(1), {At: at(60), Reset: true}}, "runs begin and end again"},
		{"the signal is low again", of(rule.Signal), []observe.Snapshot{with(snap(1), attempts)}, "it is not so any more"},
		{"the signal is not reported", of(rule.Signal), []observe.Snapshot{with(snap(1), attempts), snap(2)}, ""},
		{"nor for a day", of(rule.Signal), []observe.Snapshot{with(snap(1), attempts), snap(1500)}, "it is not so any more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			reason, over := after(t, tasks, c.snaps...).Absent(c.f)
			if over != (c.reason != "") || over && reason != c.reason {
				t.Errorf("%q, %v, want %q", reason, over, c.reason)
			}
		})
	}
}
