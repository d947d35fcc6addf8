package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

const clears = "POST /dags/daily/clearTaskInstances"

// clearPlay answers for run r1 of daily, whose tasks are load>sum>send, and beside.
func clearPlay(t *testing.T, api int, state string, instances ...string) play {
	return play{
		"GET /dags/daily/dagRuns/r1":               {{body: runIn(t, api, "r1", state, nil)}},
		"GET /dags/daily/dagRuns/r1/taskInstances": {{body: tasks(instances...)}},
		"GET /dags/daily/details":                  {{body: dagIs(t, api, nil)}},
		"GET /dags/daily/tasks":                    {{body: defs(t, "load>sum>send", "beside")}},
		clears:                                     {{body: tasks(taskIn(t, api, "sum", "", nil))}},
	}
}

func failedChain(t *testing.T, api int) []string {
	return []string{taskIn(t, api, "send", "upstream_failed", nil), taskIn(t, api, "sum", "failed", nil), taskIn(t, api, "load", "success", nil), taskIn(t, api, "beside", "success", nil)}
}

func clearOn(s *airflowServer) clearParams {
	return clearParams{source: s.on(), Address: "daily@r1", Mode: clearFailed, State: "failed", Since: "24h", AtMost: 20}
}

// sentClear is what a request to clear says.
type sentClear struct {
	Run        string `json:"dag_run_id"`
	Tasks      []any  `json:"task_ids"`
	DryRun     *bool  `json:"dry_run"`
	OnlyFailed *bool  `json:"only_failed"`
	Reset      *bool  `json:"reset_dag_runs"`
}

func (s *airflowServer) cleared(t *testing.T) (all []sentClear) {
	t.Helper()
	for _, a := range s.requests(clears) {
		var one sentClear
		if err := json.Unmarshal([]byte(a.body), &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	return all
}

func TestClear(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		for name, c := range map[string]struct {
			change func(*clearParams)
			state  string
			tasks  []string
			sent   string
		}{
			"what failed":      {func(*clearParams) {}, "failed", []string{"sum", "send"}, "[sum send]"},
			"dry":              {func(p *clearParams) { p.DryRun = true }, "failed", []string{"sum", "send"}, ""},
			"from a task":      {func(p *clearParams) { p.Mode, p.From = clearFrom, "load" }, "failed", []string{"load", "sum", "send"}, "[load sum send]"},
			"from the address": {func(p *clearParams) { p.Mode, p.Address = clearFrom, "daily@r1/beside" }, "failed", []string{"beside"}, "[beside]"},
			"all":              {func(p *clearParams) { p.Mode = clearAll }, "failed", []string{"beside", "load", "sum", "send"}, "[beside load sum send]"},
			"one that failed":  {func(p *clearParams) { p.Address = "daily@r1/sum" }, "failed", []string{"sum", "send"}, "[sum send]"},
			"one that did not": {func(p *clearParams) { p.Address = "daily@r1/load" }, "failed", []string{}, ""},
			"while it runs":    {func(*clearParams) {}, "running", []string{"sum", "send"}, "[sum send]"},
		} {
			s := actsOn(t, api, clearPlay(t, api, c.state, failedChain(t, api)...))
			p := clearOn(s)
			c.change(&p)
			out, o := sdktest.Run(t, clearRuns, p)
			if o.Err() != nil || len(out.Attempts) != 1 || !slices.Equal(out.Attempts[0].Tasks, c.tasks) || out.Attempts[0].DAG != "daily" || out.Attempts[0].RunID != "r1" || o.Unchanged != (len(c.tasks) == 0) || (out.Retried == 1) == o.Unchanged {
				t.Errorf("%s: %+v, %v", name, out, o.Err())
			}
			sent := s.cleared(t)
			if (len(sent) == 1) != (c.sent != "") {
				t.Errorf("%s: sent %+v", name, sent)
				continue
			}
			// What is not said is true by default, dry_run and only_failed.
			if c.sent != "" && (fmt.Sprint(sent[0].Tasks) != c.sent || sent[0].Run != "r1" || sent[0].DryRun == nil || *sent[0].DryRun || sent[0].OnlyFailed == nil || *sent[0].OnlyFailed || !*sent[0].Reset) {
				t.Errorf("%s: sent %+v", name, sent[0])
			}
		}
	})
}

