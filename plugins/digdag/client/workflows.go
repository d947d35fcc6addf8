package client

import (
	"context"
	"iter"
	"time"
)

// AllWorkflows are the workflows of all projects in their newest revisions, with
// their config, by id, ascending (GET /api/workflows).
func (c *Client) AllWorkflows(ctx context.Context) iter.Seq2[Workflow, error] {
	return func(yield func(Workflow, error) bool) { yield(Workflow{}, errLater) }
}

// Workflows are those of a project's newest revision, or of the named one; the
// answer has no pages (GET /api/projects/{id}/workflows).
func (c *Client) Workflows(ctx context.Context, project ID, revision string) ([]Workflow, error) {
	return nil, errLater
}

// Workflow is a workflow by the id of its definition, of whatever revision
// (GET /api/workflows/{id}).
func (c *Client) Workflow(ctx context.Context, id ID) (Workflow, error) { return Workflow{}, errLater }

// WorkflowNamed is a workflow of a project's newest revision by its exact name. A
// name that there is not is CodeNotFound with Near
// (GET /api/projects/{id}/workflows?name=).
func (c *Client) WorkflowNamed(ctx context.Context, project Project, name string) (Workflow, error) {
	return Workflow{}, errLater
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
	return SessionTime{}, errLater
}

// LocalSessionTime is TruncatedSessionTime of what a clock in the workflow's zone
// shows: the zone of at is ignored. A time that the clock skips (DST begins) is
// taken on by as much as it skips, of one that it shows twice the first counts.
func (c *Client) LocalSessionTime(ctx context.Context, workflow ID, at time.Time, mode Truncate) (SessionTime, error) {
	return SessionTime{}, errLater
}
