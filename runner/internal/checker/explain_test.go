package checker

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestExplainSaysWhatARuleWants, for people and as JSON: also of a task's rule, and that
// somebody has turned something off.
func TestExplainSaysWhatARuleWants(t *testing.T) {
	w := watch{t: t, c: Config{Rules: rules(t, `[
{name: load, kind: task, task: ['*load', '*copy'], threshold: 20m}, {name: tasks, kind: task, project: etl}, {name: theirs, kind: task, workflow: weekly, task: '*load'},
{name: seven, kind: deadline, by: '07:00', days: mon-fri, zone: Europe/Berlin}, {name: often, kind: failed, failures: 3, of: 5}, {name: two, kind: overlap, above: 2},
{name: quiet, kind: lost, off: true}, {name: short, kind: fast, floor: 25m}]`)}}
	r := run("1", 0, 0, observe.Running)
	r.Labels = map[string]string{rule.LabelOff: "running,late", rule.LabelThreshold: "3h"}
	s := snap(1, r)
	s.Schedules = []observe.Schedule{{Project: "etl", Workflow: "daily", NextRun: at(100), MaxActive: 4}}
	w.snap(past(10))
	w.snap(s)
	e, err := Explain(w.state, w.c, "prod:etl/daily")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]struct{ terms, json string }{
		"load":      {"of tasks *load *copy", `"threshold":"20m","from":"config","task":["*load","*copy"]`},
		"tasks":     {"", `"threshold":"usual","from":"default"`},
		"seven":     {"by 07:00, mon,tue,wed,thu,fri, Europe/Berlin", `"by":"07:00","days":"mon,tue,wed,thu,fri","zone":"Europe/Berlin"`},
		"often":     {"3 of the last 5 sessions", `"failures":3,"of":5`},
		"two":       {"more than 2 at once", `"above":2`},
		"quiet":     {"turned off by the config", `"off":"config"`},
		"running":   {"turned off by the owner", `"builtin":true,"off":"owner"`},
		"late":      {"turned off by the owner", `"builtin":true,"off":"owner"`},
		"missing":   {"", `"threshold":"15m","from":"default"`},
		"saturated": {"", `"rule":"saturated","kind":"saturated"`},
		"short":     {"", `"bound":"floor"`},
	}
	told := map[string]bool{}
	for _, d := range e.Rules {
		told[d.Rule] = true
		raw, err := json.Marshal(d)
		if is, known := want[d.Rule]; known && (d.Terms() != is.terms || err != nil || !strings.Contains(string(raw), is.json)) {
			t.Errorf("%s: %q\n%s, %v\nwant %q, %s", d.Rule, d.Terms(), raw, err, is.terms, is.json)
		}
	}
	for name := range want {
		if !told[name] {
			t.Errorf("%s is not told", name)
		}
	}
	for _, name := range []string{"theirs", "unreachable", "failed"} {
		if told[name] {
			t.Errorf("%s does not decide about it, and is told", name)
		}
	}
}
