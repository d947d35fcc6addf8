package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type clearParams struct {
	source
	Address string `json:"address" help:"DAG[@RUN][/TASK]; with *, ? or [a-z], as etl_*, all runs that state and since say" min:"1"`
	Mode    string `json:"mode" help:"what runs again: what failed, from a task on, or all" enum:"failed,from,all" default:"failed"`
	From    string `json:"from,omitempty" help:"with mode from: the task, such as load or load[3]; it may stand in the address as well"`
	Running bool   `json:"running" help:"clear what is under way, too: Airflow stops it and runs it again" default:"false"`
	State   string `json:"state" help:"with a pattern: which runs" enum:"failed,success,any" default:"failed"`
	Since   string `json:"since" help:"with a pattern: runs that ended since then: 02:00 on this machine's clock, 2h, today or a time" default:"24h"`
	AtMost  int    `json:"at_most" help:"with a pattern: do nothing, and fail with too_many, when it is more than so many" default:"20" min:"1"`
	DryRun  bool   `json:"dry_run" help:"change nothing, and tell what would be done" default:"false"`
	Partial bool   `json:"partial" help:"with a pattern: what could not be cleared stands in the output only and fails nothing" default:"false"`
}

// Validate checks what a tag cannot say.
func (p clearParams) Validate() error {
	if p.From != "" && p.Mode != clearFrom {
		return fmt.Errorf("from: it needs mode from, not %s", p.Mode)
	}
	if p.From != "" {
		if _, err := address.Parse("dag/" + p.From); err != nil {
			return fmt.Errorf("from: %w", err)
		}
	}
	_, err := parseSince(p.Since)
	return err
}

type clearOutput struct {
	Attempts []cleared `json:"attempts" help:"what was done, one for each run"`
	Retried  int       `json:"retried" help:"how many runs were cleared, or would be"`
	Failed   int       `json:"failed" help:"how many could not be cleared"`
	Left     int       `json:"left" help:"with dry_run: how many more there are, beyond at_most"`
	DryRun   bool      `json:"dry_run,omitempty"`
}

type cleared struct {
	Old observe.Run `json:"old" help:"the run as it was"`
	// DAG, RunID and Tasks are what a task's once-key is made of.
	DAG       string   `json:"dag"`
	RunID     string   `json:"run_id"`
	Tasks     []string `json:"tasks" help:"ids of the tasks that run again"`
	Instances []string `json:"instances,omitempty" help:"of the mapped ones among them, those that do"`
	Paused    bool     `json:"paused,omitempty" help:"the DAG is paused: nothing of it runs until somebody unpauses it"`
	Code      string   `json:"code,omitempty" help:"why not"`
	Error     string   `json:"error,omitempty" help:"why not"`
}

func clearComponent() sdk.Component {
	return sdk.Define("airflow.clear", clearRuns,
		sdk.Doc(`Clears runs on Airflow 3 or 2, so that tasks of them run again.

Mode failed runs what failed and what did not run because of that, in a run that was killed also what had not begun; from a task and all that follows it; all everything. With a task in the address mode failed clears what failed of that. tasks lists what runs again. A retry of the run clears nothing twice, and no other run, whatever is the latest by then.

What is under way is not cleared: mode failed leaves it alone, the others clear nothing then (still_running), unless running is set; Airflow 2 mostly lets such a task run on. A run of which nothing failed is unchanged, but for the modes from and all. Airflow 2 clears a mapped task as a whole or what failed of it: not_in_airflow_2 says so.

With a pattern (etl_*) it clears all runs that failed since a time, the oldest first; when they are more than at_most it does nothing (too_many), and with dry_run it lists the first of them. One that cannot be cleared stops no other; the run fails with partly_failed in the end, unless partial is set.`),
		sdk.Example("What failed, of the latest run", `{"endpoint": "http://airflow.internal:8080", "user": "outrider", "password": "env:AIRFLOW_PASSWORD", "address": "daily"}`),
		sdk.Example("From a task on", `{"endpoint": "http://airflow.internal:8080", "address": "daily@2026-11-22/load", "mode": "from"}`),
		sdk.Example("What failed in the night, at most four", `{"endpoint": "http://airflow.internal:8080", "address": "etl_*", "since": "02:00", "at_most": 4, "dry_run": true}`))
}

