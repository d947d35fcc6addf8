package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
)

// What runs again.
const (
	retryFailed = "failed"
	retryFrom   = "from"
	retryAll    = "all"
)

// plan says what a retry of an attempt asks for, and which tasks run again.
type plan struct {
	resume *client.Resume
	// freed are the full names of tasks, not of groups, by their order.
	freed []string
}

// planRetry decides what Digdag is asked for. It refuses what Digdag would answer with
// an internal error, or with the id of a task (tried on 0.10.5.1; AttemptResource,
// TaskControl.addTasks).
func planRetry(a client.Attempt, tasks []client.Task, mode, from string) (plan, error) {
	switch mode {
	case retryAll:
		return plan{freed: freed(tasks, nil)}, nil
	case retryFrom:
		return planFrom(a, tasks, from)
	}
	done := map[string]int{}
	for _, t := range tasks {
		if t.State == client.TaskSuccess {
			done[t.FullName]++
		}
	}
	for name, n := range done {
		if n > 1 {
			return plan{}, cannotResume(a, name)
		}
	}
	return plan{
		resume: &client.Resume{Attempt: a.ID},
		freed:  freed(tasks, func(t client.Task) bool { return done[t.FullName] > 0 }),
	}, nil
}

// cannotResume is of tasks that a group's retry left twice, over which Digdag stumbles
// (a duplicate key, answered by 500).
func cannotResume(a client.Attempt, name string) error {
	return sdk.Permanent(sdk.Code("cannot_resume", fmt.Errorf("attempt %s of %s has %s more than once, since its group was retried: Digdag cannot take over a part of such an attempt; retry it with mode all", a.ID, sessionAddress(a), name)))
}

func planFrom(a client.Attempt, tasks []client.Task, from string) (plan, error) {
	names := map[string]bool{}
	for _, t := range tasks {
		if names[t.FullName] {
			return plan{}, cannotResume(a, t.FullName)
		}
		names[t.FullName] = true
	}
	start, err := address.FindTask(a, tasks, from)
	if err != nil {
		return plan{}, err
	}
	over := before(tasks, start)
	for _, t := range tasks {
		if over[t.ID] && t.State != client.TaskSuccess {
			return plan{}, sdk.Permanent(sdk.Code("cannot_resume", fmt.Errorf("attempt %s of %s: %s comes before %s and is %s, not success: Digdag cannot take it over; begin with it, or use mode failed", a.ID, sessionAddress(a), t.FullName, start.FullName, t.State)))
		}
	}
	// Digdag takes the end of a name too, and must not find another task by it.
	for _, t := range tasks {
		if t.ID != start.ID && strings.HasSuffix(t.FullName, start.FullName) {
			return plan{}, sdk.Permanent(sdk.Code("cannot_resume", fmt.Errorf("attempt %s of %s: Digdag cannot tell %s from %s", a.ID, sessionAddress(a), start.FullName, t.FullName)))
		}
	}
	return plan{
		resume: &client.Resume{Attempt: a.ID, From: start.FullName},
		freed:  freed(tasks, func(t client.Task) bool { return over[t.ID] }),
	}, nil
}

// before are the tasks that are done before one: the upstreams of it and of its
// groups, and all below those. Its groups themselves are not (TaskTree).
func before(tasks []client.Task, start client.Task) map[client.ID]bool {
	byID := map[client.ID]client.Task{}
	children := map[client.ID][]client.ID{}
	for _, t := range tasks {
		byID[t.ID] = t
		children[t.ParentID] = append(children[t.ParentID], t.ID)
	}
	over := map[client.ID]bool{}
	var take, upstreams func(client.ID)
	take = func(id client.ID) {
		over[id] = true
		for _, child := range children[id] {
			take(child)
		}
	}
	upstreams = func(id client.ID) {
		for _, up := range byID[id].Upstreams {
			if !over[up] {
				take(up)
				upstreams(up)
			}
		}
	}
	for t, ok := start, true; ok; t, ok = byID[t.ParentID] {
		upstreams(t.ID)
	}
	return over
}

// freed are the names of the tasks that are not taken over.
func freed(tasks []client.Task, over func(client.Task) bool) []string {
	names := []string{}
	for _, t := range newest(tasks) {
		if !t.IsGroup && (over == nil || !over(t)) {
			names = append(names, t.FullName)
		}
	}
	return names
}

// merge lays params over those of an attempt, objects member by member, as Digdag's own
// retry does.
func merge(old json.RawMessage, over map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if len(old) > 0 {
		if err := json.Unmarshal(old, &all); err != nil {
			return nil, fmt.Errorf("the attempt's params: %w", err)
		}
	}
	for name, value := range over {
		var inner map[string]json.RawMessage
		if was, ok := all[name]; ok && json.Unmarshal(value, &inner) == nil && inner != nil {
			if both, err := merge(was, inner); err == nil {
				raw, err := json.Marshal(both)
				if err != nil {
					return nil, err
				}
				value = raw
			}
		}
		all[name] = value
	}
	return all, nil
}

// pick are the attempts of a bulk retry, the oldest first: of those that ended since a
// time in one of the states, at most so many. left is how many there are beyond.
func pick(list []client.Attempt, wanted func(client.Attempt) bool, most int) (picked []client.Attempt, left int) {
	for _, a := range list {
		if wanted(a) {
			picked = append(picked, a)
		}
	}
	slices.SortFunc(picked, func(a, b client.Attempt) int { return a.ID.Compare(b.ID) })
	if left = len(picked) - most; left > 0 {
		return picked[:most], left
	}
	return picked, 0
}

var errStillRuns = errors.New("it still runs, and Digdag would run both at once: kill it first, or wait for its end")
