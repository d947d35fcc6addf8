package client

import (
	"context"
	"iter"
)

// SessionFilter says which sessions, and how many at once.
type SessionFilter struct {
	// Project is a project's id, "" for all.
	Project ID
	// Workflow is a workflow's exact name; it needs Project.
	Workflow string
	// Before begins below this id, which is not included; "" at the newest.
	Before ID
	// PageSize is how many to ask for at once, 0 for Digdag's default of 100. A
	// server allows no more than api.max_sessions_page_size, 100 unless set
	// otherwise; the client keeps to that.
	PageSize int
}

// Sessions are sessions by id, descending. A retry does not move a session up
// (GET /api/sessions, GET /api/projects/{id}/sessions).
func (c *Client) Sessions(ctx context.Context, f SessionFilter) iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) { yield(Session{}, errLater) }
}

// Session is a session by id (GET /api/sessions/{id}).
func (c *Client) Session(ctx context.Context, id ID) (Session, error) { return Session{}, errLater }

// SessionAttempts are all attempts of a session, by id, descending
// (GET /api/sessions/{id}/attempts).
func (c *Client) SessionAttempts(ctx context.Context, session ID) iter.Seq2[Attempt, error] {
	return func(yield func(Attempt, error) bool) { yield(Attempt{}, errLater) }
}
