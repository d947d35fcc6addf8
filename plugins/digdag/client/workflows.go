package client

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"time"
)

// AllWorkflows are the workflows of all projects in their newest revisions, with
// their config, by id, ascending (GET /api/workflows).
func (c *Client) AllWorkflows(ctx context.Context) iter.Seq2[Workflow, error] {
	return all(ctx, c, paged[Workflow]{
		call: read("/api/workflows"), name: "workflows", id: func(w Workflow) ID { return w.ID }, size: bigPage, param: "count",
	})
}

// Workflows are those of a project's newest revision, or of the named one; the
// answer has no pages (GET /api/projects/{id}/workflows).
func (c *Client) Workflows(ctx context.Context, project ID, revision string) ([]Workflow, error) {
	q := read("/api/projects/" + string(project) + "/workflows")
	if err := c.ids(q, project); err != nil {
		return nil, err
	}
	if revision != "" {
		q.Query = url.Values{"revision": {revision}}
	}
	return listed[Workflow](ctx, c, q, "workflows")
}

// Workflow is a workflow by the id of its definition, of whatever revision
// (GET /api/workflows/{id}).
func (c *Client) Workflow(ctx context.Context, id ID) (Workflow, error) {
	q := read("/api/workflows/" + string(id))
	if err := c.ids(q, id); err != nil {
		return Workflow{}, err
	}
	return get[Workflow](ctx, c, q)
}

// WorkflowNamed is a workflow of a project's newest revision by its exact name. A
// name that there is not is CodeNotFound with Near
// (GET /api/projects/{id}/workflows?name=).
func (c *Client) WorkflowNamed(ctx context.Context, project Project, name string) (Workflow, error) {
	q := read("/api/projects/" + string(project.ID) + "/workflows")
	if err := c.ids(q, project.ID); err != nil {
		return Workflow{}, err
	}
	q.Query = url.Values{"name": {name}}
	found, err := listed[Workflow](ctx, c, q, "workflows")
	if err != nil {
		return Workflow{}, err
	}
	if len(found) > 0 {
		return found[0], nil
	}
	// The names only help: without them the answer is the same.
	others, err := c.Workflows(ctx, project.ID, "")
	if err != nil && ctx.Err() != nil {
		return Workflow{}, context.Cause(ctx)
	}
	var names []string
	for _, w := range others {
		names = append(names, w.Name)
	}
	return Workflow{}, c.rest.Missing(fmt.Sprintf("workflow %q in project %s", name, project.Name), Near(name, names))
}

// Truncate is what a session time is cut down to.
type Truncate string

// What the server can cut down to, in the workflow's zone. It refuses second and
// minute, which its documentation names.
const (
	// TruncateNot leaves the time as it is.
	TruncateNot  Truncate = ""
	TruncateHour Truncate = "hour"
	TruncateDay  Truncate = "day"
	// TruncateSchedule is the schedule's first time at or after the given one; a
	// workflow without a schedule is CodeBadRequest.
	TruncateSchedule Truncate = "schedule"
	// TruncateNextSchedule is the schedule's first time after the given one.
	TruncateNextSchedule Truncate = "next_schedule"
)

// TruncatedSessionTime asks the server what a time is for a workflow: cut down as
// the mode says, and in the workflow's zone
// (GET /api/workflows/{id}/truncated_session_time).
func (c *Client) TruncatedSessionTime(ctx context.Context, workflow ID, at time.Time, mode Truncate) (SessionTime, error) {
	return c.truncated(ctx, workflow, instant(at), mode)
}

// LocalSessionTime is TruncatedSessionTime of what a clock in the workflow's zone
// shows: the zone of at is ignored. A time that the clock skips (DST begins) is
// taken on by as much as it skips, of one that it shows twice the first counts.
func (c *Client) LocalSessionTime(ctx context.Context, workflow ID, at time.Time, mode Truncate) (SessionTime, error) {
	return c.truncated(ctx, workflow, at.Format("2006-01-02T15:04:05"), mode)
}

func (c *Client) truncated(ctx context.Context, workflow ID, at string, mode Truncate) (SessionTime, error) {
	q := read("/api/workflows/" + string(workflow) + "/truncated_session_time")
	if err := c.ids(q, workflow); err != nil {
		return SessionTime{}, err
	}
	q.Query = url.Values{"session_time": {at}}
	if mode != TruncateNot {
		q.Query.Set("mode", string(mode))
	}
	return get[SessionTime](ctx, c, q)
}

// instant writes a moment as requests have it. Digdag drops what is below a second.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