// TestClearMapped: Airflow 3 clears instances, Airflow 2 what failed of the task.
func TestClearMapped(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		p := clearPlay(t, api, "failed", taskIn(t, api, "load[0]", "success", nil), taskIn(t, api, "load[1]", "failed", nil), taskIn(t, api, "sum", "upstream_failed", nil))
		s := actsOn(t, api, p)
		out, o := sdktest.Run(t, clearRuns, clearOn(s))
		sent := s.cleared(t)
		if o.Err() != nil || len(sent) != 2 || !slices.Equal(out.Attempts[0].Instances, []string{"load[1]"}) || !slices.Equal(out.Attempts[0].Tasks, []string{"load", "sum"}) {
			t.Fatalf("%+v, %v, sent %+v", out, o.Err(), sent)
		}
		want := map[int]string{1: "[load] true [sum] false", 2: "[[load 1]] false [sum] false"}[api]
		if got := fmt.Sprint(sent[0].Tasks, *sent[0].OnlyFailed, sent[1].Tasks, *sent[1].OnlyFailed); got != want {
			t.Errorf("sent %s, want %s", got, want)
		}

		s = actsOn(t, api, p)
		one := clearOn(s)
		one.Mode, one.From = clearFrom, "load[0]"
		_, o = sdktest.Run(t, clearRuns, one)
		if api == 1 && (o.Code != "not_in_airflow_2" || len(s.cleared(t)) != 0) || api == 2 && (o.Err() != nil || fmt.Sprint(s.cleared(t)[0].Tasks) != "[[load 0]]") {
			t.Errorf("%q %v %+v", o.Code, o.Err(), s.cleared(t))
		}
	})
}

// TestClearLeavesAloneWhatRuns, unless it is told to.
func TestClearLeavesAloneWhatRuns(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		instances := []string{taskIn(t, api, "load", "running", nil), taskIn(t, api, "beside", "failed", nil), taskIn(t, api, "sum", "", nil)}
		for name, c := range map[string]struct {
			mode    string
			running bool
			code    string
			tasks   string
		}{
			"failed":     {clearFailed, false, "", "[beside]"},
			"all":        {clearAll, false, "still_running", ""},
			"all of all": {clearAll, true, "", "[beside load sum]"},
			"from":       {clearFrom, false, "still_running", ""},
		} {
			s := actsOn(t, api, clearPlay(t, api, "running", instances...))
			p := clearOn(s)
			p.Mode, p.Running = c.mode, c.running
			if c.mode == clearFrom {
				p.From = "load"
			}
			_, o := sdktest.Run(t, clearRuns, p)
			sent := s.cleared(t)
			if o.Code != c.code || c.code != "" && (o.State != sdktest.Failed || !strings.Contains(o.Error, "load of run daily@r1 is under way")) ||
				(c.tasks == "") != (len(sent) == 0) || c.tasks != "" && fmt.Sprint(sent[0].Tasks) != c.tasks {
				t.Errorf("%s: %q %s, sent %+v", name, o.Code, o.Error, sent)
			}
			if c.running && !heard(o, map[int]string{1: "Airflow 2 mostly lets it run on", 2: "Airflow stops it and runs it again"}[api]) {
				t.Errorf("%+v", o.Logs)
			}
		}
	})
}

