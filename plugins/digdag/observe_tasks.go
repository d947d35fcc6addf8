package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

// mostError is how much of a task's error is reported, in bytes.
const mostError = 4 << 10

// tasksOf are an attempt's tasks as they are reported: each followed by its own, and
// those beside each other as Digdag made them. A retry of a group leaves several of one
// name, of which the newest stands for all. done is the attempt's.
func tasksOf(list []client.Task, done bool) []observe.Task {
	b := branches{children: map[string][]string{}, newest: map[string]client.Task{}, copies: map[string][]client.Task{}, done: done}
	names := map[client.ID]string{}
	for _, t := range list {
		names[t.ID] = t.FullName
	}
	sorted := slices.SortedFunc(slices.Values(list), func(a, b client.Task) int { return a.ID.Compare(b.ID) })
	for _, t := range sorted {
		if len(b.copies[t.FullName]) == 0 {
			parent := names[t.ParentID]
			b.children[parent] = append(b.children[parent], t.FullName)
		}
		b.newest[t.FullName] = t
		b.copies[t.FullName] = append(b.copies[t.FullName], t)
	}
	out := make([]observe.Task, 0, len(b.newest))
	for _, root := range b.children[""] {
		out, _ = b.add(out, root, "")
	}
	return out
}

// branches are tasks by their full names.
type branches struct {
	children map[string][]string
	newest   map[string]client.Task
	copies   map[string][]client.Task
	done     bool
}

// add adds a task and all below it, and gives the first start among them.
func (b branches) add(out []observe.Task, name, parent string) (_ []observe.Task, started time.Time) {
	t := b.newest[name]
	at := len(out)
	out = append(out, observe.Task{
		Name: name, Parent: parent, Group: t.IsGroup || len(b.children[name]) > 0,
		State: taskState(t, b.done), Word: string(t.State), Type: operator(t.Config),
		RetryAt: t.RetryAt, Error: clip(t.Error.Message, mostError),
	})
	for _, c := range b.copies[name] {
		started = earlier(started, c.StartedAt)
	}
	for _, child := range b.children[name] {
		var first time.Time
		out, first = b.add(out, child, name)
		started = earlier(started, first)
	}
	one := &out[at]
	one.Started = started
	if t.State.Done() && (!started.IsZero() || t.State != client.TaskCanceled) {
		one.Ended = t.UpdatedAt
	}
	if !started.IsZero() {
		one.Tries = b.tries(name)
	}
	return out, started
}

// tries counts how often a task was begun: Digdag counts retries of one task in its
// state, those of its group make copies of it.
func (b branches) tries(name string) (n int) {
	for _, t := range b.copies[name] {
		if t.StartedAt.IsZero() && !t.IsGroup {
			continue
		}
		var state struct {
			Retries json.Number `json:"retry_count"`
		}
		retries := int64(0)
		if json.Unmarshal(t.StateParams, &state) == nil {
			retries, _ = state.Retries.Int64()
		}
		if t.State == client.TaskRetryWaiting || t.State == client.TaskGroupRetryWaiting {
			retries = max(0, retries-1) // the next is counted already
		}
		n += 1 + int(retries)
	}
	return n
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func taskState(t client.Task, done bool) observe.State {
	switch t.State {
	case client.TaskSuccess:
		return observe.Success
	case client.TaskFailed, client.TaskGroupError:
		return observe.Failed
	case client.TaskCanceled:
		return observe.Cancelled
	}
	waits := t.State == client.TaskBlocked || t.State == client.TaskReady
	switch {
	case done, waits && t.CancelRequested:
		return observe.Skipped // it stays so for good
	case t.CancelRequested:
		return observe.Cancelling
	case waits:
		return observe.Queued
	}
	return observe.Running
}

// operator is what a task does, such as sh>; "" for a group.
func operator(config json.RawMessage) string {
	var fields map[string]json.RawMessage
	if json.Unmarshal(config, &fields) != nil {
		return ""
	}
	var found []string
	for key := range fields {
		if strings.HasSuffix(key, ">") {
			found = append(found, key)
		}
	}
	if len(found) > 0 {
		return slices.Min(found)
	}
	var kind string // of those that Digdag makes itself
	if json.Unmarshal(fields["_type"], &kind) == nil && kind != "" {
		return kind + ">"
	}
	return ""
}

// clip cuts text to so many bytes, between characters.
func clip(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}

// withTasks puts an attempt's tasks into its run, and what only they tell: since when
// it really runs, and that none of it does.
func withTasks(run observe.Run, tasks []observe.Task) observe.Run {
	run.Tasks = tasks
	for _, t := range tasks {
		run.Started = earlier(run.Started, t.Started)
	}
	if run.State == observe.Running || run.State == observe.Queued {
		run.State = observe.Running
		if run.Started.IsZero() {
			run.State = observe.Queued
		}
	}
	return run
}

// failedItself reports whether a task failed, and not only one below it. One that has
// failed and whose _error work is under way is planned, with its error.
func failedItself(t observe.Task) bool {
	if t.Word == string(client.TaskGroupError) {
		return false
	}
	return t.State == observe.Failed || t.Error != "" && !t.State.Ended()
}

// tailed is the task whose log tells most: the first that failed, else the one that
// runs longest; "" if nothing failed or runs.
func tailed(tasks []observe.Task) string {
	var failed, running []observe.Task
	for _, t := range tasks {
		switch {
		case t.Started.IsZero():
		case failedItself(t):
			failed = append(failed, t)
		case !t.State.Ended() && !t.Group:
			running = append(running, t)
		}
	}
	byStart := func(a, b observe.Task) int { return a.Started.Compare(b.Started) }
	byEnd := func(a, b observe.Task) int { return cmp.Or(a.Ended.Compare(b.Ended), byStart(a, b)) }
	switch {
	case len(failed) > 0:
		return slices.MinFunc(failed, byEnd).Name
	case len(running) > 0:
		return slices.MinFunc(running, byStart).Name
	}
	return ""
}
