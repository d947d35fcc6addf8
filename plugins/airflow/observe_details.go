package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk/observe"
)

// tasksAndLogs is what is asked of a server about one run.
type tasksAndLogs interface {
	Tasks(ctx context.Context, dag, run string) ([]client.TaskInstance, error)
	Log(ctx context.Context, t client.TaskInstance, try int) ([]client.LogLine, error)
}

// detailed gets a run's tasks, in the given order, and the end of the log that tells
// most. What the server does not give it reports; an error is the end of ctx.
func detailed(ctx context.Context, c tasksAndLogs, run observe.Run, order []client.TaskDef) (_ observe.Run, tasks []client.TaskInstance, blind []string, err error) {
	cannotSee := func(what string, err error) error {
		var e *client.Error
		if !errors.As(err, &e) {
			return told("look at "+what+" of "+run.ID, err)
		}
		blind = append(blind, fmt.Sprintf("%s of %s: %v", what, run.ID, err))
		return nil
	}
	tasks, err = c.Tasks(ctx, run.Workflow, run.Session)
	if err != nil {
		err = cannotSee("tasks", err)
		return run, nil, blind, err
	}
	run.Tasks = tasksOf(tasks, order, run.State.Ended())
	t, ok := tailed(tasks)
	if !ok {
		return run, tasks, blind, nil
	}
	lines, err := c.Log(ctx, t, t.Try)
	if err != nil {
		err = cannotSee("log of "+address.TaskName(t.Task, t.MapIndex), err)
		return run, tasks, blind, err
	}
	run.LogTail = tail(lines)
	return run, tasks, blind, nil
}

// details fills in the runs that are asked for by id, and adds those that are not
// among them.
func (o *observer) details(ctx context.Context, runs []observe.Run, ids []string) ([]observe.Run, error) {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if o.refused != nil {
			o.cannotSee("run %s, asked for in details: not looked at: %v", id, o.refused)
			continue
		}
		at := slices.IndexFunc(runs, func(r observe.Run) bool { return r.ID == id })
		if at < 0 {
			dag, run, _ := parseRunID(id)
			r, err := o.Run(ctx, dag, run)
			var e *client.Error
			if isMissing(err) {
				o.cannotSee("run %s, asked for in details: the server has none", id)
				continue
			}
			if ofThis(err) || isSpent(err) || errors.As(err, &e) && e.Code == client.CodeUnauthorized {
				o.cannotSee("run %s, asked for in details: not looked at: %v", id, err)
				continue
			}
			if err != nil {
				return nil, told("look at run "+id, err)
			}
			at = len(runs)
			runs = append(runs, firstSeen(runOf(r, o.Link(dag, run, "", -1)), r.Start))
		}
		run, _, blind, err := detailed(ctx, o, runs[at], nil)
		o.blind = append(o.blind, blind...)
		if err != nil {
			return nil, err
		}
		runs[at] = run
	}
	return runs, nil
}
