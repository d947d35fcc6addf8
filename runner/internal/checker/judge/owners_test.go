package judge

import (
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestAFullWorkflowIsItsOwners: their settings hold, and rules may mean it by its name. A
// rule that does so says nothing of the source's own limits.
func TestAFullWorkflowIsItsOwners(t *testing.T) {
	full := func(labels map[string]string) []observe.Snapshot {
		one := func(s *observe.Schedule) { s.MaxActive, s.Labels = 1, labels }
		attempts := func(s *observe.Snapshot) {
			s.Signals = []observe.Signal{{Name: "open_attempts", Value: 90}, {Name: "open_attempts_limit", Value: 100}}
		}
		return []observe.Snapshot{snap(0), with(snap(10, run("1", 0, 0, observe.Running), run("2", 1, 0, observe.Queued)), sched(300, one), attempts)}
	}
	const source = "saturated |open_attempts: open attempts: 90 of 100"
	const its = " |etl/daily: 1 of 1 runs at once are open, and etl/daily@2 waits"
	table{
		{"without a setting", "", full(nil), source + "\nsaturated" + its},
		{"the owner opts out", "", full(map[string]string{rule.LabelOff: "saturated"}), source},
		{"the config wins", "[{name: x, kind: saturated}]", full(map[string]string{rule.LabelOff: "saturated"}), "x |open_attempts: open attempts: 90 of 100\nx" + its},
		{"a rule for the workflow", "[{name: x, kind: saturated, project: etl, workflow: 'dail*'}]", full(nil), source + "\nx" + its},
		{"a rule for another", "[{name: x, kind: saturated, project: etl, workflow: weekly}]", full(nil), source + "\nsaturated" + its},
		{"a rule for any workflow", "[{name: x, kind: saturated, workflow: '*', off: true}]", full(nil), source},
		{"a rule by its labels", "[{name: x, kind: saturated, labels: {team: data}}]", full(map[string]string{"team": "data"}), source + "\nx" + its},
	}.run(t)
	out := Judge(after(t, "", full(map[string]string{rule.LabelChannel: "#etl", rule.LabelRunbook: "wiki"})...)).Findings
	if len(out) != 2 || out[0].Channel+out[0].Runbook != "" || out[1].Channel != "#etl" || out[1].Runbook != "wiki" {
		t.Errorf("%+v", out)
	}
}

// TestATasksNameMayHoldASlash, where for_each went through paths.
func TestATasksNameMayHoldASlash(t *testing.T) {
	r := run("1", 0, 0, observe.Running)
	r.Tasks = []observe.Task{{Name: "+daily+each+for-0=path=/data/in+load", State: observe.Running, Started: at(2)}}
	const want = "x |etl/daily@1|+daily+each+for-0=path=/data/in+load: task +daily+each+for-0=path=/data/in+load running for 11m"
	snaps := []observe.Snapshot{past(10), snap(13, r)}
	table{
		{"by its end", "[{name: x, kind: task, task: '*load', threshold: 10m}]", snaps, want},
		{"with the slash", "[{name: x, kind: task, task: '*=/data/*load', threshold: 10m}]", snaps, want},
		{"another path", "[{name: x, kind: task, task: '*=/other/*load', threshold: 10m}]", snaps, ""},
	}.run(t)
}

// TestFastWithinItsBounds: floor and cap hold.
func TestFastWithinItsBounds(t *testing.T) {
	ended := func(minutes float64) []observe.Snapshot {
		return []observe.Snapshot{past(10), snap(60, run("1", 0, minutes, observe.Success))}
	}
	table{
		{"below the floor", "[{name: x, kind: fast, floor: 28m}]", ended(25), "x |etl/daily: succeeded after only 25m, usually 30m"},
		{"not below the cap", "[{name: x, kind: fast, cap: 1m}]", ended(2), ""},
	}.run(t)
}

func TestOwnersProblemsAreNoted(t *testing.T) {
	r := run("1", 0, 0, observe.Running)
	r.Labels = map[string]string{rule.LabelThreshold: "soon"}
	if out := Judge(after(t, "", snap(0, r))); len(out.Notes) != 1 || !strings.HasPrefix(out.Notes[0], `prod:etl/daily: label outrider.threshold: "soon"`) {
		t.Errorf("%q", out.Notes)
	}
}
