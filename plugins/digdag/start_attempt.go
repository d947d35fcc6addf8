package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

// attemptRun is an attempt as all engines' runs are told. Its params may hold secrets,
// and are left out.
func attemptRun(c *client.Client, a client.Attempt) observe.Run {
	return runOf(a, originOf(a), c.Endpoint())
}

// sessionAddress is how the verbs name the session of an attempt.
func sessionAddress(a client.Attempt) string {
	return address.Address{
		Project: a.Project.Name, Workflow: a.Workflow.Name,
		Session: address.Session{Kind: address.Instant, Time: a.SessionTime},
	}.String()
}

// taskNamed is a task of an attempt, as all engines' tasks are told. done is the
// attempt's.
func taskNamed(tasks []client.Task, done bool, fullName string) observe.Task {
	for _, t := range tasksOf(tasks, done) {
		if t.Name == fullName {
			return t
		}
	}
	return observe.Task{Name: fullName}
}

// newest are the tasks that count, by id: after a retry of a group the later one of a
// name.
func newest(tasks []client.Task) []client.Task {
	last := map[string]client.Task{}
	for _, t := range tasks {
		if was, ok := last[t.FullName]; !ok || t.ID.Compare(was.ID) > 0 {
			last[t.FullName] = t
		}
	}
	list := make([]client.Task, 0, len(last))
	for _, t := range last {
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b client.Task) int { return a.ID.Compare(b.ID) })
	return list
}

// whyFailed are the tasks that failed by themselves, with what they say, in one line.
func whyFailed(tasks []client.Task) string {
	var list []string
	for _, t := range newest(tasks) {
		if t.State != client.TaskFailed || strings.Contains(t.FullName, "^failure-alert") {
			continue
		}
		if len(list) == 3 {
			list = append(list, "…")
			break
		}
		list = append(list, t.FullName+": "+oneLine(t.Error.Message, 300))
	}
	return strings.Join(list, "; ")
}

// oneLine cuts a text to its first bytes and to one line.
func oneLine(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}

// ended is nil for an attempt that succeeded, and else the failure of it.
func ended(ctx context.Context, c *client.Client, a client.Attempt) error {
	state := a.State()
	if state == client.Success {
		return nil
	}
	text := fmt.Sprintf("attempt %s of %s ended as %s", a.ID, sessionAddress(a), state)
	if tasks, err := c.Tasks(ctx, a.ID); err == nil { // it failed, whether or not the reason can be had
		if why := whyFailed(tasks); why != "" {
			text += ": " + why
		}
	}
	if state == client.Killed {
		return sdk.Code("attempt_killed", errors.New(text))
	}
	return sdk.Code("attempt_failed", errors.New(text))
}
