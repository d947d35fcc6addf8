package client_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzAnswers: whatever a server sends is an error or has all that it must have.
func FuzzAnswers(f *testing.F) {
	for _, api := range []int{1, 2} {
		for _, name := range []string{
			"dag-details", "dag-one", "dagrun-success", "dagruns-all-running", "taskinstance", "taskinstance-tries", "taskinstances-of-run",
			"clear-tasks-dry", "pools", "import-errors", "health", "trigger-409-same-id", "dags-limit-2-offset-2",
		} {
			f.Add([]byte(recorded(f, api, name).body), api == 2)
		}
	}
	f.Add([]byte(recorded(f, 2, "log-json").body), true)
	f.Add([]byte(recorded(f, 1, "log-text").body), false)
	f.Add([]byte(recorded(f, 2, "jobs-all").body), true)
	f.Fuzz(func(t *testing.T, data []byte, v3 bool) {
		c := newClient(t, client.Options{Endpoints: []string{"airflow"}, Token: "t", Transport: transport(func(r *http.Request) (*http.Response, error) {
			a := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}}
			a.Body = io.NopCloser(bytes.NewReader(data))
			switch {
			case !strings.HasSuffix(r.URL.Path, "/version"):
			case strings.HasPrefix(r.URL.Path, "/api/v2") != v3:
				a.StatusCode = http.StatusNotFound
			default:
				a.Body = io.NopCloser(strings.NewReader(`{"version":"3.3.2"}`))
			}
			return a, nil
		})})
		ctx := t.Context()
		check := func(name string, v any, err error, fine bool) {
			t.Helper()
			if err == nil && !fine {
				t.Errorf("%s of %q is %+v", name, data, v)
			}
			if err != nil && !reflect.ValueOf(v).IsZero() && reflect.TypeOf(v).Kind() == reflect.Struct {
				t.Errorf("%s of %q is %+v with %v", name, data, v, err)
			}
		}
		d, err := c.DAG(ctx, "d")
		check("a DAG", d, err, d.ID != "" && (d.Params == nil || json.Valid(d.Params)))
		r, err := c.Run(ctx, "d", "r")
		check("a run", r, err, r.ID != "" && r.DAG != "" && r.State != "" && json.Valid(r.Conf))
		x, err := c.Task(ctx, "d", "r", "t", -1)
		fine := func(x client.TaskInstance) bool {
			return x.Task != "" && x.Run != "" && x.DAG != "" && x.MapIndex >= -1 && x.Try >= 0
		}
		check("a task", x, err, fine(x))
		tries, err := c.Tries(ctx, aTask)
		check("tries", tries, err, !slices.ContainsFunc(tries, func(x client.TaskInstance) bool { return !fine(x) }))
		tasks, err := c.Tasks(ctx, "d", "r")
		check("tasks", tasks, err, !slices.ContainsFunc(tasks, func(x client.TaskInstance) bool { return !fine(x) }))
		runs, total, err := c.RunsPage(ctx, client.RunFilter{})
		check("runs", runs, err, total >= -1 && !slices.ContainsFunc(runs, func(r client.DAGRun) bool { return r.ID == "" || r.DAG == "" || r.State == "" }))
		all, err := ids(c.DAGs(ctx, client.DAGFilter{}))
		check("DAGs", all, err, !slices.Contains(all, ""))
		cleared, err := c.Clear(ctx, client.Clear{DAG: "d", Run: "r", DryRun: true})
		check("cleared", cleared, err, !slices.ContainsFunc(cleared, func(x client.Cleared) bool { return x.Run == "" || x.Task == "" }))
		pools, err := c.Pools(ctx)
		check("pools", pools, err, !slices.ContainsFunc(pools, func(p client.Pool) bool { return p.Name == "" }))
		broken, err := c.ImportErrors(ctx)
		check("import errors", broken, err, !slices.ContainsFunc(broken, func(e client.ImportError) bool { return e.File == "" }))
		defs, err := c.TaskNames(ctx, "d")
		check("task names", defs, err, !slices.ContainsFunc(defs, func(d client.TaskDef) bool { return d.ID == "" }))
		parts, err := c.Health(ctx)
		check("health", parts, err, len(parts) >= 2 && parts[0].Name == "metadatabase" && parts[1].Name == "scheduler")
		lines, err := c.Log(ctx, aTask, 1)
		check("a log", lines, err, !slices.ContainsFunc(lines, func(l client.LogLine) bool { return strings.ContainsAny(l.Text, "\n") }))
		run, existed, err := c.Trigger(ctx, client.Trigger{DAG: "d", ID: "r"})
		check("a trigger", run, err, run.ID != "" && !existed)
	})
}
