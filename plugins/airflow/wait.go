package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type waitParams struct {
	source
	Address string        `json:"address" help:"DAG[@RUN][/TASK]; without @ the latest run; of a mapped task TASK[3] is one instance, TASK all" min:"1"`
	Since   string        `json:"since,omitempty" help:"instead of one run: a success that ended since then, such as 03:00 in the DAG's zone, 2h, today or a time"`
	Grace   time.Duration `json:"grace" help:"after a failure wait so long for a clear, or with since for another run" default:"0s" min:"0s"`
	Timeout time.Duration `json:"timeout" help:"give up after so long; 0s never" default:"0s" min:"0s"`
	pace
}

// Validate checks what a tag cannot say.
func (p waitParams) Validate() error {
	if p.Since == "" {
		return nil
	}
	if a, err := address.Parse(p.Address); err == nil && a.Run.Kind != address.None {
		return fmt.Errorf("since: address %q names a run; want one of the two", p.Address)
	}
	_, err := parseSince(p.Since)
	return err
}

type waitOutput struct {
	Run    observe.Run   `json:"run" help:"the run that did it"`
	Task   *observe.Task `json:"task,omitempty" help:"the task, if one was waited for; of a mapped one all instances together, from the first start to the last end"`
	Waited float64       `json:"waited_s" help:"seconds"`
	Usual  float64       `json:"usual_s,omitempty" help:"the median of the latest successes from the run's start, in seconds, where it was asked for"`
}

func waitComponent() sdk.Component {
	return sdk.Define("airflow.wait", wait,
		sdk.Doc(`Waits until a run of a DAG, or one task of it, has succeeded, on Airflow 3 or 2.

The address names the run: @today, a date, a time, an id, or the latest that there is. A time is the logical date, or else when the run was to start: the daily run that starts today is @today, though it bears yesterday's date. A logical date goes first: a manual run of today is @today in Airflow 2, which gives it the date of now. One of a time that is not there yet is waited for. With since it is any success that ended since then: 03:00 is the last time that a clock in the DAG's zone showed that, and as long as one run is open a failure of others is none. Of a mapped task all instances are waited for, or the one of the index.

It fails as soon as what is waited for failed: run_failed, task_failed (a task that was skipped, or did not run since another failed, too), and after grace if that is given; a run that is cleared meanwhile is followed. A server that restarts is waited for as long as outage says. When the scheduler gives no sign, or the DAG is paused, broken or gone from its file, the log says so and the wait goes on: timeout bounds it. A run or DAG that was deleted is run_deleted or dag_deleted.

Progress tells how long successes usually took.`),
		sdk.Example("Another team's task of today", `{"endpoint": "http://airflow.internal:8080", "user": "outrider", "password": "env:AIRFLOW_PASSWORD", "address": "ingest@today/load", "grace": "30m"}`),
		sdk.Example("A success since three in the morning", `{"endpoint": "http://airflow.internal:8080", "address": "ingest_hourly", "since": "03:00", "timeout": "4h"}`))
}

func wait(ctx context.Context, run *sdk.Run, p waitParams) (waitOutput, error) {
	a, err := parseAddress(p.Address)
	if err != nil {
		return waitOutput{}, err
	}
	c, err := p.open(run)
	if err != nil {
		return waitOutput{}, err
	}
	defer c.Close()
	f := follower{watch: watch{pace: p.pace, run: run, began: time.Now(), timeout: p.Timeout}, c: c, grace: p.Grace, task: a}
	if p.Since != "" {
		return f.since(ctx, a, p.Since)
	}
	first, err := f.appears(ctx, a)
	if err != nil {
		return waitOutput{}, err
	}
	return f.follow(ctx, first)
}

// follower waits for an end.
type follower struct {
	watch
	c     *client.Client
	grace time.Duration
	task  address.Address // without a task for the whole
	// adopted says that the run was there before it was to be triggered.
	adopted bool

	failedAt    time.Time // when its failure was first seen
	usual       time.Duration
	asked       bool // for the usual time
	said        string
	lookedAside time.Time
	trouble     string
}

// appears waits until there is a run of the address. Today stays the day on which the
// wait began.
func (f *follower) appears(ctx context.Context, a address.Address) (found client.DAGRun, err error) {
	began := time.Now()
	err = f.until(ctx, "waiting for "+a.String(), func(ctx context.Context) (done bool, note string, err error) {
		found, err = address.FindRun(ctx, f.c, a, began)
		var none *address.Missing
		if errors.As(err, &none) && none.What == "run" && a.Run.Kind != address.ID {
			return false, f.idle(ctx, a.DAG, "there is no such run yet"), nil
		}
		return err == nil, "", f.removed(err, a.DAG)
	})
	return found, err
}

// idle is a note on what does not go on, with why that may be.
func (f *follower) idle(ctx context.Context, dag, note string) string {
	if why := f.aside(ctx, dag); why != "" {
		note += "; " + why
	}
	f.run.Progress(0, 0, note)
	return note
}