// clearer clears runs.
type clearer struct {
	c   *client.Client
	run *sdk.Run
	p   clearParams
	v   client.Version
	// from is what mode from begins with, or what mode failed is limited to.
	from address.Address
	// defs and paused are of the DAGs that were looked at.
	defs   map[string][]client.TaskDef
	paused map[string]bool
	begun  begunClear
}

// begunClear is the checkpoint: the run of an address that is no pattern, and of each
// run what was about to be cleared.
type begunClear struct {
	target
	Runs map[string]map[string]begunTry `json:"runs"`
}

// begunTry is a task instance as it was.
type begunTry struct {
	Try int `json:"try"`
	// Start is of one that was under way.
	Start *time.Time `json:"start,omitempty"`
}

func clearRuns(ctx context.Context, run *sdk.Run, p clearParams) (clearOutput, error) {
	c, err := p.open(run)
	if err != nil {
		return clearOutput{}, err
	}
	defer c.Close()
	d := clearer{c: c, run: run, p: p, defs: map[string][]client.TaskDef{}, paused: map[string]bool{}}
	if _, err := run.Restore(&d.begun); err != nil {
		return clearOutput{}, err
	}
	if d.begun.Address != p.Address { // of another call with the same key
		d.begun = begunClear{target: target{Address: p.Address}}
	}
	if d.begun.Runs == nil {
		d.begun.Runs = map[string]map[string]begunTry{}
	}
	many := address.IsPattern(p.Address)
	a := address.Address{}
	if !many {
		if a, err = parseAddress(p.Address); err != nil {
			return clearOutput{}, err
		}
	}
	if d.from, err = begin(a, p); err != nil {
		return clearOutput{}, err
	}
	if d.v, err = c.Version(ctx); err != nil {
		return clearOutput{}, told("clearing "+p.Address, err)
	}
	if many {
		return d.all(ctx)
	}
	found, known, err := d.begun.find(ctx, c, p.Address, a)
	if err != nil {
		return clearOutput{}, told("clearing "+p.Address, err)
	}
	if !known && !p.DryRun {
		if err := run.Checkpoint(ctx, d.begun); err != nil {
			return clearOutput{}, err
		}
	}
	one, err := d.one(ctx, found)
	if err != nil {
		return clearOutput{}, told("clearing "+p.Address, err)
	}
	out := clearOutput{Attempts: []cleared{one}, DryRun: p.DryRun}
	if len(one.Tasks) == 0 {
		return out, sdk.Unchanged()
	}
	out.Retried = 1
	return out, nil
}

// begin is the task that a clear begins with, or is limited to.
func begin(a address.Address, p clearParams) (address.Address, error) {
	no := func(format string, args ...any) (address.Address, error) {
		return a, sdk.Permanent(sdk.Code("bad_params", fmt.Errorf(format, args...)))
	}
	switch {
	case p.Mode == clearAll && a.Task != "":
		return no("address %q: mode all is for all of the run; leave out /%s, or use mode from", p.Address, a.TaskName())
	case p.From != "" && a.Task != "" && p.From != a.TaskName():
		return no("from %s: address %q names another task", p.From, p.Address)
	case p.From != "":
		return address.Parse("dag/" + p.From)
	case p.Mode == clearFrom && a.Task == "":
		return no("mode from: from which task? give from, or /TASK in the address")
	}
	return a, nil
}

// one clears of a run what is to be. Without tasks and an error there was nothing to
// do.
func (d *clearer) one(ctx context.Context, r client.DAGRun) (cleared, error) {
	out := cleared{Old: runTold(d.c, r), DAG: r.DAG, RunID: r.ID, Tasks: []string{}}
	tasks, err := d.c.Tasks(ctx, r.DAG, r.ID)
	if err != nil {
		return out, err
	}
	if err := d.about(ctx, r.DAG); err != nil {
		return out, err
	}
	picked, done := d.earlier(r, tasks)
	if picked == nil {
		if picked, err = planClear(r, tasks, d.defs[r.DAG], d.p, d.from); err != nil {
			return out, err
		}
	}
	todo := slices.DeleteFunc(slices.Clone(picked), func(t client.TaskInstance) bool { return done[address.TaskName(t.Task, t.MapIndex)] })
	if len(todo) > 0 && !d.p.DryRun {
		if err := d.clear(ctx, r, tasks, todo); err != nil {
			return out, err
		}
	}
	d.tell(&out, r, picked)
	return out, nil
}

