package client

import (
	"context"
	"iter"
	"time"
)

// ScheduleFilter says which schedules.
type ScheduleFilter struct {
	// Project is a project's id, "" for all.
	Project ID
	// Workflow is a workflow's exact name; it needs Project. A workflow without a
	// schedule gives none, and no error.
	Workflow string
}

// Schedules are schedules by id, ascending, 100 a page
// (GET /api/schedules, GET /api/projects/{id}/schedules).
func (c *Client) Schedules(ctx context.Context, f ScheduleFilter) iter.Seq2[Schedule, error] {
	return func(yield func(Schedule, error) bool) { yield(Schedule{}, errLater) }
}

// Schedule is a schedule by id (GET /api/schedules/{id}).
func (c *Client) Schedule(ctx context.Context, id ID) (Schedule, error) { return Schedule{}, errLater }

// Disable stops a schedule until it is enabled
// (POST /api/schedules/{id}/disable).
func (c *Client) Disable(ctx context.Context, id ID) (Schedule, error) { return Schedule{}, errLater }

// EnableRequest says what becomes of the sessions that were missed.
type EnableRequest struct {
	// Skip leaves out the sessions before SkipTo. Without it all that were missed
	// start at once.
	Skip bool
	// SkipTo is the zero time for now.
	SkipTo time.Time
}

// Enable lets a disabled schedule go on (POST /api/schedules/{id}/enable).
func (c *Client) Enable(ctx context.Context, id ID, r EnableRequest) (Schedule, error) {
	return Schedule{}, errLater
}

// SkipRequest says which sessions are left out: those before NextTime, or Count
// of them counted from FromTime.
type SkipRequest struct {
	// NextTime is the session time to go on with; zero if Count says it.
	NextTime time.Time
	Count    int
	FromTime time.Time
	// NextRunTime is when that session starts; zero for when the schedule says.
	NextRunTime time.Time
	// DryRun changes nothing and answers as if.
	DryRun bool
}

// Skip leaves sessions out, of which no trace remains. A time that would take the
// schedule back is CodeConflict (POST /api/schedules/{id}/skip).
func (c *Client) Skip(ctx context.Context, id ID, r SkipRequest) (Schedule, error) {
	return Schedule{}, errLater
}

// BackfillRequest asks for sessions of the past.
type BackfillRequest struct {
	// FromTime is the first session time.
	FromTime time.Time
	// AttemptName tells these attempts from others of the same sessions: a session
	// that has one of this name makes it CodeConflict, and nothing starts.
	AttemptName string
	// Count is how many; 0 is all until the schedule's next one.
	Count int
	// DryRun starts nothing and answers as if; the attempts have no ids then.
	DryRun bool
}

// Backfilled is the answer to Backfill (RestScheduleAttemptCollection).
type Backfilled struct {
	ID       ID        `json:"id"` // of the schedule
	Project  Ref       `json:"project"`
	Workflow Ref       `json:"workflow"`
	Attempts []Attempt `json:"attempts"`
}

// Backfill starts sessions of the past, one after another: those that wait have no
// tasks yet and cannot be killed (POST /api/schedules/{id}/backfill).
func (c *Client) Backfill(ctx context.Context, id ID, r BackfillRequest) (Backfilled, error) {
	return Backfilled{}, errLater
}
