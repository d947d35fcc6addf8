package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

// statusOutput is a run with its tasks. The lists and texts that a template may name
// are always there.
type statusOutput struct {
	statusRun
	Paused   bool     `json:"paused" help:"the DAG is"`
	Warnings []string `json:"warnings" help:"why nothing may go on"`
	// Failed is for who tells of a failure: a template can pick no task out of a list.
	Failed []observe.Task `json:"failed" help:"the tasks that failed by themselves"`
	Tries  []statusTry    `json:"tries,omitempty" help:"of the tasks that were tried more than once, each try"`
	Blind  []string       `json:"blind,omitempty" help:"what was not looked at or is left out, and why"`
}

// statusRun is an observe.Run, field by field, with its log's end always there and
// without params.
type statusRun struct {
	ID          string            `json:"id" help:"DAG@RUN"`
	Address     string            `json:"address" help:"as the host's verbs take it, without the source"`
	Project     string            `json:"project,omitempty"`
	Workflow    string            `json:"workflow" help:"the DAG"`
	Session     string            `json:"session,omitempty" help:"the run's id in Airflow"`
	Time        time.Time         `json:"time,omitzero" help:"the logical date, where it has one"`
	Try         int               `json:"try,omitempty"`
	State       observe.State     `json:"state"`
	Created     time.Time         `json:"created,omitzero" help:"when it was queued, where that is known"`
	Started     time.Time         `json:"started,omitzero"`
	Ended       time.Time         `json:"ended,omitzero"`
	CancelAsked bool              `json:"cancel_asked,omitempty"`
	Trigger     string            `json:"trigger,omitempty" help:"schedule, manual, backfill or dataset"`
	Revision    string            `json:"revision,omitempty" help:"of the DAG, where it is known"`
	Params      json.RawMessage   `json:"-"`
	Labels      map[string]string `json:"labels,omitempty" help:"by: who triggered it"`
	Link        string            `json:"link,omitempty" help:"where a person sees it"`
	Tasks       []observe.Task    `json:"tasks,omitempty" help:"in the DAG's order, a mapped one for each index"`
	LogTail     string            `json:"log_tail" help:"of the task that failed, else of the one that runs longest; empty if there is none"`
}

// statusTry is one try of a task.
type statusTry struct {
	Task    string    `json:"task"`
	Try     int       `json:"try"`
	Word    string    `json:"word" help:"Airflow's for its state"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Took    float64   `json:"took_s" help:"seconds, so far if it runs"`
}

const (
	// mostStatus is how long the output may be, in bytes of JSON.
	mostStatus = 100 << 10
	// mostFailed and mostTries are what of it the failed tasks and the tries may take,
	// mostLogTail the log, mostWarnings the warnings.
	mostFailed   = 24 << 10
	mostTries    = 12 << 10
	mostLogTail  = 24 << 10
	mostWarnings = 4 << 10
	// mostBlind leaves room for what fitted adds to blind.
	mostBlind = 1 << 10
)

// fitted leaves out what makes the output too long. Of the tasks those that failed are
// kept first, then the open ones.
func fitted(out statusOutput) statusOutput {
	for cost(out.LogTail) > mostLogTail {
		_, out.LogTail, _ = strings.Cut(out.LogTail, "\n")
	}
	for i := range out.Warnings {
		out.Warnings[i] = clip(out.Warnings[i], mostWarnings/4)
	}
	for i := range out.Blind {
		out.Blind[i] = clip(out.Blind[i], mostWarnings/4)
	}
	leave := func(n int, what string) {
		if n > 0 {
			out.Blind = append(out.Blind, fmt.Sprintf("%d %s left out, since the output is at most %d KiB", n, what, mostStatus>>10))
		}
	}
	failed, tries, tasks := out.Failed, out.Tries, out.Tasks
	out.Failed = failed[:fitting(failed, mostFailed)]
	leave(len(failed)-len(out.Failed), "failed task(s) are")
	out.Tries = tries[:fitting(tries, mostTries)]
	leave(len(tries)-len(out.Tries), "tries are")
	out.Tasks = nil
	out.Tasks = kept(tasks, mostStatus-mostBlind-cost(out))
	leave(len(tasks)-len(out.Tasks), "task(s) of the run are")
	return out
}

// fitting is how many of the first there is room for.
func fitting[T any](list []T, room int) int {
	for i, one := range list {
		if room -= cost(one); room < 0 {
			return i
		}
	}
	return len(list)
}

// kept are the tasks for which there is room, in their order.
func kept(tasks []observe.Task, room int) (list []observe.Task) {
	keep := make([]bool, len(tasks))
	for _, first := range []int{0, 1, 2} {
		for i, t := range tasks {
			if rank(t.State) != first {
				continue
			}
			if c := cost(t); c <= room {
				room -= c
				keep[i] = true
			}
		}
	}
	for i, t := range tasks {
		if keep[i] {
			list = append(list, t)
		}
	}
	return list
}

// cost is how long something is as JSON, with a comma.
func cost(v any) int {
	raw, _ := json.Marshal(v) // plain data
	return len(raw) + 1
}
