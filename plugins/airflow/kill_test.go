package main

import (
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

const kills = "PATCH /dags/daily/dagRuns/r1"

func TestKill(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		instances := []string{taskIn(t, api, "load", "success", nil), taskIn(t, api, "sum", "running", nil), taskIn(t, api, "send", "", nil)}
		over := answer{body: tasks(taskIn(t, api, "load", "success", nil), taskIn(t, api, "sum", "failed", nil), taskIn(t, api, "send", "skipped", nil))}
		alone := map[int]string{1: "PATCH /dags/daily/dagRuns/r1/taskInstances/sum", 2: "PATCH /dags/daily/dagRuns/r1/taskInstances/sum"}[api]
		for name, c := range map[string]struct {
			state     string
			at        string
			wait      bool
			unchanged bool
			ends      observe.State
			stopping  int
			left      int
			sent      string
		}{
			"one that runs":         {"running", "daily@r1", false, false, observe.Failed, 1, 1, kills},
			"one that is queued":    {"queued", "daily@r1", false, false, observe.Failed, 1, 1, kills},
			"to its end":            {"running", "daily@r1", true, false, observe.Failed, 1, 1, kills},
			"one that ended":        {"success", "daily@r1", true, true, observe.Success, 1, 1, ""},
			"a task of it":          {"running", "daily@r1/sum", false, false, observe.Running, 1, 0, alone},
			"a task that has ended": {"running", "daily@r1/load", false, true, observe.Running, 0, 0, ""},
		} {
			p := play{
				"GET /dags/daily/dagRuns/r1":               {{body: runIn(t, api, "r1", c.state, nil)}, {body: runIn(t, api, "r1", "running", nil)}, {body: runIn(t, api, "r1", "failed", nil)}},
				"GET /dags/daily/dagRuns/r1/taskInstances": {{body: tasks(instances...)}, {body: tasks(instances...)}, over},
				kills: {{body: recorded(t, api, "patch-run-failed", map[string]any{"dag_id": "daily", "dag_run_id": "r1"})}},
				alone: {{body: recorded(t, api, "patch-task-success", nil)}},
			}
			s := actsOn(t, api, p)
			out, o := sdktest.Run(t, kill, killParams{source: s.on(), Address: c.at, Wait: c.wait, pace: atOnce})
			if o.Err() != nil || o.Unchanged != c.unchanged || out.Run.State != c.ends || len(out.Stopping) != c.stopping || out.Left != c.left {
				t.Errorf("%s: %+v, %v", name, out, o.Err())
			}
			for _, key := range []string{kills, alone} {
				sent := s.requests(key)
				if (len(sent) == 1) != (c.sent == key) || len(sent) == 1 && !strings.Contains(sent[0].body, `"failed"`) {
					t.Errorf("%s: %s was sent as %+v", name, key, sent)
				}
			}
			if c.wait && c.sent != "" && len(s.requests("GET /dags/daily/dagRuns/r1/taskInstances")) != 3 {
				t.Errorf("%s: it was not waited for", name)
			}
			if says := map[int]string{1: "about 10s", 2: "about 5s"}[api]; c.sent != "" && !hasField(o, "within", says) {
				t.Errorf("%s: %+v", name, o.Logs)
			}
		}
	})
}

// TestKillOnceMore: another run is the latest by the time of the retry.
func TestKillOnceMore(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		p := play{
			"GET /dags/daily/dagRuns":                  {{body: runs(runIn(t, api, "r1", "running", nil))}, {body: runs(runIn(t, api, "r2", "running", nil))}},
			"GET /dags/daily/dagRuns/r1":               {{body: runIn(t, api, "r1", "running", nil)}},
			"GET /dags/daily/dagRuns/r1/taskInstances": {{body: tasks(taskIn(t, api, "sum", "running", nil))}},
			"GET /dags/daily/dagRuns/r2/taskInstances": {{body: tasks(taskIn(t, api, "sum", "running", nil))}},
			kills:                          {{status: 409, body: `{"detail":"not now"}`}, {body: runIn(t, api, "r1", "failed", nil)}},
			"PATCH /dags/daily/dagRuns/r2": {{body: runIn(t, api, "r2", "failed", nil)}},
		}
		s := actsOn(t, api, p)
		params := killParams{source: s.on(), Address: "daily", pace: atOnce}
		_, o := sdktest.Run(t, kill, params)
		if o.Err() == nil || len(o.Checkpoints) != 1 {
			t.Fatalf("%v, %s", o.Err(), o.Checkpoints)
		}
		out, o := sdktest.Run(t, kill, params, sdktest.Restore(o.Checkpoints[0]))
		if o.Err() != nil || out.Run.Session != "r1" || len(s.requests(kills)) != 2 || len(s.requests("PATCH /dags/daily/dagRuns/r2")) != 0 {
			t.Errorf("%v, %+v", o.Err(), out)
		}
	})
}

func hasField(o sdktest.Outcome, name string, value any) bool {
	for _, l := range o.Logs {
		if l.Fields[name] == value {
			return true
		}
	}
	return false
}

func TestKillConforms(t *testing.T) {
	p := play{
		"GET /dags/daily/dagRuns/r1":               {{body: runIn(t, 2, "r1", "running", nil)}},
		"GET /dags/daily/dagRuns/r1/taskInstances": {{body: tasks(taskIn(t, 2, "sum", "running", nil))}},
		kills: {{body: runIn(t, 2, "r1", "failed", nil)}},
	}
	s := actsOn(t, 2, p)
	sdktest.Conform(t, killComponent(), sdktest.Case{Params: `{"endpoint":"` + s.URL + `","address":"daily@r1","token":"correct horse"}`})
	about, err := killComponent().Engine().Describe()
	if err != nil || !about.Destructive {
		t.Errorf("%+v, %v", about, err)
	}
}
