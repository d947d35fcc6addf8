package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type statusParams struct {
	source
	Address string `json:"address" min:"1" help:"DAG[@RUN]: @latest, which is the default, @today, @2026-11-22, @2026-11-22T07:00:00, or @ and a run's id"`
}

// Validate checks what a tag cannot say.
func (p statusParams) Validate() error {
	_, err := address.Parse(p.Address)
	return err
}

func statusComponent() sdk.Component {
	return sdk.Define("airflow.status", status,
		sdk.Doc(`Shows one run of a DAG, on Airflow 3 or 2: its state, and each task instance with its state, start, end and tries.

The address names the run. Of what failed, or else runs longest, there is the end of the log too. Of a task that was tried more than once there are all tries, each with how long it took. A task in an address is left aside.

warnings say why nothing may go on: the DAG is paused, its file has an import error or is gone, the scheduler or another part of Airflow gives no sign.

The output is no longer than 100 KiB, since it may become an XCom: of a run with very many task instances those that failed or are open come first, and blind tells how many are left out. The run's conf, which may hold secrets, is not given.`),
		sdk.Example("The latest run of a DAG", `{"endpoint": "http://airflow.internal:8080", "user": "outrider", "password": "env:AIRFLOW_PASSWORD", "address": "etl"}`),
		sdk.Example("That of a day", `{"address": "etl@2026-11-21"}`))
}

func status(ctx context.Context, run *sdk.Run, p statusParams) (statusOutput, error) {
	c, err := p.open(run)
	if err != nil {
		return statusOutput{}, err
	}
	defer c.Close()
	at, err := parseAddress(p.Address)
	if err != nil {
		return statusOutput{}, err
	}
	doing := "find " + p.Address
	r, err := address.FindRun(ctx, c, at, c.Now())
	if err != nil {
		return statusOutput{}, told(doing, err)
	}
	var blind []string
	cannotSee := func(what string, err error) {
		blind = append(blind, fmt.Sprintf("%s: %v", what, err))
	}
	order, err := c.TaskNames(ctx, r.DAG)
	if err != nil { // those of a DAG that is gone are not told; by start they come then
		order = nil
	}
	seen, tasks, unseen, err := detailed(ctx, c, firstSeen(runOf(r, c.Link(r.DAG, r.ID, "", -1)), r.Start), order)
	if err != nil {
		return statusOutput{}, err
	}
	blind = append(blind, unseen...)
	out := statusOutput{statusRun: statusRun(seen), Failed: []observe.Task{}, Warnings: []string{}}
	for _, t := range out.Tasks {
		if t.State == observe.Failed {
			out.Failed = append(out.Failed, t)
		}
	}
	out.Tries = triesOf(ctx, c, tasks, seen.State.Ended(), cannotSee)
	d, err := c.DAG(ctx, r.DAG)
	if err != nil {
		cannotSee("the DAG", err)
	} else {
		out.Paused = d.Paused
		var broken []client.ImportError
		if d.Broken || d.Stale {
			if broken, err = c.ImportErrors(ctx); err != nil {
				cannotSee("import errors", err)
			}
		}
		out.Warnings = append(out.Warnings, dagWarnings(d, brokenBy(d, broken))...)
	}
	if !seen.State.Ended() { // to one that has ended they do not matter
		v, versionErr := c.Version(ctx)
		parts, err := c.Health(ctx)
		if err = cmp.Or(versionErr, err); err != nil {
			cannotSee("health", err)
		}
		out.Warnings = append(out.Warnings, partWarnings(healthOf(parts, v.API, c.Now()))...)
	}
	if ctx.Err() != nil {
		return statusOutput{}, told(doing, context.Cause(ctx))
	}
	for _, w := range out.Warnings {
		run.Log().Warn(w)
	}
	out.Blind = blind
	return fitted(out), nil
}

// dagWarnings say why a DAG may start nothing. broken is its import error.
func dagWarnings(d client.DAG, broken string) (list []string) {
	if d.Paused {
		list = append(list, fmt.Sprintf("DAG %s is paused: no run and no task of it starts until it is unpaused", d.ID))
	}
	if broken != "" {
		list = append(list, fmt.Sprintf("DAG %s cannot be read: %s", d.ID, broken))
	}
	if d.Stale && broken == "" { // Airflow 3 takes the DAGs of a broken file for stale
		list = append(list, fmt.Sprintf("DAG %s is in no file any more: no run and no task of it starts", d.ID))
	}
	return list
}

// partWarnings say which parts of Airflow are not well.
func partWarnings(parts []observe.Health) (list []string) {
	for _, h := range parts {
		if h.OK {
			continue
		}
		text := fmt.Sprintf("Airflow's %s is not well: %s", h.Name, h.Note)
		if h.Name == "scheduler" {
			text += "; nothing starts without it"
		}
		list = append(list, text)
	}
	return list
}

// mostTried is of how many task instances all tries are looked at, a request each.
const mostTried = 20

// triesOf are the tries of the task instances that had more than one: first of those
// that failed, then of the open ones.
func triesOf(ctx context.Context, c *client.Client, tasks []client.TaskInstance, done bool, cannotSee func(string, error)) (list []statusTry) {
	var again []client.TaskInstance
	for _, t := range tasks {
		if t.Try > 1 {
			again = append(again, t)
		}
	}
	slices.SortStableFunc(again, func(a, b client.TaskInstance) int {
		return cmp.Or(cmp.Compare(rank(taskState(a, done)), rank(taskState(b, done))), startsBefore(begun(a), begun(b)))
	})
	for i, t := range again {
		name := address.TaskName(t.Task, t.MapIndex)
		if i == mostTried {
			cannotSee("tries", fmt.Errorf("those of %d more task instances are left out", len(again)-mostTried))
			break
		}
		all, err := c.Tries(ctx, t)
		if err != nil {
			cannotSee("tries of "+name, err)
			continue
		}
		for _, one := range all {
			list = append(list, tryOf(name, one, c.Now()))
		}
	}
	return list
}

// rank orders what a person looks at first.
func rank(s observe.State) int {
	switch {
	case s == observe.Failed:
		return 0
	case !s.Ended():
		return 1
	}
	return 2
}

func tryOf(name string, t client.TaskInstance, now time.Time) statusTry {
	one := statusTry{Task: name, Try: t.Try, Word: cmp.Or(t.State, "none"), Started: begun(t)}
	if one.Started.IsZero() {
		return one
	}
	end := now
	goesOn := resumed(t) || t.State == "up_for_reschedule" // its end is that of a look
	if !goesOn && !t.End.IsZero() && !t.End.Before(t.Start) {
		one.Ended, end = t.End, t.End
	}
	one.Took = max(0, end.Sub(t.Start).Seconds())
	return one
}
