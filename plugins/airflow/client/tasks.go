package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// Tasks are the task instances of a run, mapped ones each, in no order
// (GET /dags/{id}/dagRuns/{run}/taskInstances).
func (c *Client) Tasks(ctx context.Context, dag, run string) ([]TaskInstance, error) {
	q := read("dags", dag, "dagRuns", run, "taskInstances")
	if err := c.names(q, dag, run); err != nil {
		return nil, err
	}
	tasks, err := collect(all[taskWire](ctx, c, instances(q)), 0)
	if err == nil && len(tasks) == 0 {
		_, err = c.Run(ctx, dag, run) // Airflow 2 knows no tasks of a run that there is not
	}
	return tasks, c.lost(ctx, err, dag, run)
}

func instances(q call) paged[TaskInstance] {
	// Airflow 2 has no order for them.
	return paged[TaskInstance]{call: q, name: "task_instances", size: most, loose: true, key: func(t TaskInstance) string {
		return t.DAG + "\x00" + t.Run + "\x00" + t.Task + "\x00" + strconv.Itoa(t.MapIndex)
	}}
}

// taskStates are all that can be asked for. v1 answers others with an empty list.
var taskStates = []string{
	"scheduled", "queued", "running", "success", "restarting", "failed", "up_for_retry", "up_for_reschedule",
	"upstream_failed", "skipped", "deferred", "removed",
}

// TasksIn are the task instances of all DAGs in these states, one at least
// (GET /dags/~/dagRuns/~/taskInstances).
func (c *Client) TasksIn(ctx context.Context, states ...string) ([]TaskInstance, error) {
	q := call{Method: http.MethodGet, Path: "/dags/~/dagRuns/~/taskInstances", Query: url.Values{"state": states}}
	if len(states) == 0 {
		return nil, c.refuse(q, "no state is given")
	}
	if err := c.states(q, states, taskStates); err != nil {
		return nil, err
	}
	return collect(all[taskWire](ctx, c, instances(q)), 0)
}

// of is the path of a task instance, with what may stand behind it.
func of(t TaskInstance, behind ...string) string {
	parts := []string{"dags", t.DAG, "dagRuns", t.Run, "taskInstances", t.Task}
	if t.MapIndex >= 0 {
		parts = append(parts, strconv.Itoa(t.MapIndex))
	}
	return path(append(parts, behind...)...)
}

func (c *Client) namesOf(q call, t TaskInstance) error {
	if err := c.names(q, t.DAG, t.Run); err != nil {
		return err
	}
	return c.inPath(q, "task", t.Task)
}

// Task is one task instance; MapIndex -1 for one that is not mapped. One that there is
// not is CodeNotFound with Near, and so is its run or DAG
// (GET /dags/{id}/dagRuns/{run}/taskInstances/{task}).
func (c *Client) Task(ctx context.Context, dag, run, task string, mapIndex int) (TaskInstance, error) {
	t := TaskInstance{DAG: dag, Run: run, Task: task, MapIndex: mapIndex}
	q := call{Method: http.MethodGet, Path: of(t)}
	if err := c.namesOf(q, t); err != nil {
		return TaskInstance{}, err
	}
	got, err := get[taskWire](ctx, c, q)
	return got, c.noTask(ctx, err, t)
}

// noTask makes of a 404 the error of what is not there.
func (c *Client) noTask(ctx context.Context, err error, t TaskInstance) error {
	if !isCode(err, CodeNotFound) {
		return err
	}
	tasks, listErr := c.Tasks(ctx, t.DAG, t.Run)
	if isCode(listErr, CodeNotFound) || ctx.Err() != nil {
		return listErr
	}
	var names []string
	var indexes []int
	for _, other := range tasks {
		names = append(names, other.Task)
		if other.Task == t.Task {
			indexes = append(indexes, other.MapIndex)
		}
	}
	what := fmt.Sprintf("task %q in run %s of dag %s", t.Task, t.Run, t.DAG)
	switch {
	case len(indexes) == 0:
		return c.Missing(what, Near(t.Task, names))
	case slices.Contains(indexes, t.MapIndex):
		return err // of a try, or by now it is there
	case slices.Max(indexes) < 0:
		return c.Missing(fmt.Sprintf("map index %d of %s, which is not mapped,", t.MapIndex, what), nil)
	case t.MapIndex < 0:
		return c.Missing(fmt.Sprintf("%s without a map index, of which it has 0 to %d,", what, slices.Max(indexes)), nil)
	}
	return c.Missing(fmt.Sprintf("map index %d of %s, which has 0 to %d,", t.MapIndex, what, slices.Max(indexes)), nil)
}

