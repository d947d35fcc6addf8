package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/plugins/airflow/client"
)

// The client of plugins/airflow on real Airflows, 3 and 2. What no real one can be made
// to show is tested beside the client, on recorded answers.

// clientDAGs are for these tests alone.
const clientDAGs = `
from datetime import datetime, timedelta

try:  # Airflow 3
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.sdk import DAG
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator

with DAG("client", schedule=None, max_active_runs=7, tags=["ours"], params={"who": "you"}):
    first = BashOperator(task_id="first", bash_command="{{ dag_run.conf.get('command', 'true') }}", retries=1, retry_delay=timedelta(0))
    many = BashOperator.partial(task_id="many").expand(bash_command=["echo zero", "echo one", "echo two"])
    last = BashOperator(task_id="a_last", bash_command="echo last")
    first >> many >> last

with DAG("client_paused", schedule="30 6 * * *", start_date=datetime(2026, 1, 1), catchup=False, is_paused_upon_creation=True):
    BashOperator(task_id="run", bash_command="true")

with DAG("client_listed", schedule=None, is_paused_upon_creation=True):
    BashOperator(task_id="run", bash_command="true")
`

// asker is a client and the Airflow that it asks.
type asker struct {
	airflow
	*client.Client
	t   *testing.T
	ctx context.Context
}

// onAsker runs f with a client on both versions at the same time.
func onAsker(t *testing.T, f func(asker)) {
	t.Helper()
	onAirflow(t, func(t *testing.T, a airflow) {
		if err := a.PutDAG(deadline(t), "client.py", clientDAGs, "client"); err != nil {
			t.Fatal(err)
		}
		for _, dag := range []string{"client_paused", "client_listed"} {
			if err := a.AwaitDAG(deadline(t), dag); err != nil {
				t.Fatal(err)
			}
		}
		f(asker{a, a.client(t, client.Options{User: airflowtest.User, Password: a.Password}), t, deadline(t)})
	})
}

// client makes one of a.
func (a airflow) client(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	if o.Endpoints == nil {
		o.Endpoints = []string{a.URL}
	}
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (a asker) v3() bool { return a.airflow.Version == airflowtest.V3 }

// run triggers a run of client and waits for its end.
func (a asker) run(command string) client.DAGRun {
	a.t.Helper()
	conf, err := json.Marshal(map[string]string{"command": command})
	if err != nil {
		a.t.Fatal(err)
	}
	r, existed, err := a.Client.Trigger(a.ctx, client.Trigger{DAG: "client", ID: "asked-" + rand.Text(), Conf: conf})
	if err != nil || existed {
		a.t.Fatal(existed, err)
	}
	return a.ended(r)
}

// ended waits until a run has.
func (a asker) ended(r client.DAGRun) client.DAGRun {
	a.t.Helper()
	a.until(func() (bool, error) {
		var err error
		r, err = a.Run(a.ctx, r.DAG, r.ID)
		return r.Ended(), err
	})
	return r
}

// endLater marks a run failed when the test is over, lest others see it wait.
func (a asker) endLater(r client.DAGRun) {
	a.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if _, err := a.SetRun(ctx, r.DAG, r.ID, "failed"); err != nil {
			a.t.Error(err)
		}
	})
}

