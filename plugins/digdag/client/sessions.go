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
	p, err := c.sessions(f)
	if err != nil {
		return failed[Session](err)
	}
	return all(ctx, c, p)
}

// SessionsPage is one page of Sessions, from the newest below f.Before: one
// request. Fewer than asked for (100 by default) means that there are no more,
// unless the server allows only fewer.
func (c *Client) SessionsPage(ctx context.Context, f SessionFilter) ([]Session, error) {
	p, err := c.sessions(f)
	if err != nil {
		return nil, err
	}
	items, _, err := page(ctx, c, p, p.after)
	return items, err
}

func (c *Client) sessions(f SessionFilter) (paged[Session], error) {
	p := paged[Session]{
		call: read("/api/sessions"), name: "sessions", id: func(s Session) ID { return s.ID },
		most: &c.mostSessions,
	}
	if err := p.of(c, f.Project, f.Workflow); err != nil {
		return p, err
	}
	return p, p.newest(c, f.Before, f.PageSize)
}

// Session is a session by id (GET /api/sessions/{id}).
func (c *Client) Session(ctx context.Context, id ID) (Session, error) {
	q := read("/api/sessions/" + string(id))
	if err := c.ids(q, id); err != nil {
		return Session{}, err
	}
	return get[Session](ctx, c, q)
}

// SessionAttempts are all attempts of a session, by id, descending
// (GET /api/sessions/{id}/attempts).
func (c *Client) SessionAttempts(ctx context.Context, session ID) iter.Seq2[Attempt, error] {
	p := paged[Attempt]{
		call: read("/api/sessions/" + string(session) + "/attempts"), name: "attempts", id: func(a Attempt) ID { return a.ID },
		descending: true, size: defaultPage,
	}
	if err := c.ids(p.call, session); err != nil {
		return failed[Attempt](err)
	}
	return all(ctx, c, p)
}
