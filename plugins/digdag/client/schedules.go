package client

import (
	"context"
	"iter"
	"net/http"
	"time"
)

// ScheduleFilter says which schedules.
type ScheduleFilter struct {
	// Project is a project's id, "" for all.
	Project ID
	// Workflow is a workflow's exact name; it needs Project. A workflow without a
	// schedule gives none, and no error.
	Workflow string
	// After leaves out all up to this id, "" for none.
	After ID
}

// Schedules are schedules by id, ascending, 100 a page
// (GET /api/schedules, GET /api/projects/{id}/schedules).
func (c *Client) Schedules(ctx context.Context, f ScheduleFilter) iter.Seq2[Schedule, error] {
	p := paged[Schedule]{
		call: read("/api/schedules"), name: "schedules", id: func(s Schedule) ID { return s.ID }, size: defaultPage,
	}
	if err := p.of(c, f.Project, f.Workflow); err != nil {
		return failed[Schedule](err)
	}
	if p.after = f.After; p.after != "" {
		if err := c.ids(p.call, p.after); err != nil {
			return failed[Schedule](err)
		}
	}
	return all(ctx, c, p)
}

// Schedule is a schedule by id (GET /api/schedules/{id}).
func (c *Client) Schedule(ctx context.Context, id ID) (Schedule, error) {
	q := read("/api/schedules/" + string(id))
	if err := c.ids(q, id); err != nil {
		return Schedule{}, err
	}
	return get[Schedule](ctx, c, q)
}

// Disable stops a schedule until it is enabled
// (POST /api/schedules/{id}/disable).
func (c *Client) Disable(ctx context.Context, id ID) (Schedule, error) {
	return change[Schedule](ctx, c, id, "disable", struct{}{}, false)
}

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
	body := struct {
		SkipSchedule bool   `json:"skipSchedule"`
		NextTime     string `json:"nextTime,omitempty"`
	}{r.Skip, optional(r.SkipTo)}
	if !r.Skip && body.NextTime != "" {
		return Schedule{}, c.rest.Refuse(changing(id, "enable"), "a time to skip to is given, and not to skip")
	}
	return change[Schedule](ctx, c, id, "enable", body, false)
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
	body := struct {
		NextTime    string `json:"nextTime,omitempty"`
		Count       int    `json:"count,omitempty"`
		FromTime    string `json:"fromTime,omitempty"`
		NextRunTime string `json:"nextRunTime,omitempty"`
		DryRun      bool   `json:"dryRun"` // without it the server refuses
	}{optional(r.NextTime), r.Count, optional(r.FromTime), optional(r.NextRunTime), r.DryRun}
	if (body.NextTime == "") == (r.Count <= 0 || body.FromTime == "") {
		return Schedule{}, c.rest.Refuse(changing(id, "skip"), "want either a next time, or a count above 0 and a time to count from")
	}
	return change[Schedule](ctx, c, id, "skip", body, !r.DryRun)
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
	body := struct {
		FromTime    string `json:"fromTime"`
		AttemptName string `json:"attemptName"`
		Count       int    `json:"count,omitempty"`
		DryRun      bool   `json:"dryRun"`
	}{optional(r.FromTime), r.AttemptName, r.Count, r.DryRun}
	switch {
	case body.FromTime == "":
		return Backfilled{}, c.rest.Refuse(changing(id, "backfill"), "no time to begin with is given")
	case r.AttemptName == "":
		return Backfilled{}, c.rest.Refuse(changing(id, "backfill"), "no attempt name is given")
	case r.Count < 0:
		return Backfilled{}, c.rest.Refuse(changing(id, "backfill"), "a count of %d", r.Count)
	}
	return change[Backfilled](ctx, c, id, "backfill", body, !r.DryRun)
}

func changing(id ID, verb string) call {
	return call{Method: http.MethodPost, Path: "/api/schedules/" + string(id) + "/" + verb}
}

// change posts to a schedule; once says that doing it twice is not as good as once.
func change[T any, P shape[T]](ctx context.Context, c *Client, id ID, verb string, body any, once bool) (T, error) {
	q := changing(id, verb)
	if err := c.ids(q, id); err != nil {
		var none T
		return none, err
	}
	q.Body, q.Once = body, once
	return get[T, P](ctx, c, q)
}

func optional(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return instant(t)
}
