package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

// statusOutput is an attempt with its tasks, and what else its session has. The lists
// and texts that a template in a .dig file may name are always there: Digdag fails a
// task over one that is not.
type statusOutput struct {
	statusRun
	// Failed is for who tells of a failure: a template can pick no task out of a list.
	Failed   []observe.Task `json:"failed" help:"the tasks that failed by themselves, also one whose _error work goes on"`
	Attempts []observe.Run  `json:"attempts,omitempty" help:"the other attempts of the session, the first one first"`
	Blind    []string       `json:"blind,omitempty" help:"what was not looked at or is left out, and why"`
}

// statusRun is an observe.Run, field by field, with its log's end always there and
// without params.
type statusRun struct {
	ID          string            `json:"id" help:"of the attempt"`
	Address     string            `json:"address" help:"as the host's verbs take it, without the source"`
	Project     string            `json:"project,omitempty"`
	Workflow    string            `json:"workflow"`
	Session     string            `json:"session,omitempty" help:"the session's id"`
	Time        time.Time         `json:"time,omitzero" help:"the session's time, with its zone"`
	Try         int               `json:"try,omitempty" help:"1 for the first attempt of the session"`
	State       observe.State     `json:"state"`
	Created     time.Time         `json:"created,omitzero" help:"when the engine took it in"`
	Started     time.Time         `json:"started,omitzero" help:"when its first task began, where that is known"`
	Ended       time.Time         `json:"ended,omitzero"`
	CancelAsked bool              `json:"cancel_asked,omitempty"`
	Trigger     string            `json:"trigger,omitempty" help:"schedule, retry or backfill, where that is known"`
	Revision    string            `json:"revision,omitempty" help:"of the project that it runs"`
	Params      json.RawMessage   `json:"-"`
	Labels      map[string]string `json:"-"`
	Link        string            `json:"link,omitempty" help:"where a person sees it"`
	Tasks       []observe.Task    `json:"tasks,omitempty" help:"in the engine's order"`
	LogTail     string            `json:"log_tail" help:"of the task that failed, else of the one that runs longest; empty if there is none"`
}

const (
	// mostStatus is how long the output may be, in bytes of JSON.
	mostStatus = 100 << 10
	// mostFailed and mostOthers are what of it the failed tasks and the other attempts
	// may take, mostLogTail the log.
	mostFailed  = 24 << 10
	mostOthers  = 12 << 10
	mostLogTail = 24 << 10
	// mostBlind leaves room for what fitted adds to blind.
	mostBlind = 1 << 10
)

// fitted leaves out what makes the output too long. Of the tasks those that failed are
// kept first, then the open ones, each with its groups; of the attempts the newest.
func fitted(out statusOutput) statusOutput {
	for cost(out.LogTail) > mostLogTail {
		_, out.LogTail, _ = strings.Cut(out.LogTail, "\n")
	}
	failed, tasks, attempts := out.Failed, out.Tasks, out.Attempts
	out.Failed, out.Tasks, out.Attempts = []observe.Task{}, nil, nil
	leave := func(n int, what string) {
		if n > 0 {
			out.Blind = append(out.Blind, fmt.Sprintf("%d %s left out, since the output is at most %d KiB", n, what, mostStatus>>10))
		}
	}
	room := mostFailed
	for _, t := range failed {
		if room -= cost(t); room < 0 {
			break
		}
		out.Failed = append(out.Failed, t)
	}
	leave(len(failed)-len(out.Failed), "failed task(s) are")
	first := len(attempts)
	for room = mostOthers; first > 0; first-- {
		if room -= cost(attempts[first-1]); room < 0 {
			break
		}
	}
	out.Attempts = attempts[first:]
	leave(first, "older attempt(s) of the session are")
	out.Tasks = kept(tasks, mostStatus-mostBlind-cost(out))
	leave(len(tasks)-len(out.Tasks), "task(s) of the attempt are")
	return out
}

// kept are the tasks for which there is room, in their order.
func kept(tasks []observe.Task, room int) []observe.Task {
	at := map[string]int{}
	for i, t := range tasks {
		at[t.Name] = i
	}
	keep := make([]bool, len(tasks))
	take := func(i, least int) {
		need, add := 0, []int{}
		for ok := true; ok && !keep[i]; i, ok = at[tasks[i].Parent] {
			need += cost(tasks[i])
			add = append(add, i)
			if tasks[i].Parent == "" {
				break
			}
		}
		if room-need < least {
			return
		}
		room -= need
		for _, i := range add {
			keep[i] = true
		}
	}
	half := room / 2 // for others than those that failed
	for _, first := range []struct {
		least  int
		wanted func(observe.Task) bool
	}{
		{half, failedItself},
		{0, func(t observe.Task) bool { return !t.State.Ended() }},
		{0, func(observe.Task) bool { return true }},
	} {
		for i, t := range tasks {
			if !keep[i] && first.wanted(t) {
				take(i, first.least)
			}
		}
	}
	var list []observe.Task
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