// TestClearOnceMore: a retry of the run clears only what its earlier try did not come
// to.
func TestClearOnceMore(t *testing.T) {
	before := begunClear{target{"daily@r1", "daily", "r1"}, map[string]map[string]begunTry{"daily@r1": {"load": {Try: 1}, "sum": {Try: 1}, "send": {}}}}
	for name, c := range map[string]struct {
		instances []string
		sent      string
	}{
		"nothing was sent":    {[]string{taskIn(t, 2, "load", "success", nil), taskIn(t, 2, "sum", "failed", nil), taskIn(t, 2, "send", "upstream_failed", nil)}, "[load sum send]"},
		"it was cleared":      {[]string{taskIn(t, 2, "load", "", map[string]any{"try_number": 1}), taskIn(t, 2, "sum", "", map[string]any{"try_number": 1}), taskIn(t, 2, "send", "", nil)}, ""},
		"it runs again":       {[]string{taskIn(t, 2, "load", "running", map[string]any{"try_number": 2}), taskIn(t, 2, "sum", "", map[string]any{"try_number": 1}), taskIn(t, 2, "send", "", nil)}, ""},
		"it failed once more": {[]string{taskIn(t, 2, "load", "failed", map[string]any{"try_number": 2}), taskIn(t, 2, "sum", "failed", map[string]any{"try_number": 2}), taskIn(t, 2, "send", "success", map[string]any{"try_number": 1})}, ""},
		"half of it":          {[]string{taskIn(t, 2, "load", "success", map[string]any{"try_number": 2}), taskIn(t, 2, "sum", "failed", nil), taskIn(t, 2, "send", "upstream_failed", nil)}, "[sum send]"},
	} {
		s := actsOn(t, 2, clearPlay(t, 2, "running", append(c.instances, taskIn(t, 2, "beside", "success", nil))...))
		p := clearOn(s)
		p.Mode = clearAll
		out, o := sdktest.Run(t, clearRuns, p, sdktest.Restore(before))
		got := ""
		if sent := s.cleared(t); len(sent) > 0 {
			got = fmt.Sprint(sent[0].Tasks)
		}
		if o.Err() != nil || got != c.sent || !slices.Equal(out.Attempts[0].Tasks, []string{"load", "sum", "send"}) && !slices.Contains(out.Attempts[0].Tasks, "load") {
			t.Errorf("%s: %v, sent %s, %+v", name, o.Err(), got, out.Attempts)
		}
	}
	// What is about to be cleared is kept before it is sent.
	kept := false
	s := actsOn(t, 2, clearPlay(t, 2, "failed", failedChain(t, 2)...))
	_, o := sdktest.Run(t, clearRuns, clearOn(s), sdktest.OnCheckpoint(func(raw []byte) error {
		kept = len(s.requests(clears)) == 0 && string(raw) == `{"address":"daily@r1","dag":"daily","run_id":"r1","runs":{"daily@r1":{"send":{"try":0},"sum":{"try":1}}}}`
		return nil
	}))
	if o.Err() != nil || !kept {
		t.Errorf("%v, kept %v", o.Err(), kept)
	}
}

// TestClearOnceMoreOfTheSameRun: another run is the latest by the time of the retry.
func TestClearOnceMoreOfTheSameRun(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		p := clearPlay(t, api, "failed", failedChain(t, api)...)
		p["GET /dags/daily/dagRuns"] = []answer{{body: runs(runIn(t, api, "r1", "failed", nil))}, {body: runs(runIn(t, api, "r2", "failed", nil))}}
		p["GET /dags/daily/dagRuns/r2/taskInstances"] = []answer{{body: tasks(failedChain(t, api)...)}}
		p[clears] = []answer{{status: 409, body: `{"detail":"not now"}`}, p[clears][0]}
		s := actsOn(t, api, p)
		params := clearOn(s)
		params.Address = "daily"
		_, o := sdktest.Run(t, clearRuns, params)
		if o.Err() == nil || len(o.Checkpoints) == 0 {
			t.Fatalf("%v, %s", o.Err(), o.Checkpoints)
		}
		out, o := sdktest.Run(t, clearRuns, params, sdktest.Restore(o.Checkpoints[len(o.Checkpoints)-1]))
		if o.Err() != nil || out.Attempts[0].RunID != "r1" {
			t.Errorf("%v, %+v", o.Err(), out)
		}
		if sent := s.cleared(t); len(sent) != 2 || sent[1].Run != "r1" {
			t.Errorf("sent %+v", sent)
		}
		// What another call with the same key began is not this one's.
		params.Address = "daily@r2"
		p["GET /dags/daily/dagRuns/r2"] = []answer{{body: runIn(t, api, "r2", "failed", nil)}}
		params.source = actsOn(t, api, p).on()
		if out, o = sdktest.Run(t, clearRuns, params, sdktest.Restore(o.Checkpoints[0])); o.Code != "conflict" || len(out.Attempts) != 0 {
			t.Errorf("%q, %+v", o.Code, out)
		}
	})
}

