package address

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

// Missing says that what an address names is not there.
type Missing struct {
	// What is project, workflow, session, attempt or task.
	What string
	// Near are names, times or ids that were perhaps meant, the nearest first.
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

// lacks makes a *Missing of the server's word that there is none.
func lacks(what string, err error) error {
	var e *client.Error
	if errors.As(err, &e) && e.Code == client.CodeNotFound {
		return &Missing{What: what, Near: e.Near, Err: err}
	}
	return err
}

// FindWorkflow finds the project and the workflow in its newest revision: what a
// start needs. Two requests.
func FindWorkflow(ctx context.Context, c *client.Client, a Address) (client.Project, client.Workflow, error) {
	p, err := c.ProjectNamed(ctx, a.Project)
	if err != nil {
		return p, client.Workflow{}, lacks("project", err)
	}
	w, err := c.WorkflowNamed(ctx, p, a.Workflow)
	return p, w, lacks("workflow", err)
}

// FindTime is the session time that an address means for a workflow, whether or not
// there is such a session: a date is its first moment there, none is now. Latest and
// Number name sessions that there are, and are errors. Days and local times are the
// server's to count: it knows the zone. At most one request.
func FindTime(ctx context.Context, c *client.Client, w client.Workflow, s Session, now time.Time) (time.Time, error) {
	var at client.SessionTime
	var err error
	switch s.Kind {
	case None:
		return now.UTC().Truncate(time.Second), nil
	case Instant:
		return s.Time, nil
	case Today:
		at, err = c.TruncatedSessionTime(ctx, w.ID, now, client.TruncateDay)
	case Date, Local:
		at, err = c.LocalSessionTime(ctx, w.ID, s.Time, client.TruncateNot)
	default:
		return time.Time{}, fmt.Errorf("@%s names a session that there is, not a time to start one for; want today, a date or a time", s)
	}
	return at.SessionTime, err
}

// FindAttempt finds an attempt: that of the id, or the last one of the session; the
// latest session's where the address names none.
func FindAttempt(ctx context.Context, c *client.Client, a Address, now time.Time) (client.Attempt, error) {
	if a.Session.Kind == Number {
		return byNumber(ctx, c, a)
	}
	s, err := FindSession(ctx, c, a, now)
	if err != nil {
		return client.Attempt{}, err
	}
	attempt, err := c.Attempt(ctx, s.LastAttempt.ID)
	return attempt, lacks("attempt", err)
}

// FindSession finds a session; the latest where the address names none.
func FindSession(ctx context.Context, c *client.Client, a Address, now time.Time) (client.Session, error) {
	if a.Session.Kind == Number {
		attempt, err := byNumber(ctx, c, a)
		if err != nil {
			return client.Session{}, err
		}
		s, err := c.Session(ctx, attempt.SessionID)
		return s, lacks("session", err)
	}
	p, err := c.ProjectNamed(ctx, a.Project)
	if err != nil {
		return client.Session{}, lacks("project", err)
	}
	want, err := wanted(ctx, c, p, a, now)
	if err != nil {
		return client.Session{}, err
	}
	s, near, err := search(ctx, c, client.SessionFilter{Project: p.ID, Workflow: a.Workflow}, want)
	if err != nil || s.ID != "" {
		return s, err
	}
	// Only now it matters whether there is such a workflow: sessions outlive it.
	if _, err := c.WorkflowNamed(ctx, p, a.Workflow); err != nil {
		return s, lacks("workflow", err)
	}
	named := "session"
	if want.kind != Latest {
		named += " at " + a.Session.String()
	}
	return s, missing("session", near, "%s/%s has no %s", a.Project, a.Workflow, named)
}

// FindTask is the task of that name among an attempt's tasks. Of several, which a
// retry of a group leaves, it is the newest. The name is as in Address.
func FindTask(attempt client.Attempt, tasks []client.Task, name string) (client.Task, error) {
	full := "+" + attempt.Workflow.Name + name
	var found client.Task
	var names []string
	for _, wanted := range []string{full, name} {
		for _, t := range tasks {
			if t.FullName == wanted && (found.ID == "" || t.ID.Compare(found.ID) > 0) {
				found = t
			}
		}
		if found.ID != "" {
			return found, nil
		}
	}
	for _, t := range tasks {
		if short := strings.TrimPrefix(t.FullName, "+"+attempt.Workflow.Name); short != "" && !slices.Contains(names, short) {
			names = append(names, short)
		}
	}
	if len(tasks) == 0 {
		return found, missing("task", nil, "attempt %s of %s/%s has no tasks yet", attempt.ID, attempt.Project.Name, attempt.Workflow.Name)
	}
	return found, missing("task", client.Near(name, names), "no task %q in attempt %s of %s/%s", name, attempt.ID, attempt.Project.Name, attempt.Workflow.Name)
}