// removed tells of a DAG that was there and is no more.
func (f *follower) removed(err error, dag string) error {
	var none *address.Missing
	if f.answered && errors.As(err, &none) && none.What == "dag" {
		return sdk.Permanent(sdk.Code("dag_deleted", fmt.Errorf("the DAG %s was deleted while it was waited for: %v", dag, err)))
	}
	return err
}

// follow waits for the end of a run, or of the task in it.
func (f *follower) follow(ctx context.Context, first client.DAGRun) (waitOutput, error) {
	f.answered = true // there is a run
	current := first
	var task *observe.Task
	err := f.until(ctx, "waiting for "+runAddress(first)+f.suffix(), func(ctx context.Context) (done bool, note string, err error) {
		r, err := f.c.Run(ctx, first.DAG, first.ID)
		if isMissing(err) {
			return false, "", f.gone(ctx, first, err)
		}
		if err != nil {
			return false, "", err
		}
		current = r
		if f.task.Task == "" {
			return f.whole(ctx, r)
		}
		task, note, err = f.one(ctx, r)
		return task != nil, note, err
	})
	if err != nil {
		return waitOutput{}, err
	}
	return f.output(current, task), nil
}

func (f *follower) suffix() string {
	if f.task.Task == "" {
		return ""
	}
	return "/" + f.task.TaskName()
}

func (f *follower) output(r client.DAGRun, task *observe.Task) waitOutput {
	return waitOutput{
		Run: runTold(f.c, r), Task: task,
		Waited: time.Since(f.began).Round(time.Millisecond).Seconds(), Usual: f.usual.Seconds(),
	}
}

// whole looks at a run.
func (f *follower) whole(ctx context.Context, r client.DAGRun) (done bool, note string, err error) {
	switch {
	case r.State == "success":
		return true, "", nil
	case !r.Ended():
		return false, f.goesOn(ctx, r, fmt.Sprintf("run %s is %s", runAddress(r), r.State)), nil
	}
	if left := f.spared(r); left > 0 {
		return false, fmt.Sprintf("run %s ended as %s; a clear is waited for until %s", runAddress(r), r.State, until(left)), nil
	}
	err = ended(ctx, f.c, r)
	if f.adopted {
		err = sdk.Code("run_failed", fmt.Errorf("%w; it was there already, and a retry starts no other: clear it (airflow.clear %s), or give run_id", err, runAddress(r)))
	}
	return false, "", err
}

// one looks at the task in a run, and gives it if it has succeeded.
func (f *follower) one(ctx context.Context, r client.DAGRun) (*observe.Task, string, error) {
	tasks, err := f.c.Tasks(ctx, r.DAG, r.ID)
	if isMissing(err) {
		return nil, "", f.gone(ctx, r, err)
	}
	if err != nil {
		return nil, "", err
	}
	return f.judged(ctx, r, tasks)
}

func (f *follower) judged(ctx context.Context, r client.DAGRun, tasks []client.TaskInstance) (*observe.Task, string, error) {
	name := f.task.TaskName()
	switch v, found, why := judgeTask(r, tasks, f.task); v {
	case succeeded:
		return taskTold(found, r.Ended()), "", nil
	case absent:
		return nil, "", sdk.Permanent(sdk.Code(client.CodeNotFound, errors.New(why)))
	case failed:
		if left := f.spared(r); left > 0 {
			return nil, fmt.Sprintf("%s of %s %s; a clear is waited for until %s", name, runAddress(r), why, until(left)), nil
		}
		return nil, "", sdk.Code("task_failed", fmt.Errorf("%s of run %s %s%s", name, runAddress(r), why, lastWords(ctx, f.c, found)))
	default:
		state := "not there yet"
		if len(found) > 0 {
			state = worst(found)
		}
		return nil, f.goesOn(ctx, r, fmt.Sprintf("%s of %s is %s", name, runAddress(r), state)), nil
	}
}

// goesOn is a note on what may yet succeed.
func (f *follower) goesOn(ctx context.Context, r client.DAGRun, note string) string {
	f.failedAt = time.Time{}
	note = f.underWay(ctx, r, note)
	if why := f.aside(ctx, r.DAG); why != "" {
		note += "; " + why
	}
	return note
}

// spared is how much of the grace is left after a failure.
func (f *follower) spared(r client.DAGRun) time.Duration {
	if f.failedAt.IsZero() {
		f.failedAt = time.Now()
		if f.grace > 0 {
			f.run.Log().Warn("it failed; a clear is waited for", "run", runAddress(r), "for", f.grace)
		}
	}
	return f.grace - time.Since(f.failedAt)
}

// until is when a time that is left is over.
func until(left time.Duration) string { return time.Now().Add(left).Format("15:04:05 -0700") }

// gone tells why a run is not found that was there.
func (f *follower) gone(ctx context.Context, r client.DAGRun, err error) error {
	_, dag := address.FindDAG(ctx, f.c, address.Address{DAG: r.DAG})
	var none *address.Missing
	switch {
	case errors.As(dag, &none):
		return f.removed(dag, r.DAG)
	case dag != nil:
		return dag
	}
	return sdk.Permanent(sdk.Code("run_deleted", fmt.Errorf("run %s was deleted while it was waited for, and was %s before: %v", runAddress(r), r.State, err)))
}
