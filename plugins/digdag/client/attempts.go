package client

import (
	"context"
	"iter"
	"time"
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
	return func(yield func(Attempt, error) bool) { yield(Attempt{}, errLater) }
}

// AttemptsPage is one page of Attempts, from the newest below f.Before: one
// request. Fewer than asked for (100 by default) means that there are no more.
func (c *Client) AttemptsPage(ctx context.Context, f AttemptFilter) ([]Attempt, error) {
	return nil, errLater
}

// Attempt is an attempt by id, also of a deleted project (GET /api/attempts/{id}).
func (c *Client) Attempt(ctx context.Context, id ID) (Attempt, error) { return Attempt{}, errLater }

// Retries are all attempts of the session that an attempt is of, itself included,
// the first one first (GET /api/attempts/{id}/retries).
func (c *Client) Retries(ctx context.Context, id ID) ([]Attempt, error) { return nil, errLater }

// Tasks are all tasks of an attempt by id, ascending. An attempt that waits in a
// backfill has none (GET /api/attempts/{id}/tasks).
func (c *Client) Tasks(ctx context.Context, attempt ID) ([]Task, error) { return nil, errLater }

// StartRequest asks for an attempt.
type StartRequest struct {
	// Workflow is the id of a definition, which says what runs: Workflow.ID.
	Workflow ID
	// SessionTime, cut to whole seconds, the workflow and the project are what a
	// session is known by.
	SessionTime time.Time
	// RetryAttemptName makes another attempt of a session that there is; "" the
	// first one. The server accepts one even while an earlier attempt runs.
	RetryAttemptName string
	// Params become a JSON object; nil is an empty one.
	Params any
	// Resume takes over what an earlier attempt has done; nil runs all.
	Resume *Resume
}

// Resume says which tasks of an earlier attempt need not run again.
type Resume struct {
	Attempt ID
	// From is the task, or the end of its full name, that runs again with all after
	// it. "" runs what did not succeed.
	From string
}

// Started is the answer to Start.
type Started struct {
	Attempt Attempt
	// Existed says that there was such an attempt already (Digdag's 409): Attempt is
	// that one, with its own params, and nothing was started.
	Existed bool
	// Unsure says with Existed that an earlier try of this very call got no answer:
	// the attempt may be of that one.
	Unsure bool
}

// Start starts an attempt (PUT /api/attempts). It is retried: one of the same
// workflow, session time and RetryAttemptName is never started twice, the server
// has a unique key on them.
func (c *Client) Start(ctx context.Context, r StartRequest) (Started, error) {
	return Started{}, errLater
}

// KillResult is the answer to Kill.
type KillResult struct {
	// Attempt is as it is after the kill, read again: the server's own answer shows
	// it as it was before.
	Attempt Attempt
	// Accepted is false where there is nothing to kill (Digdag's 409): the attempt
	// is done, or waits in a backfill and has no tasks yet, which Attempt.Done tells
	// apart.
	Accepted bool
}

// Kill asks for an attempt's end. Digdag stops no process: what runs goes on to
// its end, and only what has not been begun is left out
// (POST /api/attempts/{id}/kill).
func (c *Client) Kill(ctx context.Context, id ID) (KillResult, error) { return KillResult{}, errLater }