// TestClearOnceMoreOfWhatRuns: a crash before the request leaves it in the try that it
// was in.
func TestClearOnceMoreOfWhatRuns(t *testing.T) {
	at := func(clock string) map[string]any {
		return map[string]any{"try_number": 1, "start_date": "2026-11-21T23:" + clock + "Z"}
	}
	for name, c := range map[string]struct {
		now  string
		sent int
	}{
		"as it was":       {taskIn(t, 2, "load", "running", at("10:00.123456")), 1},
		"it is stopped":   {taskIn(t, 2, "load", "restarting", at("10:00.123456")), 0},
		"it was cleared":  {taskIn(t, 2, "load", "", at("10:00.123456")), 0},
		"it runs again":   {taskIn(t, 2, "load", "running", at("12:00")), 0},
		"it ended before": {taskIn(t, 2, "load", "failed", at("10:00.123456")), 1},
	} {
		p := clearPlay(t, 2, "running", taskIn(t, 2, "load", "running", at("10:00.123456")))
		params := clearOn(actsOn(t, 2, p))
		params.Mode, params.Running = clearAll, true
		_, o := sdktest.Run(t, clearRuns, params)
		if o.Err() != nil {
			t.Fatal(o.Err())
		}
		s := actsOn(t, 2, clearPlay(t, 2, "running", c.now))
		params.source = s.on()
		if _, o = sdktest.Run(t, clearRuns, params, sdktest.Restore(o.Checkpoints[len(o.Checkpoints)-1])); o.Err() != nil || len(s.cleared(t)) != c.sent {
			t.Errorf("%s: %v, sent %+v", name, o.Err(), s.cleared(t))
		}
	}
}

func TestClearSaysThatItIsPaused(t *testing.T) {
	p := clearPlay(t, 1, "failed", failedChain(t, 1)...)
	p["GET /dags/daily/details"] = []answer{{body: dagIs(t, 1, map[string]any{"is_paused": true})}}
	out, o := sdktest.Run(t, clearRuns, clearOn(actsOn(t, 1, p)))
	if o.Err() != nil || !out.Attempts[0].Paused || !heard(o, "the DAG is paused: nothing of it runs") {
		t.Errorf("%+v, %v", out, o.Err())
	}
}

// manyPlay answers for failed runs of daily, one of which cannot be cleared, and of
// another DAG.
func manyPlay(t *testing.T, api int) play {
	other := runIn(t, api, "x", "failed", map[string]any{"dag_id": "other"})
	old := map[string]any{"logical_date": "2026-11-20T00:00:00Z", "execution_date": "2026-11-20T00:00:00Z"}
	p := clearPlay(t, api, "failed", failedChain(t, api)...)
	p["GET /dags/~/dagRuns?failed"] = []answer{{body: runs(runIn(t, api, "r1", "failed", map[string]any{"end_date": "2036-11-21T23:20:00Z"}), runIn(t, api, "r0", "failed", old), other)}}
	for _, r := range []string{"r0", "x"} {
		p["GET /dags/~/dagRuns?failed"][0].body = strings.ReplaceAll(p["GET /dags/~/dagRuns?failed"][0].body, "2026-11-21T23:20:00Z", "2036-11-21T23:20:00Z")
		p["GET /dags/daily/dagRuns/"+r+"/taskInstances"] = []answer{{status: 403, body: `{"detail":"Forbidden"}`}}
	}
	return p
}

func TestClearMany(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		s := actsOn(t, api, manyPlay(t, api))
		p := clearOn(s)
		p.Address, p.Partial = "d[ab]i?y", true
		out, o := sdktest.Run(t, clearRuns, p)
		if o.Err() != nil || out.Retried != 1 || out.Failed != 1 || len(out.Attempts) != 2 || out.Attempts[0].RunID != "r0" || out.Attempts[0].Code != client.CodeForbidden || out.Attempts[0].Error == "" || len(s.cleared(t)) != 1 {
			t.Errorf("%+v, %v", out, o.Err())
		}
		if q := s.requests("GET /dags/~/dagRuns?failed")[0].query; !strings.Contains(q, "end_date_gte=") {
			t.Errorf("asked for %s", q)
		}

		p.Partial = false
		if _, o = sdktest.Run(t, clearRuns, p); o.Code != "partly_failed" || !strings.Contains(o.Error, "1 of 2 could not be cleared, the first daily@r0: ") {
			t.Errorf("%q %s", o.Code, o.Error)
		}

		s = actsOn(t, api, manyPlay(t, api))
		p.source, p.AtMost = s.on(), 1
		if _, o = sdktest.Run(t, clearRuns, p); o.Code != "too_many" || o.State != sdktest.Permanent || len(s.cleared(t)) != 0 || !strings.Contains(o.Error, "2 runs match, more than at_most 1: nothing was done") {
			t.Errorf("%q %s", o.Code, o.Error)
		}
		p.DryRun, p.Partial = true, true
		if out, o = sdktest.Run(t, clearRuns, p); o.Err() != nil || out.Left != 1 || len(out.Attempts) != 1 || len(s.cleared(t)) != 0 {
			t.Errorf("%+v, %v", out, o.Err())
		}
	})
}

