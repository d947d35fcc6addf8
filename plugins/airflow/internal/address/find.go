package address

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a machine may have none, and what is today is the DAG's to say

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

// Missing says that what an address names is not there.
type Missing struct {
	// What is dag, run, task or index, a mapped task's.
	What string
	// Near are ids that were perhaps meant, the nearest first.
	Near []string
	// Err says it in one line, Near included. It is the server's own *client.Error
	// where that says it.
	Err error
}

func (m *Missing) Error() string { return m.Err.Error() }

func (m *Missing) Unwrap() error { return m.Err }

func missing(what string, near []string, format string, args ...any) *Missing {
	text := fmt.Sprintf(format, args...)
	if len(near) > 0 {
		text += "; near: " + strings.Join(near, ", ")
	}
	return &Missing{What: what, Near: near, Err: errors.New(text)}
}

// FindDAG finds the DAG. One request.
func FindDAG(ctx context.Context, c *client.Client, a Address) (client.DAG, error) {
	d, err := c.DAG(ctx, a.DAG)
	return d, lacks("dag", err)
}

// lacks makes a *Missing of the server's word that there is none.
func lacks(what string, err error) error {
	var e *client.Error
	if errors.As(err, &e) && e.Code == client.CodeNotFound {
		return &Missing{What: what, Near: e.Near, Err: err}
	}
	return err
}

// Zone is a DAG's zone, UTC where it tells none that is known here.
func Zone(d client.DAG) *time.Location {
	zone, err := time.LoadLocation(d.Zone)
	if err != nil {
		return time.UTC
	}
	return zone
}

// FindRun finds a run; the latest where the address names none. An id and the latest
// take one request, a time takes three or four.
func FindRun(ctx context.Context, c *client.Client, a Address, now time.Time) (client.DAGRun, error) {
	switch a.Run.Kind {
	case ID:
		r, err := c.Run(ctx, a.DAG, a.Run.ID)
		if err = lacks("run", err); !errors.As(err, new(*Missing)) {
			return r, err
		}
		if _, none := FindDAG(ctx, c, a); errors.As(none, new(*Missing)) {
			return r, none
		}
		return r, err
	case None, Latest:
		page, _, err := c.RunsPage(ctx, client.RunFilter{DAG: a.DAG, Limit: 1})
		if len(page) > 0 || err != nil && !errors.As(lacks("dag", err), new(*Missing)) {
			return first(page), err
		}
		// Only now it matters whether there is such a DAG.
		if _, err := FindDAG(ctx, c, a); err != nil {
			return client.DAGRun{}, err
		}
		return client.DAGRun{}, missing("run", nil, "%s has no run", a.DAG)
	}
	d, err := FindDAG(ctx, c, a)
	if err != nil {
		return client.DAGRun{}, err
	}
	from, to := a.Run.window(Zone(d), now)
	return findAt(ctx, c, a, from, to)
}

// findAt finds the run of the latest time from one to before another: by its logical
// date, or else by when it was to start.
func findAt(ctx context.Context, c *client.Client, a Address, from, to time.Time) (client.DAGRun, error) {
	page, _, err := c.RunsPage(ctx, client.RunFilter{DAG: a.DAG, LogicalFrom: from, LogicalTo: to.Add(-time.Microsecond), Limit: 1})
	if err != nil {
		return client.DAGRun{}, err
	}
	// A proxy may drop what it does not know of a query.
	if len(page) > 0 && !page[0].Logical.Before(from) && page[0].Logical.Before(to) {
		return page[0], nil
	}
	var next []client.DAGRun
	n := 0
	for r, err := range c.Runs(ctx, client.RunFilter{DAG: a.DAG}) {
		if err != nil {
			return client.DAGRun{}, err
		}
		if at := r.RunAfter; !at.Before(from) && at.Before(to) {
			return r, nil
		}
		next = nearest(next, r, from)
		// A page is had anyway, and Airflow 2 lists by logical date, which may be an
		// interval before.
		if n++; n >= aPage && TimeOf(r).Before(from) {
			break
		}
	}
	var near []string
	for _, r := range next {
		near = append(near, r.ID)
	}
	return client.DAGRun{}, missing("run", near, "%s has no run of %s", a.DAG, a.Run)
}

func first(page []client.DAGRun) client.DAGRun {
	if len(page) == 0 {
		return client.DAGRun{}
	}
	return page[0]
}

// aPage is how many runs come at once.
const aPage = 100

// TimeOf is what a run is known by in time: its logical date, or when it was to start.
func TimeOf(r client.DAGRun) time.Time {
	if r.Logical.IsZero() {
		return r.RunAfter
	}
	return r.Logical
}

// nearest keeps the three runs that are nearest to a time.
func nearest(list []client.DAGRun, r client.DAGRun, to time.Time) []client.DAGRun {
	list = append(list, r)
	slices.SortStableFunc(list, func(a, b client.DAGRun) int {
		return cmp.Compare(TimeOf(a).Sub(to).Abs(), TimeOf(b).Sub(to).Abs())
	})
	return list[:min(3, len(list))]
}

// FindTasks are the task instances of a run that an address names: that of the map
// index, or all of the task by their index, which is one for a task that is not mapped.
// A mapped task has one of index -1 until it is known how many there will be.
func FindTasks(r client.DAGRun, tasks []client.TaskInstance, a Address) ([]client.TaskInstance, error) {
	var found []client.TaskInstance
	var names []string
	for _, t := range tasks {
		if t.Task == a.Task {
			found = append(found, t)
		}
		names = append(names, t.Task)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(found) == 0 {
		if len(tasks) == 0 {
			return nil, missing("task", nil, "run %s of %s has no tasks", r.ID, r.DAG)
		}
		return nil, missing("task", client.Near(a.Task, names), "no task %q in run %s of %s", a.Task, r.ID, r.DAG)
	}
	slices.SortFunc(found, func(a, b client.TaskInstance) int { return cmp.Compare(a.MapIndex, b.MapIndex) })
	if !a.Mapped {
		return found, nil
	}
	for _, t := range found {
		if t.MapIndex == a.Index {
			return []client.TaskInstance{t}, nil
		}
	}
	return nil, missing("index", nil, "no %s in run %s of %s: %s", a.TaskName(), r.ID, r.DAG, indexes(found))
}

// FindTask is the one task instance that an address names. Of a mapped task that is
// the one of the index, and without one an error, but for a task of one instance.
func FindTask(r client.DAGRun, tasks []client.TaskInstance, a Address) (client.TaskInstance, error) {
	found, err := FindTasks(r, tasks, a)
	if err != nil {
		return client.TaskInstance{}, err
	}
	if len(found) > 1 {
		return client.TaskInstance{}, missing("index", nil, "%s in run %s of %s is mapped: name one, as %s; %s", a.Task, r.ID, r.DAG, TaskName(a.Task, found[0].MapIndex), indexes(found))
	}
	return found[0], nil
}

// indexes says which map indexes a task has. It has no more than one of index -1.
func indexes(found []client.TaskInstance) string {
	first, last := found[0], found[len(found)-1]
	switch {
	case last.MapIndex >= 0 && first.MapIndex == last.MapIndex:
		return fmt.Sprintf("it has [%d] alone", last.MapIndex)
	case last.MapIndex >= 0:
		return fmt.Sprintf("it has [%d] to [%d]", max(0, first.MapIndex), last.MapIndex)
	case last.State == "":
		return "it is not mapped, or how many there will be is not known yet"
	}
	return "it is not mapped, or was mapped over nothing"
}
