package main

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
)

// verdict is what is to be made of an attempt, a task or a workflow that is waited for.
type verdict int

const (
	pending verdict = iota
	succeeded
	failed
	absent // there is no such task, and there will be none
)

// judgeTask judges the task of a name, which is as in an address, in an attempt. why is
// of a failure, in words that follow the task's name.
func judgeTask(a client.Attempt, tasks []client.Task, name string) (v verdict, t client.Task, why string) {
	t, err := address.FindTask(a, tasks, name)
	if err != nil {
		// What an operator makes, ^sub and its kind, comes later; all else is there from
		// the start, but for an attempt of a backfill that waits its turn.
		if !a.Done && (len(tasks) == 0 || strings.Contains(name, "^")) {
			return pending, t, ""
		}
		// It was never made; a retry may make it.
		if a.Done && a.State() != client.Success && strings.Contains(name, "^") {
			return failed, t, didNotRun(a, tasks)
		}
		return absent, t, err.Error()
	}
	switch t.State {
	case client.TaskSuccess:
		return succeeded, t, ""
	case client.TaskCanceled:
		return failed, t, "was cancelled"
	case client.TaskFailed, client.TaskGroupError:
		if !a.Done && groupMayRetry(tasks, t) {
			return pending, t, ""
		}
		why = "failed"
		if t.Error.Message != "" {
			why += ": " + oneLine(t.Error.Message, 300)
		} else if below := whyFailed(below(tasks, t)); below != "" {
			why += ": " + below
		}
		return failed, t, why
	}
	if a.Done {
		return failed, t, didNotRun(a, tasks)
	}
	return pending, t, ""
}

func didNotRun(a client.Attempt, tasks []client.Task) string {
	why := "did not run: the attempt ended as " + string(a.State())
	if others := whyFailed(tasks); others != "" {
		why += ": " + others
	}
	return why
}

// groupMayRetry reports whether a group around a failed task may run all of it once
// more, under the same name.
func groupMayRetry(tasks []client.Task, t client.Task) bool {
	byID := map[client.ID]client.Task{}
	for _, x := range tasks {
		byID[x.ID] = x
	}
	for parent, ok := byID[t.ParentID]; ok; parent, ok = byID[parent.ParentID] {
		var config struct {
			Retry json.RawMessage `json:"_retry"`
		}
		if !parent.State.Done() && json.Unmarshal(parent.Config, &config) == nil && config.Retry != nil {
			return true
		}
	}
	return false
}

// below are the tasks of a group, whatever their depth.
func below(tasks []client.Task, group client.Task) []client.Task {
	var list []client.Task
	for _, t := range tasks {
		if rest, ok := strings.CutPrefix(t.FullName, group.FullName); ok && rest != "" && strings.ContainsAny(rest[:1], "+^") {
			list = append(list, t)
		}
	}
	return list
}

// judgeSince judges a workflow of which a success is wanted, by its candidates, the
// newest first. attempt is the one that decided it, or the newest of the open ones: as
// long as there are any, they may succeed.
func judgeSince(counted []client.Attempt) (v verdict, attempt client.Attempt) {
	for _, a := range counted {
		switch {
		case a.State() == client.Success:
			return succeeded, a
		case !a.Done && attempt.ID == "":
			attempt = a
		}
	}
	if attempt.ID == "" && len(counted) > 0 {
		return failed, counted[0]
	}
	return pending, attempt
}

// candidates are the attempts that are open or ended at since or later, the newest
// first.
func candidates(attempts []client.Attempt, since time.Time) []client.Attempt {
	var list []client.Attempt
	for _, a := range attempts {
		if !a.Done || !a.FinishedAt.Before(since) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b client.Attempt) int { return b.ID.Compare(a.ID) })
	return list
}

// usual is the median time that a workflow's sessions took to succeed, 0 if none did.
// How long an attempt waited in a backfill is part of it.
func usual(sessions []client.Session) time.Duration {
	var took []time.Duration
	for _, s := range sessions {
		if a := s.LastAttempt; a.Success && !a.FinishedAt.IsZero() {
			took = append(took, a.FinishedAt.Sub(a.CreatedAt))
		}
	}
	return median(took)
}

func median(list []time.Duration) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[len(list)/2]
}
