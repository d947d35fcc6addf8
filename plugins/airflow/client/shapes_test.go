package client_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// same compares, with times compared as instants.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("%s:\n got %s\nwant %s", what, a, b)
	}
}

// sure takes the error off a result.
func sure[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestShapes reads what real servers sent: the same of both, where both tell it.
func TestShapes(t *testing.T) {
	ctx := t.Context()
	on := func(api int, name string) *client.Client { return ask(t, serve(t, api, recorded(t, api, name))) }

	same(t, "a DAG of 3", sure[client.DAG](t)(on(2, "dag-details").DAG(ctx, "every_minute")), client.DAG{
		ID: "every_minute", Expression: "* * * * *", Zone: "UTC", NextRun: at("2026-11-21T23:26:00Z"), NextLogical: at("2026-11-21T23:26:00Z"),
		MaxActiveRuns: 1, Owners: []string{"airflow"}, File: "t_dags.py", Parsed: at("2026-11-21T23:25:35.441097Z"), Params: json.RawMessage(`{}`),
	})
	same(t, "a DAG of 2", utc(sure[client.DAG](t)(on(1, "dag-details").DAG(ctx, "every_minute"))), client.DAG{
		ID: "every_minute", Expression: "* * * * *", Zone: "UTC", NextRun: at("2026-11-21T23:29:00Z"), NextLogical: at("2026-11-21T23:28:00Z"),
		MaxActiveRuns: 1, Owners: []string{}, File: "/opt/airflow/dags/t_dags.py", Parsed: at("2026-11-21T23:28:02.763878Z"), Params: json.RawMessage(`{}`),
	})
	same(t, "a run of 3", sure[client.DAGRun](t)(on(2, "dagrun-success").Run(ctx, "trivial", "r")), client.DAGRun{
		DAG: "trivial", ID: "outrider-sample-1795303539", Queued: at("2026-11-21T23:25:39.234506Z"), RunAfter: at("2026-11-21T23:25:39.229957Z"),
		Start: at("2026-11-21T23:25:40.433785Z"), End: at("2026-11-21T23:25:41.890772Z"), State: "success", Type: "manual", By: "admin",
		Conf: json.RawMessage(`{"a":1}`), Note: "from a sample", Revision: "1",
	})
	same(t, "a run of 2", utc(sure[client.DAGRun](t)(on(1, "dagrun-success").Run(ctx, "trivial", "r"))), client.DAGRun{
		DAG: "trivial", ID: "outrider-sample-1795303689", Logical: at("2026-11-21T23:28:10.452492Z"), RunAfter: at("2026-11-21T23:28:10.452492Z"),
		Start: at("2026-11-21T23:28:11.081676Z"), End: at("2026-11-21T23:28:12.315513Z"), State: "success", Type: "manual",
		Conf: json.RawMessage(`{"a":1}`), Note: "from a sample",
	})
	task := client.TaskInstance{
		DAG: "trivial", Run: "outrider-sample-1795303539", Task: "t", MapIndex: -1, State: "success",
		Scheduled: at("2026-11-21T23:25:40.452667Z"), Queued: at("2026-11-21T23:25:40.524511Z"), Start: at("2026-11-21T23:25:41.064016Z"), End: at("2026-11-21T23:25:41.432983Z"),
		Try: 1, Operator: "BashOperator", Pool: "default_pool", PoolSlots: 1, Queue: "default", Host: "host1",
	}
	same(t, "a task of 3", sure[client.TaskInstance](t)(on(2, "taskinstance").Task(ctx, "trivial", "r", "t", -1)), task)
	task.Scheduled = time.Time{}
	task.Run, task.Queued, task.Start, task.End = "outrider-sample-1795303689", at("2026-11-21T23:28:11.127086Z"), at("2026-11-21T23:28:11.359417Z"), at("2026-11-21T23:28:11.984323Z")
	same(t, "a task of 2", utc(sure[client.TaskInstance](t)(on(1, "taskinstance").Task(ctx, "trivial", "r", "t", -1))), task)

	for _, api := range []int{1, 2} {
		if tries := sure[[]client.TaskInstance](t)(on(api, "taskinstance-tries").Tries(ctx, task)); len(tries) != 1 || tries[0].Try != 1 || tries[0].MapIndex != -1 {
			t.Errorf("v%d: tries %+v", api, tries)
		}
		if tasks := sure[[]client.TaskInstance](t)(on(api, "taskinstances-of-run").Tasks(ctx, "trivial", "r")); len(tasks) != 1 || tasks[0].Task != "t" {
			t.Errorf("v%d: tasks %+v", api, tasks)
		}
		runs, total, err := on(api, "dagruns-all-running").RunsPage(ctx, client.RunFilter{States: []string{"running", "queued"}})
		if err != nil || len(runs) != total || total == 0 || slices.ContainsFunc(runs, func(r client.DAGRun) bool { return r.Ended() || r.RunAfter.IsZero() }) {
			t.Errorf("v%d: open runs %+v, %d, %v", api, runs, total, err)
		}
		cleared := sure[[]client.Cleared](t)(on(api, "clear-tasks-dry").Clear(ctx, client.Clear{DAG: "trivial", Run: "r", DryRun: true}))
		state := map[int]string{1: "", 2: "success"}[api]
		if len(cleared) != 1 || cleared[0].Task != "t" || cleared[0].MapIndex != -1 || cleared[0].State != state || cleared[0].Run == "" {
			t.Errorf("v%d: cleared %+v", api, cleared)
		}
		pools := sure[[]client.Pool](t)(on(api, "pools").Pools(ctx))
		if len(pools) != 1 || pools[0].Name != "default_pool" || pools[0].Slots != 128 || pools[0].Open+pools[0].Occupied != 128 || pools[0].Running == 0 {
			t.Errorf("v%d: pools %+v", api, pools)
		}
		broken := sure[[]client.ImportError](t)(on(api, "import-errors").ImportErrors(ctx))
		if len(broken) != 1 || broken[0].File == "" || broken[0].Time.IsZero() || !reflect.DeepEqual(broken[0].Stack[:9], "Traceback") {
			t.Errorf("v%d: import errors %+v", api, broken)
		}
		d := sure[client.DAG](t)(on(api, "patch-dag-paused").Pause(ctx, "trivial", true))
		if d.ID != "trivial" || !d.Paused || d.Expression != "" || !d.NextRun.IsZero() {
			t.Errorf("v%d: paused %+v", api, d)
		}
		r := sure[client.DAGRun](t)(on(api, "patch-run-failed").SetRun(ctx, "trivial", "r", "failed"))
		if r.State != "failed" || !r.Ended() {
			t.Errorf("v%d: marked %+v", api, r)
		}
	}
	jobs := sure[[]client.Job](t)(on(2, "jobs-all").Jobs(ctx))
	if len(jobs) != 2 || jobs[1] != (client.Job{Type: "SchedulerJob", Host: "host1", State: "running", Heartbeat: at("2026-11-21T23:25:31.291258Z")}) {
		t.Errorf("jobs %+v", jobs)
	}
	if jobs, err := on(1, "api-unknown-route").Jobs(ctx); jobs != nil || err != nil {
		t.Errorf("jobs of Airflow 2: %+v, %v", jobs, err)
	}
}

// utc is v with its times in UTC, which Airflow 2 writes as +00:00.
func utc[T any](v T) T {
	x := reflect.ValueOf(&v).Elem()
	for i := range x.NumField() {
		if at, ok := x.Field(i).Interface().(time.Time); ok {
			x.Field(i).Set(reflect.ValueOf(at.UTC()))
		}
	}
	return v
}

func TestHealthShapes(t *testing.T) {
	beat := func(text string) time.Time { return at(text) }
	for _, c := range []struct {
		api  int
		name string
		want []client.Part
	}{
		{2, "health", []client.Part{
			{Name: "metadatabase", Status: "healthy"},
			{Name: "scheduler", Status: "healthy", Heartbeat: beat("2026-11-21T23:25:31.291258Z")},
			{Name: "triggerer"},
			{Name: "dag_processor", Status: "healthy", Heartbeat: beat("2026-11-21T23:25:29.785194Z")},
		}},
		{1, "health", []client.Part{
			{Name: "metadatabase", Status: "healthy"},
			{Name: "scheduler", Status: "healthy", Heartbeat: beat("2026-11-21T23:27:52.243761Z")},
			{Name: "triggerer"},
			{Name: "dag_processor"},
		}},
	} {
		f := serve(t, c.api, recorded(t, c.api, c.name))
		got, err := newClient(t, client.Options{Endpoints: []string{f.URL}}).Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for i := range got {
			got[i].Heartbeat = got[i].Heartbeat.UTC()
		}
		same(t, "health", got, c.want)
		if f.all()[0].Header.Get("Authorization") != "" {
			t.Error("health was asked with a login")
		}
	}
	// Before 2.6 there are two parts.
	f := serve(t, 1, reply{body: `{"metadatabase":{"status":"healthy"},"scheduler":{"status":"unhealthy","latest_scheduler_heartbeat":null}}`})
	got, err := ask(t, f).Health(t.Context())
	if err != nil || len(got) != 2 || got[1].Status != "unhealthy" || !got[1].Heartbeat.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	f = serve(t, 2, reply{body: `{"status":"ok"}`})
	if got, err := ask(t, f).Health(t.Context()); err == nil {
		t.Errorf("%+v", got)
	}
}
