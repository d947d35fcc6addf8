package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
)

// What runs again.
const (
	clearFailed = "failed"
	clearFrom   = "from"
	clearAll    = "all"
)

var errWhole = errors.New("a mapped task is cleared as a whole by Airflow 2, or what failed of it,")

var errStillRuns = errors.New("is under way, and Airflow would stop it and run it again: wait for its end, kill it first, or set running")

// planClear decides which task instances of a run are cleared, in the order of the DAG
// as far as that is known. from names what mode from begins with.
func planClear(r client.DAGRun, tasks []client.TaskInstance, defs []client.TaskDef, p clearParams, from address.Address) ([]client.TaskInstance, error) {
	var picked []client.TaskInstance
	switch p.Mode {
	case clearAll:
		picked = slices.Clone(tasks)
	case clearFrom:
		start, err := address.FindTasks(r, tasks, from)
		if err != nil {
			return nil, err
		}
		below := downstream(defs, from.Task)
		for _, t := range tasks {
			if below[t.Task] || slices.Contains(start, t) {
				picked = append(picked, t)
			}
		}
	default:
		only, err := within(r, tasks, from)
		if err != nil {
			return nil, err
		}
		picked = unsuccessful(r, tasks, only, defs)
	}
	if !p.Running {
		left := slices.DeleteFunc(slices.Clone(picked), func(t client.TaskInstance) bool { return underWay(t.State) })
		if i := slices.IndexFunc(picked, func(t client.TaskInstance) bool { return underWay(t.State) }); i >= 0 && p.Mode != clearFailed {
			return nil, sdk.Code("still_running", fmt.Errorf("%s of run %s %w", address.TaskName(picked[i].Task, picked[i].MapIndex), runAddress(r), errStillRuns))
		}
		picked = left
	}
	order := map[string]int{}
	for i, d := range defs {
		order[d.ID] = i + 1
	}
	slices.SortStableFunc(picked, func(a, b client.TaskInstance) int {
		return cmp.Or(cmp.Compare(order[a.Task], order[b.Task]), strings.Compare(a.Task, b.Task), cmp.Compare(a.MapIndex, b.MapIndex))
	})
	return picked, nil
}

// within are the instances that an address limits a clear to, all where it names no
// task.
func within(r client.DAGRun, tasks []client.TaskInstance, a address.Address) ([]client.TaskInstance, error) {
	if a.Task == "" {
		return tasks, nil
	}
	return address.FindTasks(r, tasks, a)
}

// unsuccessful are the instances that failed, of only, with what did not run because
// of them. A run that was killed, or ran into its timeout, has skipped what had not
// begun: that runs, too. What a branch skipped is skipped again when it is cleared, and
// what skipped itself in a try of its own is left alone.
func unsuccessful(r client.DAGRun, tasks, only []client.TaskInstance, defs []client.TaskDef) []client.TaskInstance {
	all := len(only) == len(tasks)
	below := map[string]bool{}
	var picked []client.TaskInstance
	for _, t := range only {
		if t.State == "failed" || t.State == "upstream_failed" || all && r.State == "failed" && neverBegan(t) {
			picked = append(picked, t)
			for id := range downstream(defs, t.Task) {
				below[id] = true
			}
		}
	}
	for _, t := range tasks {
		if below[t.Task] && (t.State == "upstream_failed" || neverBegan(t)) && !slices.Contains(picked, t) {
			picked = append(picked, t)
		}
	}
	return picked
}

// neverBegan reports whether a task instance is left without a try.
func neverBegan(t client.TaskInstance) bool {
	return t.Try == 0 && (t.State == "skipped" || t.State == "")
}

// downstream are all tasks that follow one, whatever lies between.
func downstream(defs []client.TaskDef, task string) map[string]bool {
	next := map[string][]string{}
	for _, d := range defs {
		next[d.ID] = d.Downstream
	}
	below := map[string]bool{}
	var walk func(string)
	walk = func(id string) {
		for _, n := range next[id] {
			if !below[n] {
				below[n] = true
				walk(n)
			}
		}
	}
	walk(task)
	return below
}

// requestsOf are the requests that clear these instances and no others, those first
// that the others wait for. Airflow 3 clears one instance of a mapped task, Airflow 2
// the whole of it or what failed of it.
func requestsOf(v client.Version, r client.DAGRun, tasks, picked []client.TaskInstance) ([]client.Clear, error) {
	of := func(list []client.TaskInstance, task string) (same []client.TaskInstance) {
		for _, t := range list {
			if t.Task == task {
				same = append(same, t)
			}
		}
		return same
	}
	var parts []client.Clear
	var whole []string
	for _, id := range names(picked) {
		mine, all := of(picked, id), of(tasks, id)
		switch {
		case len(mine) == len(all):
			whole = append(whole, id)
		case v.API >= 2:
			q := client.Clear{DAG: r.DAG, Run: r.ID, Tasks: []string{id}}
			for _, t := range mine {
				q.MapIndexes = append(q.MapIndexes, t.MapIndex)
			}
			parts = append(parts, q)
		case sameTasks(mine, failedOf(all)):
			parts = append(parts, client.Clear{DAG: r.DAG, Run: r.ID, Tasks: []string{id}, OnlyFailed: true})
		default:
			return nil, sdk.Permanent(sdk.Code("not_in_airflow_2", fmt.Errorf("run %s: %w and not %s alone of its %d instances: leave out the index, or use mode failed", runAddress(r), errWhole, address.TaskName(id, mine[0].MapIndex), len(all))))
		}
	}
	if len(whole) > 0 {
		parts = append(parts, client.Clear{DAG: r.DAG, Run: r.ID, Tasks: whole})
	}
	return parts, nil
}

// names are the tasks of instances, each once, in their order.
func names(tasks []client.TaskInstance) []string {
	list := []string{}
	for _, t := range tasks {
		if !slices.Contains(list, t.Task) {
			list = append(list, t.Task)
		}
	}
	return list
}

func failedOf(tasks []client.TaskInstance) (list []client.TaskInstance) {
	for _, t := range tasks {
		if t.State == "failed" || t.State == "upstream_failed" {
			list = append(list, t)
		}
	}
	return list
}

// sameTasks compares without order.
func sameTasks(a, b []client.TaskInstance) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(t client.TaskInstance) bool { return !slices.Contains(b, t) })
}