// until asks until it is so.
func (a asker) until(f func() (bool, error)) {
	a.t.Helper()
	for {
		ok, err := f()
		if err != nil {
			a.t.Fatal(err)
		}
		if ok {
			return
		}
		select {
		case <-a.ctx.Done():
			a.t.Fatal("it never was so")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func TestAirflowClientReads(t *testing.T) {
	onAsker(t, func(a asker) {
		t, ctx := a.t, a.ctx
		v := sure[client.Version](t)(a.Client.Version(ctx))
		if v.Version != string(a.airflow.Version) || v.API == 2 != a.v3() {
			t.Errorf("version %+v", v)
		}
		parts := sure[[]client.Part](t)(a.Health(ctx))
		if len(parts) != 4 || parts[0].Status != "healthy" || parts[1].Name != "scheduler" || a.Now().Sub(parts[1].Heartbeat).Abs() > time.Minute {
			t.Errorf("health %+v at %s", parts, a.Now())
		}
		if a.Requests() > 3 {
			t.Errorf("%d requests for the version and health", a.Requests())
		}

		paused := sure[client.DAG](t)(a.DAG(ctx, "client_paused"))
		if !paused.Paused || paused.Stale || paused.Broken || paused.Expression != "30 6 * * *" || paused.Zone != "UTC" || filepath.Base(paused.File) != "client.py" || paused.Parsed.IsZero() {
			t.Errorf("a paused DAG %+v", paused)
		}
		d := sure[client.DAG](t)(a.DAG(ctx, "client"))
		if d.Paused || d.Expression != "" || d.MaxActiveRuns != 7 || !slices.Equal(d.Tags, []string{"ours"}) || !d.NextRun.IsZero() || !strings.Contains(string(d.Params), "you") {
			t.Errorf("a DAG %+v %s", d, d.Params)
		}
		var names []string
		for _, d := range listOf(t, a.DAGs(ctx, client.DAGFilter{Pattern: "lient_"})) {
			names = append(names, d.ID)
		}
		if !slices.Equal(names, []string{"client_listed", "client_paused"}) {
			t.Errorf("DAGs like lient_: %v", names)
		}
		for _, d := range listOf(t, a.DAGs(ctx, client.DAGFilter{Active: true})) {
			if d.Paused {
				t.Errorf("%s is paused", d.ID)
			}
		}
		defs := sure[[]client.TaskDef](t)(a.TaskNames(ctx, "client"))
		names = nil
		for _, d := range defs {
			names = append(names, fmt.Sprintf("%s %t %v", d.ID, d.Mapped, d.Downstream))
			if !strings.Contains(d.Operator, "BashOperator") {
				t.Errorf("a task %+v", d)
			}
		}
		if want := []string{"first false [many]", "many true [a_last]", "a_last false []"}; !slices.Equal(names, want) {
			t.Errorf("tasks %v, want %v", names, want)
		}

		r := a.run("printf 'one\\n\\ntwo ünï\\n'; echo out; exit $((2 - AIRFLOW_CTX_TRY_NUMBER))")
		if r.State != "success" || r.Type != "manual" || r.Start.IsZero() || r.End.Before(r.Start) || r.RunAfter.IsZero() || r.Logical.IsZero() != a.v3() || r.Queued.IsZero() == a.v3() {
			t.Errorf("a run %+v", r)
		}
		tasks := sure[[]client.TaskInstance](t)(a.Tasks(ctx, r.DAG, r.ID))
		if len(tasks) != 5 || slices.ContainsFunc(tasks, func(x client.TaskInstance) bool { return x.State != "success" || !x.Over() || x.Run != r.ID }) {
			t.Errorf("tasks %+v", tasks)
		}
		one := sure[client.TaskInstance](t)(a.Task(ctx, r.DAG, r.ID, "many", 1))
		if one.MapIndex != 1 || one.Try != 1 || one.Operator != "BashOperator" || one.Pool != "default_pool" {
			t.Errorf("a mapped task %+v", one)
		}
		first := sure[client.TaskInstance](t)(a.Task(ctx, r.DAG, r.ID, "first", -1))
		tries := sure[[]client.TaskInstance](t)(a.Tries(ctx, first))
		if len(tries) != 2 || tries[0].Try != 1 || tries[1].Try != 2 || tries[0].End.After(tries[1].Start) || tries[1].State != "success" || first.Try != 2 {
			t.Errorf("tries %+v", tries)
		}
		if tries := sure[[]client.TaskInstance](t)(a.Tries(ctx, one)); len(tries) != 1 || tries[0].MapIndex != 1 {
			t.Errorf("tries of a mapped task %+v", tries)
		}
		a.hasLog(first, 1, "one", "", "two ünï", "out")
		a.hasLog(first, 2, "one")
		a.hasLog(one, 1, "one")
		for _, ask := range []func() error{
			func() error { _, err := a.Log(ctx, first, 3); return err },
			func() error { x := one; x.MapIndex = 7; _, err := a.Log(ctx, x, 1); return err },
		} {
			if err := ask(); codeOf(err) != client.CodeNotFound {
				t.Errorf("a log that is not there: %v", err)
			}
		}

		// Pages of one, as of a list that is longer than any page.
		second := a.run("true")
		var ids []string
		for _, r := range listOf(t, a.Runs(ctx, client.RunFilter{DAG: "client", States: []string{"success"}, EndedSince: r.End, Limit: 1})) {
			ids = append(ids, r.ID)
		}
		if at, old := slices.Index(ids, second.ID), slices.Index(ids, r.ID); at < 0 || old < at {
			t.Errorf("runs %v, want %s before %s", ids, second.ID, r.ID)
		}
		page, total, err := a.RunsPage(ctx, client.RunFilter{DAG: "client", Limit: 1, Offset: 1})
		if err != nil || len(page) != 1 || total < 2 {
			t.Errorf("a page %+v of %d, %v", page, total, err)
		}
		if later := listOf(t, a.Runs(ctx, client.RunFilter{DAG: "client", EndedSince: second.End.Add(time.Microsecond)})); slices.ContainsFunc(later, func(x client.DAGRun) bool { return x.ID == second.ID }) {
			t.Errorf("runs that ended after one hold it: %+v", later)
		}
		listOf(t, a.Runs(ctx, client.RunFilter{States: []string{"queued", "running"}}))
		sure[[]client.TaskInstance](t)(a.TasksIn(ctx, "queued", "running", "scheduled", "up_for_retry"))
		sure[[]client.ImportError](t)(a.ImportErrors(ctx))
		if pools := sure[[]client.Pool](t)(a.Pools(ctx)); len(pools) == 0 || pools[0].Slots == 0 {
			t.Errorf("pools %+v", pools)
		}
		jobs := sure[[]client.Job](t)(a.Jobs(ctx))
		if slices.ContainsFunc(jobs, func(j client.Job) bool { return j.Type == "SchedulerJob" }) != a.v3() {
			t.Errorf("jobs %+v", jobs)
		}
		for _, link := range []string{a.Link(r.DAG, r.ID, "", -1), a.Link(r.DAG, r.ID, "many", 1)} {
			if got, err := http.Get(link); err != nil || got.StatusCode != http.StatusOK {
				t.Errorf("%s: %v, %v", link, got, err)
			} else {
				_ = got.Body.Close()
			}
		}
	})
}

// hasLog checks that a try's log has these lines, one after another, with their times.
func (a asker) hasLog(task client.TaskInstance, try int, want ...string) {
	a.t.Helper()
	lines := sure[[]client.LogLine](a.t)(a.Log(a.ctx, task, try))
	var texts []string
	for _, l := range lines {
		texts = append(texts, l.Text)
	}
	at := slices.Index(texts, want[0])
	if at < 0 || at+len(want) > len(texts) || !slices.Equal(texts[at:at+len(want)], want) {
		a.t.Fatalf("the log has no %q:\n%s", want, strings.Join(texts, "\n"))
	}
	if lines[at].Level != "info" || lines[at].Time.IsZero() || time.Since(lines[at].Time) > time.Hour {
		a.t.Errorf("a line %+v", lines[at])
	}
}
