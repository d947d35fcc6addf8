package client

import (
	"context"
	"iter"
	"net/url"
)

// AttemptFilter says which attempts, and how many at once. The API filters by no
// state and no time.
type AttemptFilter struct {
	// Project and Workflow are exact names; "" is all. Workflow needs Project.
	Project, Workflow string
	// IncludeRetried lists all attempts. Without it there is only the last one of
	// each session, and an earlier one that still runs is not seen.
	IncludeRetried bool
	// Before begins below this id, which is not included; "" at the newest.
	Before ID
	// PageSize is how many to ask for at once, 0 for Digdag's default of 100. A
	// server allows no more than api.max_attempts_page_size, 100 unless set
	// otherwise; the client keeps to that.
	PageSize int
}

// Attempts are attempts by id, descending (GET /api/attempts). A page is asked for
// when it is needed.
func (c *Client) Attempts(ctx context.Context, f AttemptFilter) iter.Seq2[Attempt, error] {
	p, err := c.attempts(f)
	if err != nil {
		return failed[Attempt](err)
	}
	return all(ctx, c, p)
}

// AttemptsPage is one page of Attempts, from the newest below f.Before: one
// request. Fewer than asked for (100 by default) means that there are no more,
// unless the server allows only fewer.
func (c *Client) AttemptsPage(ctx context.Context, f AttemptFilter) ([]Attempt, error) {
	p, err := c.attempts(f)
	if err != nil {
		return nil, err
	}
	items, _, err := page(ctx, c, p, p.after)
	return items, err
}

func (c *Client) attempts(f AttemptFilter) (paged[Attempt], error) {
	p := paged[Attempt]{
		call: read("/api/attempts"), name: "attempts", id: func(a Attempt) ID { return a.ID },
		most: &c.mostAttempts,
	}
	p.call.Query = url.Values{}
	for name, value := range map[string]string{"project": f.Project, "workflow": f.Workflow} {
		if value != "" {
			p.call.Query.Set(name, value)
		}
	}
	if f.IncludeRetried {
		p.call.Query.Set("include_retried", "true") // 1 would be false
	}
	if f.Workflow != "" && f.Project == "" {
		return p, c.rest.Refuse(p.call, noProject)
	}
	return p, p.newest(c, f.Before, f.PageSize)
}

// Attempt is an attempt by id, also of a deleted project (GET /api/attempts/{id}).
func (c *Client) Attempt(ctx context.Context, id ID) (Attempt, error) {
	q := read("/api/attempts/" + string(id))
	if err := c.ids(q, id); err != nil {
		return Attempt{}, err
	}
	return get[Attempt](ctx, c, q)
}

// Retries are all attempts of the session that an attempt is of, itself included,
// the first one first (GET /api/attempts/{id}/retries).
func (c *Client) Retries(ctx context.Context, id ID) ([]Attempt, error) {
	q := read("/api/attempts/" + string(id) + "/retries")
	if err := c.ids(q, id); err != nil {
		return nil, err
	}
	return listed[Attempt](ctx, c, q, "attempts")
}

// Tasks are all tasks of an attempt by id, ascending. An attempt that waits in a
// backfill has none (GET /api/attempts/{id}/tasks).
func (c *Client) Tasks(ctx context.Context, attempt ID) ([]Task, error) {
	q := read("/api/attempts/" + string(attempt) + "/tasks")
	if err := c.ids(q, attempt); err != nil {
		return nil, err
	}
	return listed[Task](ctx, c, q, "tasks")
}
