package main

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk/observe"
)

// tasksOf are a run's task instances as they are reported: in the order of their DAG
// where that is given, else by start. done is the run's.
func tasksOf(list []client.TaskInstance, order []client.TaskDef, done bool) []observe.Task {
	place := map[string]int{}
	for i, d := range order {
		place[d.ID] = i - len(order)
	}
	sorted := slices.SortedFunc(slices.Values(list), func(a, b client.TaskInstance) int {
		first := cmp.Compare(place[a.Task], place[b.Task])
		if len(order) == 0 {
			first = startsBefore(begun(a), begun(b))
		}
		return cmp.Or(first, cmp.Compare(a.Task, b.Task), cmp.Compare(a.MapIndex, b.MapIndex))
	})
	tasks := make([]observe.Task, 0, len(list))
	for _, t := range sorted {
		tasks = append(tasks, taskOf(t, done))
	}
	return tasks
}

// startsBefore orders by time, those without one last.
func startsBefore(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		if a.IsZero() {
			return 1
		}
		return -1
	}
	return a.Compare(b)
}

// taskOf is a task instance as it is reported.
func taskOf(t client.TaskInstance, done bool) observe.Task {
	one := observe.Task{
		Name: address.TaskName(t.Task, t.MapIndex), State: taskState(t, done), Word: cmp.Or(t.State, "none"),
		Type: t.Operator, Started: begun(t), Tries: tries(t),
	}
	if t.Over() && !one.Started.IsZero() {
		one.Ended = t.End
	}
	return one
}

// isQueued reports whether a task instance is before a start.
func isQueued(t client.TaskInstance) bool {
	return t.State == "" || t.State == "scheduled" || t.State == "queued"
}

// resumed reports whether a task instance is before a start that goes on with its last
// try: a sensor that reschedules itself, or one whose trigger has fired. From its second
// try on the first of them looks like a retry, and is taken for that.
func resumed(t client.TaskInstance) bool {
	return isQueued(t) && t.State != "" && !t.Start.IsZero() && (t.Try == 1 || t.End.IsZero())
}

// waits reports whether no try of a task instance is under way, and one will be: what
// it has of times is of a try before.
func waits(t client.TaskInstance) bool { return isQueued(t) && !resumed(t) }

// begun is when its last try began.
func begun(t client.TaskInstance) time.Time {
	if waits(t) {
		return time.Time{}
	}
	return t.Start
}

// tries is how many of its tries began. Airflow counts one when it schedules it.
func tries(t client.TaskInstance) int {
	if waits(t) && t.State != "" {
		return max(0, t.Try-1)
	}
	return t.Try
}

// taskState is what Airflow's word means. done is the run's: what has not begun by
// then will not, nor go on.
func taskState(t client.TaskInstance, done bool) observe.State {
	switch t.State {
	case "success":
		return observe.Success
	case "failed":
		return observe.Failed
	case "skipped", "upstream_failed", "removed":
		return observe.Skipped
	}
	switch {
	case done && (isQueued(t) || begun(t).IsZero()):
		return observe.Skipped
	case isQueued(t):
		return observe.Queued
	}
	return observe.Running
}

// tailed is the task instance whose log tells most: the first that failed, else one
// that failed and waits for its next try, else the one that runs longest.
func tailed(list []client.TaskInstance) (_ client.TaskInstance, ok bool) {
	var failed, again, running []client.TaskInstance
	for _, t := range list {
		switch {
		case begun(t).IsZero() || t.Try == 0:
		case t.State == "failed":
			failed = append(failed, t)
		case t.State == "up_for_retry":
			again = append(again, t)
		case !t.Over():
			running = append(running, t)
		}
	}
	byEnd := func(a, b client.TaskInstance) int { return cmp.Or(a.End.Compare(b.End), a.Start.Compare(b.Start)) }
	byStart := func(a, b client.TaskInstance) int { return a.Start.Compare(b.Start) }
	switch {
	case len(failed) > 0:
		return slices.MinFunc(failed, byEnd), true
	case len(again) > 0:
		return slices.MinFunc(again, byEnd), true
	case len(running) > 0:
		return slices.MinFunc(running, byStart), true
	}
	return client.TaskInstance{}, false
}

const (
	// tailLines is how many lines of a log are reported.
	tailLines = 20
	// mostLine is how much of one of them is, in bytes.
	mostLine = 1 << 10
)

// tail is the end of a log, without what Airflow puts around what a task says.
func tail(lines []client.LogLine) string {
	var text []string
	for _, l := range body(lines) {
		text = append(text, strings.Split(strings.TrimRight(l.Text, "\n"), "\n")...)
	}
	text = withoutFrames(text)
	text = text[max(0, len(text)-tailLines):]
	for i := range text {
		text[i] = clip(text[i], mostLine)
	}
	return strings.Join(text, "\n")
}

// body is a log without the lines that tell where it was read, which differ from one
// reading to the next, and without the marks of folds.
func body(lines []client.LogLine) []client.LogLine {
	kept := make([]client.LogLine, 0, len(lines))
	head := false
	for i, l := range lines {
		switch {
		case strings.Contains(l.Text, "::group::Log message source details"):
			if len(kept) == i && i == 1 { // Airflow 2 names the host before it
				kept = kept[:0]
			}
			head = true
		case head:
			head = !strings.Contains(l.Text, "::endgroup::")
		case strings.HasPrefix(l.Text, "::group::"), strings.HasPrefix(l.Text, "::endgroup::"):
		default:
			kept = append(kept, l)
		}
	}
	return kept
}

// withoutFrames leaves out of Python's tracebacks what stands in Airflow itself, or
// in what it runs on: it says nothing of the task, and is longer than what is
// reported.
func withoutFrames(lines []string) []string {
	var kept []string
	inside := false
	for _, l := range lines {
		switch {
		case strings.HasPrefix(l, `  File "`):
			inside = strings.Contains(l, "-packages/") || strings.Contains(l, "<frozen ")
		case !strings.HasPrefix(l, "    "):
			inside = false
		}
		if !inside {
			kept = append(kept, l)
		}
	}
	return kept
}

// clip cuts text to so many bytes, between characters.
func clip(text string, most int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + " …"
}