// Tries are all tries of a task instance, the first one first. An Airflow before 2.10
// tells of the last one only (GET …/taskInstances/{task}/tries).
func (c *Client) Tries(ctx context.Context, t TaskInstance) ([]TaskInstance, error) {
	q := call{Method: http.MethodGet, Path: of(t, "tries")}
	if err := c.namesOf(q, t); err != nil {
		return nil, err
	}
	a, err := c.do(ctx, q)
	if isCode(err, CodeNotFound) || isCode(err, CodeNotAirflow) {
		last, err := c.Task(ctx, t.DAG, t.Run, t.Task, t.MapIndex)
		if err != nil {
			return nil, err
		}
		return []TaskInstance{last}, nil
	}
	if err != nil {
		return nil, err
	}
	tries, err := list[taskWire](c, a, "task_instances")
	slices.SortStableFunc(tries, func(a, b TaskInstance) int { return a.Try - b.Try })
	return tries, err
}

// SetTask marks a task instance success, failed or skipped; one that is so already is
// no error (PATCH …/taskInstances/{task}).
func (c *Client) SetTask(ctx context.Context, t TaskInstance, state string) error {
	v, err := c.Version(ctx)
	if err != nil {
		return err
	}
	body := map[string]any{"new_state": state}
	if v.API == 1 {
		body["dry_run"] = false // it is true by default
	}
	q := call{Method: http.MethodPatch, Path: of(t), Body: body, Conflict: true}
	if err := c.namesOf(q, t); err != nil {
		return err
	}
	if err := c.states(q, []string{state}, []string{"success", "failed", "skipped"}); err != nil {
		return err
	}
	_, err = c.do(ctx, q)
	return c.noTask(ctx, err, t)
}

// Clear is what is cleared of one run.
type Clear struct {
	DAG, Run   string
	Tasks      []string // names; none for all of the run
	MapIndexes []int    // with one task: these alone (Airflow 3; Airflow 2 clears all of a task)
	Downstream bool
	OnlyFailed bool
	DryRun     bool
}

// Clear clears tasks and lets the run go on. Of a task that runs Airflow ends the
// try and begins another (POST /dags/{id}/clearTaskInstances).
func (c *Client) Clear(ctx context.Context, o Clear) ([]Cleared, error) {
	q := call{Method: http.MethodPost, Path: path("dags", o.DAG, "clearTaskInstances"), Once: !o.DryRun}
	if err := c.names(q, o.DAG, o.Run); err != nil {
		return nil, err
	}
	if len(o.MapIndexes) > 0 && len(o.Tasks) != 1 {
		return nil, c.refuse(q, "map indexes are given, and %d tasks to have them", len(o.Tasks))
	}
	v, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	// What is not said has another default than one thinks: dry_run and only_failed are
	// true.
	body := map[string]any{
		"dag_run_id": o.Run, "dry_run": o.DryRun, "only_failed": o.OnlyFailed, "only_running": false, "reset_dag_runs": true,
		"include_downstream": o.Downstream, "include_upstream": false, "include_future": false, "include_past": false,
	}
	var tasks []any
	for _, t := range o.Tasks {
		tasks = append(tasks, t)
	}
	if len(o.MapIndexes) > 0 && v.API == 2 {
		tasks = nil
		for _, i := range o.MapIndexes {
			tasks = append(tasks, []any{o.Tasks[0], i})
		}
	}
	if tasks != nil {
		body["task_ids"] = tasks
	}
	q.Body = body
	a, err := c.do(ctx, q)
	if err != nil {
		return nil, c.lost(ctx, err, o.DAG, o.Run)
	}
	return list[clearedWire](c, a, "task_instances")
}
