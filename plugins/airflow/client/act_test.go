package client_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

// sent is the body of a request.
func (s seen) sent(t *testing.T) (body map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s.Body), &body); err != nil {
		t.Fatalf("%s: %v", s.Body, err)
	}
	return body
}

// TestTriggerSends: logical_date is null to Airflow 3 and absent to Airflow 2 where
// there is none, and a conf goes as it is.
func TestTriggerSends(t *testing.T) {
	conf := json.RawMessage(`{"q":"'\"\\ $(x)","u":"日本\u2028😀","big":"` + strings.Repeat("x", 300<<10) + `","n":12345678901234567890}`)
	when := at("2026-11-21T09:00:00.5+09:00")
	for _, c := range []struct {
		api  int
		t    client.Trigger
		want string
	}{
		{2, client.Trigger{DAG: "d"}, `{"logical_date":null}`},
		{1, client.Trigger{DAG: "d"}, `{}`},
		{2, client.Trigger{DAG: "d", ID: "r", Note: "n", Logical: when}, `{"dag_run_id":"r","logical_date":"2026-11-21T00:00:00.500000Z","note":"n"}`},
		{1, client.Trigger{DAG: "d", ID: "r", Note: "n", Logical: when}, `{"dag_run_id":"r","logical_date":"2026-11-21T00:00:00.500000Z","note":"n"}`},
		{2, client.Trigger{DAG: "d", ID: "r", Conf: conf}, ""},
		{1, client.Trigger{DAG: "d", ID: "r", Conf: conf}, ""},
	} {
		f := serve(t, c.api, recorded(t, c.api, "trigger"))
		r, existed, err := ask(t, f).Trigger(t.Context(), c.t)
		if err != nil || existed || r.State != "queued" {
			t.Fatalf("%+v, %t, %v", r, existed, err)
		}
		got := f.all()[0]
		if c.want != "" && got.Body != c.want {
			t.Errorf("sent %s, want %s", got.Body, c.want)
		}
		var body struct{ Conf json.RawMessage }
		if err := json.Unmarshal([]byte(got.Body), &body); err != nil {
			t.Fatal(err)
		}
		var a, b any
		if c.t.Conf != nil && (json.Unmarshal(body.Conf, &a) != nil || json.Unmarshal(conf, &b) != nil || !strings.Contains(string(body.Conf), "12345678901234567890")) {
			t.Errorf("the conf became %.200s", body.Conf)
		}
		if c.t.Conf != nil {
			same(t, "the conf", a, b)
		}
	}
}

// TestTriggerAgain: a run that is there already is no error, and none of ours that got
// no answer; another run with the date is one.
func TestTriggerAgain(t *testing.T) {
	for _, api := range []int{1, 2} {
		taken, there, gone := recorded(t, api, "trigger-409-same-id"), recorded(t, api, "dagrun-success"), recorded(t, api, "dagrun-404")
		with := func(f *fake, x client.Trigger) (client.DAGRun, bool, error) {
			return ask(t, f).Trigger(t.Context(), x)
		}
		f := serve(t, api, taken, there)
		r, existed, err := with(f, client.Trigger{DAG: "trivial", ID: "x+y:z"})
		if err != nil || !existed || r.State != "success" || !strings.HasSuffix(f.lines()[1], "/dags/trivial/dagRuns/x+y:z") {
			t.Errorf("%+v, %t, %v, %v", r, existed, err, f.lines())
		}
		f = serve(t, api, cut(""), taken, there)
		if r, existed, err = with(f, client.Trigger{DAG: "trivial", ID: "x"}); err != nil || existed || r.ID == "" {
			t.Errorf("made by a try without an answer: %+v, %t, %v", r, existed, err)
		}
		f = serve(t, api, taken, gone, recorded(t, api, "dagruns-all-running"))
		_, existed, err = with(f, client.Trigger{DAG: "trivial", ID: "x", Logical: at("2026-11-21T00:00:00Z")})
		var e *client.Error
		if !errors.As(err, &e) || existed || e.Code != client.CodeConflict || len(e.Near) != 1 || !strings.Contains(err.Error(), "409: run "+e.Near[0]+" has the logical date 2026-11-21T00:00:00Z already") {
			t.Errorf("%+v, %t, %v", e, existed, err)
		}
		f = serve(t, api, taken)
		if _, existed, err = with(f, client.Trigger{DAG: "trivial"}); code(err) != client.CodeConflict || existed || len(f.all()) != 1 {
			t.Errorf("without an id: %t, %v", existed, err)
		}
		// Without an id it is not sent twice: there would be two runs.
		f = serve(t, api, cut("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"))
		if _, _, err = with(f, client.Trigger{DAG: "trivial"}); code(err) != client.CodeUnreachable || len(f.all()) != 1 {
			t.Errorf("%v, %v", err, f.lines())
		}
	}
	f := serve(t, 1, recorded(t, 1, "trigger-bad-id"))
	_, _, err := ask(t, f).Trigger(t.Context(), client.Trigger{DAG: "d", ID: "a b"})
	if code(err) != client.CodeBadRequest || !strings.Contains(err.Error(), `500, as Airflow 2 answers to a run id that it does not allow: "a b" has more than`) || len(f.all()) != 1 {
		t.Errorf("%v, %v", err, f.lines())
	}
	f = serve(t, 2, recorded(t, 2, "trigger-bad-id"))
	if _, _, err = ask(t, f).Trigger(t.Context(), client.Trigger{DAG: "d", ID: "a b"}); code(err) != client.CodeBadRequest || !strings.Contains(err.Error(), "does not match regex pattern") {
		t.Error(err)
	}
}