func TestClearRefusesWhatCannotBe(t *testing.T) {
	for params, want := range map[string]string{
		`{"address":"daily","from":"load"}`:                              "it needs mode from, not failed",
		`{"address":"daily","mode":"from"}`:                              "from which task?",
		`{"address":"daily/a","mode":"from","from":"b"}`:                 "names another task",
		`{"address":"daily/a","mode":"all"}`:                             "mode all is for all of the run",
		`{"address":"daily","mode":"from","from":"a b"}`:                 "is no task",
		`{"address":"da*@latest"}`:                                       "a run or task cannot stand in it",
		`{"address":"da*","since":"noon"}`:                               "want a duration",
		`{"address":"da*","since":"24h","at_most":0}`:                    "at_most",
		`{"address":"daily@r1/x[a]"}`:                                    "is no task",
		`{"address":"da*","mode":"from"}`:                                "from which task?",
		`{"address":"daily","mode":"some"}`:                              "mode",
		`{"address":"daily@r1","mode":"from","from":"load","state":"x"}`: "state",
	} {
		s := actsOn(t, 2, nil)
		params = strings.Replace(params, "{", `{"endpoint":"`+s.URL+`",`, 1)
		if o := sdktest.RunJSON(t, clearComponent(), params); o.State != sdktest.Permanent || !strings.Contains(o.Error, want) {
			t.Errorf("%s: %s %s, want %q", params, o.State, o.Error, want)
		}
	}
}

// TestPlanClear: what a kill or a timeout skipped runs again, and no more.
func TestPlanClear(t *testing.T) {
	ti := func(task, state string, try int) client.TaskInstance {
		return client.TaskInstance{Task: task, MapIndex: -1, State: state, Try: try}
	}
	chain := []client.TaskDef{{ID: "a", Downstream: []string{"b"}}, {ID: "b", Downstream: []string{"c"}}, {ID: "c"}, {ID: "d"}}
	for name, c := range map[string]struct {
		run   string
		tasks []client.TaskInstance
		want  string
	}{
		"a failure":                 {"failed", []client.TaskInstance{ti("a", "success", 1), ti("b", "failed", 1), ti("c", "upstream_failed", 0), ti("d", "success", 1)}, "b c"},
		"killed in b":               {"failed", []client.TaskInstance{ti("a", "success", 1), ti("b", "failed", 1), ti("c", "skipped", 0), ti("d", "skipped", 0)}, "b c d"},
		"killed before it began":    {"failed", []client.TaskInstance{ti("a", "skipped", 0), ti("b", "skipped", 0), ti("c", "", 0), ti("d", "", 0)}, "a b c d"},
		"skipped by itself":         {"failed", []client.TaskInstance{ti("a", "failed", 1), ti("b", "upstream_failed", 0), ti("c", "upstream_failed", 0), ti("d", "skipped", 1)}, "a b c"},
		"a branch of a success":     {"success", []client.TaskInstance{ti("a", "success", 1), ti("b", "skipped", 0), ti("c", "skipped", 0), ti("d", "success", 1)}, ""},
		"a success after a failure": {"success", []client.TaskInstance{ti("a", "failed", 2), ti("b", "success", 1), ti("c", "success", 1), ti("d", "success", 1)}, "a"},
		"one more failure to come":  {"running", []client.TaskInstance{ti("a", "failed", 1), ti("b", "upstream_failed", 0), ti("c", "", 0), ti("d", "up_for_retry", 1)}, "a b c"},
	} {
		picked, err := planClear(client.DAGRun{DAG: "x", ID: "r", State: c.run}, c.tasks, chain, clearParams{Mode: clearFailed}, address.Address{DAG: "x"})
		if err != nil || strings.Join(names(picked), " ") != c.want {
			t.Errorf("%s: %v, %v, want %s", name, names(picked), err, c.want)
		}
	}
}

func TestClearConforms(t *testing.T) {
	s := actsOn(t, 2, clearPlay(t, 2, "failed", failedChain(t, 2)...))
	sdktest.Conform(t, clearComponent(), sdktest.Case{Params: `{"endpoint":"` + s.URL + `","address":"daily@r1","token":"correct horse"}`})
}