// tell puts in what runs again.
func (d *clearer) tell(out *cleared, r client.DAGRun, picked []client.TaskInstance) {
	out.Tasks = append(out.Tasks, names(picked)...)
	for _, t := range picked {
		if t.MapIndex >= 0 {
			out.Instances = append(out.Instances, address.TaskName(t.Task, t.MapIndex))
		}
	}
	switch {
	case len(picked) == 0:
		d.run.Log().Info("nothing of it is to be cleared", "run", runAddress(r), "state", r.State)
		return
	case d.p.DryRun:
		d.run.Log().Info("would be cleared", "run", runAddress(r), "tasks", len(out.Tasks))
	default:
		d.run.Log().Info("cleared", "run", runAddress(r), "tasks", len(out.Tasks), "link", out.Old.Link)
	}
	if out.Paused = d.paused[r.DAG]; out.Paused {
		d.run.Log().Warn("the DAG is paused: nothing of it runs until somebody unpauses it", "dag", r.DAG)
	}
}

// about asks for what is to be known of a DAG, once.
func (d *clearer) about(ctx context.Context, dag string) error {
	if _, known := d.defs[dag]; known {
		return nil
	}
	def, err := d.c.DAG(ctx, dag)
	if err != nil {
		return err
	}
	defs, err := d.c.TaskNames(ctx, dag)
	if err != nil {
		return err
	}
	d.paused[dag], d.defs[dag] = def.Paused, defs
	return nil
}

// earlier is what an earlier try of this run was about to clear, nil if there was none,
// and what of it is done: it had ended and has not now, or has begun another try. One
// that was under way and is in the same try still was not cleared.
func (d *clearer) earlier(r client.DAGRun, tasks []client.TaskInstance) (picked []client.TaskInstance, done map[string]bool) {
	was := d.begun.Runs[runAddress(r)]
	done = map[string]bool{}
	for _, t := range tasks {
		name := address.TaskName(t.Task, t.MapIndex)
		begun, planned := was[name]
		if !planned {
			continue
		}
		picked = append(picked, t)
		same := begun.Start != nil && begun.Start.Equal(t.Start) && underWay(t.State) && t.State != "restarting"
		done[name] = t.Try > begun.Try || !t.Over() && t.State != "up_for_retry" && !same
	}
	return picked, done
}

// clear clears instances. What is about to be done is kept first.
func (d *clearer) clear(ctx context.Context, r client.DAGRun, tasks, todo []client.TaskInstance) error {
	requests, err := requestsOf(d.v, r, tasks, todo)
	if err != nil {
		return err
	}
	memo := maps.Clone(d.begun.Runs[runAddress(r)])
	if memo == nil {
		memo = map[string]begunTry{}
	}
	for _, t := range todo {
		begun := begunTry{Try: t.Try}
		if underWay(t.State) {
			begun.Start = &t.Start
			args := []any{"task", address.TaskName(t.Task, t.MapIndex), "state", t.State}
			if d.v.API == 1 {
				d.run.Log().Warn("it is under way: Airflow 2 mostly lets it run on to its end", args...)
			} else {
				d.run.Log().Warn("it is under way: Airflow stops it and runs it again", args...)
			}
		}
		memo[address.TaskName(t.Task, t.MapIndex)] = begun
	}
	d.begun.Runs[runAddress(r)] = memo
	if err := d.run.Checkpoint(ctx, d.begun); err != nil {
		return err
	}
	for i, q := range requests {
		if _, err := d.c.Clear(ctx, q); err != nil {
			if i > 0 {
				err = fmt.Errorf("after %v were cleared: %w", requests[i-1].Tasks, err)
			}
			return err
		}
	}
	return nil
}

// codeOf is the code of an error that is told in the output only.
func codeOf(err error) string {
	var e *client.Error
	var none *address.Missing
	switch {
	case errors.As(err, &e):
		return e.Code
	case errors.As(err, &none):
		return client.CodeNotFound
	case errors.Is(err, errStillRuns):
		return "still_running"
	case errors.Is(err, errWhole):
		return "not_in_airflow_2"
	}
	return "failed"
}