// TestTriggerOfAStaleDAG: Airflow says that there is none, and shows it.
func TestTriggerOfAStaleDAG(t *testing.T) {
	for api, dag := range map[int]string{1: `{"dag_id":"trivial","is_active":false}`, 2: `{"dag_id":"trivial","is_stale":true}`} {
		f := serve(t, api, recorded(t, api, "trigger-404"), reply{body: dag})
		_, _, err := ask(t, f).Trigger(t.Context(), client.Trigger{DAG: "trivial", ID: "x"})
		if code(err) != client.CodeNotFound || !strings.HasPrefix(err.Error(), `no file that holds dag "trivial" now, so that it starts no runs, at http`) {
			t.Error(err)
		}
	}
}

// TestClearSends: all that has another default than one thinks.
func TestClearSends(t *testing.T) {
	common := map[string]any{
		"dag_run_id": "r", "only_running": false, "reset_dag_runs": true,
		"include_upstream": false, "include_future": false, "include_past": false,
	}
	for _, c := range []struct {
		api  int
		c    client.Clear
		want map[string]any
	}{
		{2, client.Clear{}, map[string]any{"dry_run": false, "only_failed": false, "include_downstream": false}},
		{1, client.Clear{DryRun: true, OnlyFailed: true}, map[string]any{"dry_run": true, "only_failed": true, "include_downstream": false}},
		{2, client.Clear{Tasks: []string{"a", "b"}, Downstream: true}, map[string]any{"dry_run": false, "only_failed": false, "include_downstream": true, "task_ids": []any{"a", "b"}}},
		{2, client.Clear{Tasks: []string{"a"}, MapIndexes: []int{0, 7}}, map[string]any{"dry_run": false, "only_failed": false, "include_downstream": false, "task_ids": []any{[]any{"a", 0}, []any{"a", 7}}}},
		{1, client.Clear{Tasks: []string{"a"}, MapIndexes: []int{0, 7}}, map[string]any{"dry_run": false, "only_failed": false, "include_downstream": false, "task_ids": []any{"a"}}},
	} {
		c.c.DAG, c.c.Run = "d", "r"
		f := serve(t, c.api, recorded(t, c.api, "clear-tasks"))
		if _, err := ask(t, f).Clear(t.Context(), c.c); err != nil {
			t.Fatal(err)
		}
		for name, value := range common {
			c.want[name] = value
		}
		same(t, "what is sent", f.all()[0].sent(t), c.want)
	}
	// A clear that may have been done is not done again: it would end the tries that it began.
	for dry, want := range map[bool]int{false: 1, true: 3} {
		f := serve(t, 2, reply{status: 502})
		if _, err := ask(t, f).Clear(t.Context(), client.Clear{DAG: "d", Run: "r", DryRun: dry}); code(err) != client.CodeServerError || len(f.all()) != want {
			t.Errorf("dry %t: %v, %d requests", dry, err, len(f.all()))
		}
	}
}

func TestMarks(t *testing.T) {
	task := client.TaskInstance{DAG: "d", Run: "r", Task: "t", MapIndex: 3}
	for _, c := range []struct {
		api        int
		reply      string
		uri, wants string
	}{
		{2, "patch-task-success", "/api/v2/dags/d/dagRuns/r/taskInstances/t/3", `{"new_state":"success"}`}, // 409: it is so already
		{1, "patch-task-success", "/api/v1/dags/d/dagRuns/r/taskInstances/t/3", `{"dry_run":false,"new_state":"success"}`},
	} {
		f := serve(t, c.api, recorded(t, c.api, c.reply))
		if err := ask(t, f).SetTask(t.Context(), task, "success"); err != nil || f.all()[0].URI != c.uri || f.all()[0].Body != c.wants || f.all()[0].Method != "PATCH" {
			t.Errorf("%v, %+v", err, f.all())
		}
	}
	f := serve(t, 2, recorded(t, 2, "patch-run-failed"))
	if r, err := ask(t, f).SetRun(t.Context(), "d", "r", "failed"); err != nil || r.State != "failed" || f.all()[0].Body != `{"state":"failed"}` {
		t.Errorf("%+v, %v, %+v", r, err, f.all())
	}
}

