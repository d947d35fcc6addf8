package main

import (
	"context"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type killParams struct {
	source
	Address string `json:"address" help:"PROJECT/WORKFLOW[@SESSION]; without @ the latest session; a number is the attempt's id" min:"1"`
}

type killOutput struct {
	Run observe.Run `json:"run" help:"the attempt as it was after the kill"`
	// RunsOn are the tasks that Digdag does not stop.
	RunsOn []observe.Task `json:"runs_on" help:"tasks under way, which Digdag lets run to their end"`
	Left   int            `json:"left" help:"how many tasks had not begun and will not"`
	Others []observe.Run  `json:"others" help:"other attempts of the session that go on"`
}

func killComponent() sdk.Component {
	return sdk.Define("digdag.kill", kill, sdk.Destructive(),
		sdk.Doc(`Kills an attempt on Digdag.

Digdag stops no process: tasks that have begun run to their end, and are told as runs_on; only what has not begun is left out, and neither _error nor a failure notice runs. A task under Outrider that knows the server's endpoint stops itself. The attempt is read again after the kill; while tasks run on it is cancelling.

An attempt that has ended, or was being cancelled, is unchanged. One that waits in a backfill has no tasks yet and cannot be killed by Digdag: the code is queued_backfill, and a retry helps once it has begun. A retry of the session that goes on beside is told under others.`),
		sdk.Example("The latest session", `{"endpoint": "http://digdag.internal:65432", "address": "etl/daily"}`))
}

func kill(ctx context.Context, run *sdk.Run, p killParams) (killOutput, error) {
	a, err := parseAddress(p.Address)
	if err != nil {
		return killOutput{}, err
	}
	if a.Task != "" {
		return killOutput{}, sdk.Permanent(sdk.Code("bad_address", fmt.Errorf("address %q: Digdag kills no single task; leave out %s to kill the attempt", p.Address, a.Task)))
	}
	c, err := p.open(run)
	if err != nil {
		return killOutput{}, err
	}
	defer c.Close()
	doing := "killing " + p.Address
	before, err := address.FindAttempt(ctx, c, a, time.Now())
	if err != nil {
		return killOutput{}, told(doing, err)
	}
	after, accepted := before, false
	if !before.Done {
		r, err := c.Kill(ctx, before.ID)
		if err != nil {
			return killOutput{}, told(doing, err)
		}
		after, accepted = r.Attempt, r.Accepted
	}
	tasks, err := c.Tasks(ctx, after.ID)
	if err != nil {
		return killOutput{}, told(doing, err)
	}
	if !accepted && !after.Done && len(tasks) == 0 {
		return killOutput{}, sdk.Code("queued_backfill", fmt.Errorf("%s: attempt %s waits in a backfill for the one before it and has no tasks yet, so that Digdag cannot kill it: kill it when it has begun", doing, after.ID))
	}
	retries, err := c.Retries(ctx, after.ID)
	if err != nil {
		return killOutput{}, told(doing, err)
	}
	out := killed(c, after, tasks, retries)
	for _, t := range out.RunsOn {
		run.Log().Warn("Digdag does not stop this task: it runs to its end", "task", t.Name, "operator", t.Type, "since", t.Started.Format(time.RFC3339))
	}
	for _, o := range out.Others {
		run.Log().Warn("another attempt of the session goes on", "attempt", o.ID, "address", address.Address{
			Project: o.Project, Workflow: o.Workflow, Session: address.Session{Kind: address.Number, ID: o.ID},
		}.String())
	}
	if !accepted || before.CancelRequested {
		return out, sdk.Unchanged()
	}
	return out, nil
}

// killed tells what a kill left.
func killed(c *client.Client, a client.Attempt, tasks []client.Task, retries []client.Attempt) killOutput {
	out := killOutput{Run: attemptRun(c, a), RunsOn: []observe.Task{}, Others: []observe.Run{}}
	for _, t := range tasksOf(tasks, a.Done) {
		switch word := client.TaskState(t.Word); {
		case a.Done || t.Group:
		case word == client.TaskRunning:
			out.RunsOn = append(out.RunsOn, t)
		case word == client.TaskBlocked, word == client.TaskReady:
			out.Left++
		}
	}
	for _, r := range retries {
		if r.ID != a.ID && !r.Done {
			out.Others = append(out.Others, attemptRun(c, r))
		}
	}
	return out
}
