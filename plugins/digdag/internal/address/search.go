package address

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

// early is how long before its session time a session may be made and still be found
// by that time. Schedules make them after it; somebody who starts one ahead finds it
// by its id.
const early = 8 * 24 * time.Hour

// want is which session is looked for: any, or the newest from start to before end.
type want struct {
	kind       Kind
	start, end time.Time
}

func (w want) has(at time.Time) bool {
	return w.kind == Latest || !at.Before(w.start) && at.Before(w.end)
}

// wanted makes the times of an address. Where a day ends the server says: days have 23
// to 25 hours.
func wanted(ctx context.Context, c *client.Client, p client.Project, a Address, now time.Time) (want, error) {
	s := a.Session
	switch s.Kind {
	case None, Latest:
		return want{kind: Latest}, nil
	case Instant:
		return want{Instant, s.Time, s.Time.Add(time.Second)}, nil
	}
	w, err := c.WorkflowNamed(ctx, p, a.Workflow)
	if err != nil {
		return want{}, lacks("workflow", err)
	}
	start, err := FindTime(ctx, c, w, s, now)
	if err != nil || s.Kind == Local {
		return want{Local, start, start.Add(time.Second)}, err
	}
	y, m, d := start.Date()
	next, err := c.LocalSessionTime(ctx, w.ID, time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC), client.TruncateNot)
	return want{s.Kind, start, next.SessionTime}, err
}

// search goes through the sessions from the newest on, until there is one or all that
// follow are too old. Without one it gives the times next to the wanted.
func search(ctx context.Context, c *client.Client, f client.SessionFilter, w want) (found client.Session, near []string, err error) {
	if w.kind == Latest {
		f.PageSize = 1
		page, err := c.SessionsPage(ctx, f)
		if len(page) > 0 {
			found = page[0]
		}
		return found, nil, err
	}
	var next []time.Time
	for s, err := range c.Sessions(ctx, f) {
		if err != nil {
			return client.Session{}, nil, err
		}
		if w.has(s.SessionTime) {
			return s, nil, nil
		}
		next = nearest(next, s.SessionTime, w.start)
		// A session is no younger than its last attempt, and those that follow were made
		// before it.
		if s.LastAttempt.CreatedAt.Before(w.start.Add(-early)) {
			break
		}
	}
	for _, at := range next {
		near = append(near, at.Format(time.RFC3339))
	}
	return found, near, nil
}

// nearest keeps the three times that are nearest to one.
func nearest(list []time.Time, at, to time.Time) []time.Time {
	list = append(list, at)
	slices.SortStableFunc(list, func(a, b time.Time) int {
		return int(min(1, max(-1, a.Sub(to).Abs()-b.Sub(to).Abs())))
	})
	return list[:min(3, len(list))]
}

// byNumber takes a number for an attempt's id, as Digdag's own commands do, and for a
// session's only where no attempt of the workflow has it.
func byNumber(ctx context.Context, c *client.Client, a Address) (client.Attempt, error) {
	id := client.ID(a.Session.ID)
	of := func(project, workflow client.Ref) bool {
		return project.Name == a.Project && workflow.Name == a.Workflow
	}
	attempt, err := c.Attempt(ctx, id)
	switch {
	case err == nil && of(attempt.Project, attempt.Workflow):
		return attempt, nil
	case err != nil && !isMissing(err):
		return client.Attempt{}, err
	}
	s, sessionErr := c.Session(ctx, id)
	switch {
	case sessionErr == nil && of(s.Project, s.Workflow):
		attempt, err := c.Attempt(ctx, s.LastAttempt.ID)
		return attempt, lacks("attempt", err)
	case sessionErr != nil && !isMissing(sessionErr):
		return client.Attempt{}, sessionErr
	case err == nil:
		return client.Attempt{}, missing("attempt", nil, "attempt %s is of %s/%s, not of %s/%s", id, attempt.Project.Name, attempt.Workflow.Name, a.Project, a.Workflow)
	}
	return client.Attempt{}, missing("attempt", nil, "no attempt and no session of %s/%s has the id %s", a.Project, a.Workflow, id)
}

func isMissing(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Code == client.CodeNotFound
}
