package main

import (
	"context"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type killParams struct {
	source
	Address string `json:"address" help:"DAG[@RUN][/TASK]; without @ the latest run; with a task that alone" min:"1"`
	Wait    bool   `json:"wait" help:"wait until Airflow shows nothing of it as under way" default:"false"`
	pace
}

type killOutput struct {
	Run observe.Run `json:"run" help:"the run as it was after the kill"`
	// Stopping are the tasks whose processes are told to end.
	Stopping []observe.Task `json:"stopping" help:"tasks that were under way, as they were: Airflow tells their processes at the next heartbeat"`
	Left     int            `json:"left" help:"how many tasks had not begun and will not"`
}

func killComponent() sdk.Component {
	return sdk.Define("airflow.kill", kill, sdk.Destructive(),
		sdk.Doc(`Kills a run on Airflow, or one task of it: it is marked as failed.

Airflow shows the tasks under way as failed at once, and tells their processes at their next heartbeat: SIGTERM after some 3 s in Airflow 3, after some 7 s in Airflow 2. Neither kills what does not end by that, a child that ignores SIGTERM runs on; what runs under Outrider ends. stopping lists these tasks. What had not begun is skipped.

One that has ended is unchanged. A retry of the Outrider run kills no other one, whatever is the latest by then. With a task only its instances that are under way or to come are marked; what follows does not run, and the run goes on with the rest. wait waits until no task of it is shown as under way: on Airflow 2 one that ends by itself before its heartbeat may still count as it ended, and the log says so.`),
		sdk.Example("The latest run", `{"endpoint": "http://airflow.internal:8080", "user": "outrider", "password": "env:AIRFLOW_PASSWORD", "address": "daily"}`),
		sdk.Example("One instance of a mapped task", `{"endpoint": "http://airflow.internal:8080", "address": "daily@today/load[3]"}`))
}

func kill(ctx context.Context, run *sdk.Run, p killParams) (killOutput, error) {
	a, err := parseAddress(p.Address)
	if err != nil {
		return killOutput{}, err
	}
	c, err := p.open(run)
	if err != nil {
		return killOutput{}, err
	}
	defer c.Close()
	doing := "killing " + p.Address
	var begun target
	if _, err := run.Restore(&begun); err != nil {
		return killOutput{}, err
	}
	before, known, err := begun.find(ctx, c, p.Address, a)
	if err != nil {
		return killOutput{}, told(doing, err)
	}
	if !known {
		if err := run.Checkpoint(ctx, begun); err != nil {
			return killOutput{}, err
		}
	}
	tasks, err := c.Tasks(ctx, before.DAG, before.ID)
	if err != nil {
		return killOutput{}, told(doing, err)
	}
	if a.Task != "" {
		if tasks, err = address.FindTasks(before, tasks, a); err != nil {
			return killOutput{}, told(doing, err)
		}
	}
	v, err := c.Version(ctx)
	if err != nil {
		return killOutput{}, told(doing, err)
	}
	victims, out := doomed(tasks)
	after := before
	switch {
	case before.Ended() || a.Task != "" && len(victims) == 0:
		out.Run = runTold(c, before)
		return out, sdk.Unchanged()
	case a.Task == "":
		after, err = c.SetRun(ctx, before.DAG, before.ID, "failed")
	default:
		for _, t := range victims {
			if err = c.SetTask(ctx, t, "failed"); err != nil {
				break
			}
		}
	}
	if err != nil {
		return out, told(doing, err)
	}
	for _, t := range out.Stopping {
		run.Log().Warn("it is told to stop at its next heartbeat; a child that ignores SIGTERM runs on", "task", t.Name, "operator", t.Type, "within", heartbeat(v))
	}
	if p.Wait {
		f := follower{watch: watch{pace: p.pace, run: run, began: time.Now()}, c: c, task: a}
		if after, err = f.stopped(ctx, after, v); err != nil {
			return out, err
		}
	}
	out.Run = runTold(c, after)
	return out, nil
}

// heartbeat is how long it takes until a task's process hears that it is to end.
func heartbeat(v client.Version) string {
	if v.API == 1 {
		return "about 10s"
	}
	return "about 5s"
}

// doomed are the task instances that a kill ends, and what is told of them.
func doomed(tasks []client.TaskInstance) (victims []client.TaskInstance, out killOutput) {
	out.Stopping = []observe.Task{}
	for _, t := range tasks {
		switch {
		case t.Over():
			continue
		case underWay(t.State):
			out.Stopping = append(out.Stopping, taskOf(t, false))
		default:
			out.Left++
		}
		victims = append(victims, t)
	}
	return victims, out
}

// underWay reports whether a process of a task instance runs, may run at any moment,
// or is waited for by the triggerer.
func underWay(state string) bool {
	switch state {
	case "queued", "running", "restarting", "deferred", "up_for_reschedule":
		return true
	}
	return false
}

// stopped waits until nothing of a run, or of the task, is shown as under way.
func (f *follower) stopped(ctx context.Context, r client.DAGRun, v client.Version) (client.DAGRun, error) {
	err := f.until(ctx, "waiting for the end of "+runAddress(r)+f.suffix(), func(ctx context.Context) (bool, string, error) {
		now, err := f.c.Run(ctx, r.DAG, r.ID)
		if err != nil {
			return false, "", err
		}
		r = now
		tasks, err := f.c.Tasks(ctx, r.DAG, r.ID)
		if err == nil && f.task.Task != "" {
			tasks, err = address.FindTasks(r, tasks, f.task)
		}
		if err != nil {
			return false, "", err
		}
		for _, t := range tasks {
			if underWay(t.State) {
				return false, fmt.Sprintf("%s of %s is %s", address.TaskName(t.Task, t.MapIndex), runAddress(r), t.State), nil
			}
		}
		return f.task.Task != "" || r.Ended(), fmt.Sprintf("run %s is %s", runAddress(r), r.State), nil
	})
	if err == nil && f.task.Task == "" && r.State != "failed" {
		f.run.Log().Warn("it ended by itself before it could be killed", "run", runAddress(r), "state", r.State, "airflow", v.Version)
	}
	return r, err
}