// TestNamesThatAreNot: the highest name that is not there is told, with near ones.
func TestNamesThatAreNot(t *testing.T) {
	for _, api := range []int{1, 2} {
		noDAG, noRun := recorded(t, api, "dag-404"), recorded(t, api, "dagrun-404")
		dag, dags, runs := recorded(t, api, "dag-one"), recorded(t, api, "dags-limit-2-offset-2"), recorded(t, api, "dagruns-all-running")
		noTask := reply{status: 404, body: `{"detail":null,"title":"TaskInstance not found"}`}
		tasks := reply{body: `{"task_instances":[{"dag_id":"d","dag_run_id":"r","task_id":"load","map_index":-1},{"dag_id":"d","dag_run_id":"r","task_id":"many","map_index":0},{"dag_id":"d","dag_run_id":"r","task_id":"many","map_index":1}],"total_entries":3}`}
		dags.body = strings.Replace(dags.body, `"total_entries"`, `"was"`, 1)
		near := func(says, name string, f *fake, err error) {
			t.Helper()
			var e *client.Error
			if !errors.As(err, &e) || e.Code != client.CodeNotFound || !strings.HasPrefix(err.Error(), says) || name != "" && !slices.Contains(e.Near, name) {
				t.Errorf("v%d: %v\nwant %s near %s; asked %v", api, err, says, name, f.lines())
			}
		}
		f := serve(t, api, noDAG, noDAG, dags, reply{body: `{"dags":[]}`})
		_, err := ask(t, f).DAG(t.Context(), "ctlcc")
		near(`no dag "ctlcc" at `+f.URL+"; near: ctlc", "ctlc", f, err)

		f = serve(t, api, noRun, noDAG, dags, reply{body: `{"dags":[]}`})
		_, err = ask(t, f).Run(t.Context(), "ctlcc", "r")
		near(`no dag "ctlcc" at http`, "ctlc", f, err)

		var all struct {
			Runs []struct {
				ID string `json:"dag_run_id"`
			} `json:"dag_runs"`
		}
		if err := json.Unmarshal([]byte(runs.body), &all); err != nil {
			t.Fatal(err)
		}
		f = serve(t, api, noRun, dag, runs)
		_, err = ask(t, f).Run(t.Context(), "every_minute", all.Runs[0].ID+"x")
		near(`no run "`+all.Runs[0].ID+`x" of dag every_minute at http`, all.Runs[0].ID, f, err)
		// Without the list of names the answer is the same.
		f = serve(t, api, noRun, dag, reply{status: 403, body: `{"detail":"no"}`})
		_, err = ask(t, f).Run(t.Context(), "every_minute", "x")
		near(`no run "x" of dag every_minute at http`, "", f, err)

		for _, c := range []struct {
			task        string
			index       int
			says, wants string
		}{
			{"laod", -1, `no task "laod" in run r of dag d at http`, "load"},
			{"many", 2, `no map index 2 of task "many" in run r of dag d, which has 0 to 1, at http`, ""},
			{"many", -1, `no task "many" in run r of dag d without a map index, of which it has 0 to 1, at http`, ""},
			{"load", 0, `no map index 0 of task "load" in run r of dag d, which is not mapped, at http`, ""},
		} {
			f = serve(t, api, noTask, tasks)
			_, err = ask(t, f).Task(t.Context(), "d", "r", c.task, c.index)
			near(c.says, c.wants, f, err)
		}
		f = serve(t, api, noTask, noRun, noRun, dag, runs)
		_, err = ask(t, f).Task(t.Context(), "every_minute", all.Runs[0].ID+"x", "t", -1)
		near(`no run "`, "", f, err)
	}
	// Airflow 2 has no tasks of a run that there is not, and says so with a 200.
	f := serve(t, 1, reply{body: `{"task_instances":[],"total_entries":0}`}, recorded(t, 1, "dagrun-404"), recorded(t, 1, "dag-one"), recorded(t, 1, "dagruns-all-running"))
	if _, err := ask(t, f).Tasks(t.Context(), "every_minute", "r"); code(err) != client.CodeNotFound {
		t.Error(err)
	}
	// A DAG that cannot be read now has no details.
	f = serve(t, 1, recorded(t, 1, "dag-404"), recorded(t, 1, "dag-one"))
	if d, err := ask(t, f).DAG(t.Context(), "every_minute"); err != nil || d.ID != "every_minute" || d.Zone != "" {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestTriesOfOldAirflow: before 2.10 there is no such path.
func TestTriesOfOldAirflow(t *testing.T) {
	f := serve(t, 1, recorded(t, 1, "api-unknown-route"), recorded(t, 1, "taskinstance"))
	tries, err := ask(t, f).Tries(t.Context(), client.TaskInstance{DAG: "d", Run: "r", Task: "t", MapIndex: -1})
	if err != nil || len(tries) != 1 || tries[0].Try != 1 {
		t.Errorf("%+v, %v", tries, err)
	}
}

// TestTaskNames come before those downstream of them, whatever the server's order, even
// where an answer has them in a circle.
func TestTaskNames(t *testing.T) {
	for body, want := range map[string][]string{
		`{"tasks":[{"task_id":"z","downstream_task_ids":["b","a"]},{"task_id":"a","downstream_task_ids":[]},{"task_id":"b","downstream_task_ids":["a"],"class_ref":{"class_name":"X"},"is_mapped":true}],"total_entries":3}`: {"z", "b", "a"},
		`{"tasks":[{"task_id":"a","downstream_task_ids":["b"]},{"task_id":"b","downstream_task_ids":["a"]}]}`:                                                                                                                {"a", "b"},
		`{"tasks":[]}`: nil,
	} {
		f := serve(t, 2, reply{body: body})
		got, err := ask(t, f).TaskNames(t.Context(), "d")
		var names []string
		for _, d := range got {
			names = append(names, d.ID)
		}
		if err != nil || !slices.Equal(names, want) {
			t.Errorf("%v, %v, want %v", names, err, want)
		}
		if len(want) == 3 && (got[1].Operator != "X" || !got[1].Mapped || got[0].Mapped) {
			t.Errorf("%+v", got)
		}
	}
}

// TestZoneThatIsGiven: it counts more than what the server tells, which may be wrong.
func TestZoneThatIsGiven(t *testing.T) {
	f := serve(t, 2, reply{body: `{"dag_id":"d","is_stale":false,"timezone":"UTC"}`})
	c := newClient(t, client.Options{Endpoints: []string{f.URL}, Token: "t0ken", Zone: "Asia/Tokyo"})
	if d, err := c.DAG(t.Context(), "d"); err != nil || d.Zone != "Asia/Tokyo" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := client.New(client.Options{Endpoints: []string{f.URL}, Zone: "Asia/Tokio"}); err == nil || !strings.Contains(err.Error(), `zone: "Asia/Tokio" is none`) {
		t.Errorf("%v", err)
	}
}

// TestSchedules: how v1 writes them, as v2 does.
func TestSchedules(t *testing.T) {
	for body, want := range map[string]string{
		`null`: "", `{"__type":"CronExpression","value":"0 1 * * *"}`: "0 1 * * *", `"@daily"`: "@daily",
		`{"__type":"TimeDelta","days":0,"seconds":5400,"microseconds":0}`: "1:30:00",
		`{"__type":"TimeDelta","days":1,"seconds":0,"microseconds":0}`:    "1 day, 0:00:00",
		`{"__type":"TimeDelta","days":7,"seconds":61,"microseconds":0}`:   "7 days, 0:01:01",
		`{"__type":"RelativeDelta","months":1}`:                           `{"__type":"RelativeDelta","months":1}`,
		`{"__type":"CronExpression","value":"None"}`:                      "",
	} {
		f := serve(t, 1, reply{body: `{"dag_id":"d","is_active":true,"timezone":"Timezone('Europe/Berlin')","schedule_interval":` + body + `}`})
		if d, err := ask(t, f).DAG(t.Context(), "d"); err != nil || d.Expression != want || d.Zone != "Europe/Berlin" || d.Stale {
			t.Errorf("%s: %+v, %v", body, d, err)
		}
	}
	// A daily run of Airflow 2 may start when its interval ends.
	f := serve(t, 1, reply{body: `{"dag_id":"d","dag_run_id":"r","state":"queued","run_type":"scheduled","logical_date":"2026-11-20T00:00:00Z","data_interval_end":"2026-11-21T00:00:00Z","conf":null}`})
	if r, err := ask(t, f).Run(t.Context(), "d", "r"); err != nil || !r.RunAfter.Equal(at("2026-11-21T00:00:00Z")) || string(r.Conf) != "{}" {
		t.Errorf("%+v, %v", r, err)
	}
}
