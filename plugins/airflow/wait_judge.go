package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk/observe"
)

// verdict is what is to be made of a run or a task that is waited for.
type verdict int

const (
	pending verdict = iota
	succeeded
	failed
	absent // there is no such task, and there will be none
)

// judgeTask judges the task of an address in a run: all its instances where no map
// index is named. why is of a failure, in words that follow the task's name.
func judgeTask(r client.DAGRun, tasks []client.TaskInstance, a address.Address) (v verdict, found []client.TaskInstance, why string) {
	found, err := address.FindTasks(r, tasks, a)
	if err != nil {
		return judgeMissing(r, tasks, a, err)
	}
	v = succeeded
	for _, t := range found {
		switch {
		case t.State == "success":
		case t.Over():
			return failed, found, nameIn(found, t) + whyOver(t, tasks)
		case r.Ended():
			return failed, found, nameIn(found, t) + "did not run: the run ended as " + r.State + because(tasks)
		default:
			v = pending
		}
	}
	return v, found, ""
}

// judgeMissing judges a task that is not there: a mapped one gets its instances when
// what it is mapped over is known.
func judgeMissing(r client.DAGRun, tasks []client.TaskInstance, a address.Address, err error) (verdict, []client.TaskInstance, string) {
	whole := a
	whole.Mapped = false
	found, _ := address.FindTasks(r, tasks, whole)
	var none *address.Missing
	switch {
	case errors.As(err, &none) && none.What == "index" && len(found) == 1 && found[0].MapIndex < 0 && found[0].Try == 0:
		// Not mapped yet, or it never will be. One that has a try of its own is not mapped.
		return judgeTask(r, tasks, whole)
	case len(tasks) == 0 && !r.Ended():
		return pending, nil, ""
	}
	return absent, nil, err.Error()
}

// nameIn tells which of several instances is meant.
func nameIn(found []client.TaskInstance, t client.TaskInstance) string {
	if len(found) < 2 {
		return ""
	}
	return fmt.Sprintf("(%s) ", address.TaskName(t.Task, t.MapIndex))
}

func whyOver(t client.TaskInstance, tasks []client.TaskInstance) string {
	switch t.State {
	case "failed":
		if t.Try > 0 {
			return fmt.Sprintf("failed in try %d", t.Try)
		}
		return "failed"
	case "upstream_failed":
		return "did not run since another failed" + because(tasks)
	case "skipped":
		return "was skipped"
	}
	return "is " + t.State
}

func because(tasks []client.TaskInstance) string {
	if why := whyFailed(tasks); why != "" {
		return ": " + why
	}
	return ""
}

// span is instances as one: of the earliest start and the latest end.
func span(found []client.TaskInstance) client.TaskInstance {
	one := found[0]
	for _, t := range found[1:] {
		if one.Start.IsZero() || !t.Start.IsZero() && t.Start.Before(one.Start) {
			one.Start = t.Start
		}
		if t.End.After(one.End) {
			one.End = t.End
		}
		one.MapIndex = -1
		one.Try = max(one.Try, t.Try)
	}
	return one
}

// worst is the state that instances have together: that which keeps them from success.
func worst(found []client.TaskInstance) string {
	order := []string{"success", "skipped", "removed", "upstream_failed", "failed", "", "scheduled", "queued", "deferred", "up_for_reschedule", "up_for_retry", "restarting", "running"}
	state := "success"
	for _, t := range found {
		if slices.Index(order, t.State) > slices.Index(order, state) {
			state = t.State
		}
	}
	if state == "" {
		return "not there yet"
	}
	return state
}

// taskTold is what was waited for.
func taskTold(found []client.TaskInstance, done bool) *observe.Task {
	return new(taskOf(span(found), done))
}

// judgeSince judges a DAG of which a success is wanted by its runs: open, and ended
// since then, the newest first. run is the one that decided it, or the newest of the
// open ones: as long as there are any, they may succeed.
func judgeSince(open, over []client.DAGRun) (v verdict, run client.DAGRun) {
	for _, r := range over {
		if r.State == "success" {
			return succeeded, r
		}
	}
	switch {
	case len(open) > 0:
		return pending, open[0]
	case len(over) > 0:
		return failed, over[0]
	}
	return pending, run
}

// endedSince are those that did.
func endedSince(runs []client.DAGRun, from time.Time) []client.DAGRun {
	var list []client.DAGRun
	for _, r := range runs {
		if r.Ended() && !r.End.Before(from) {
			list = append(list, r)
		}
	}
	return list
}
