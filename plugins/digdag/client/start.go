package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

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
// has a unique key on them. At the server's limit of attempts it is
// CodeTooManyAttempts even where there is such an attempt.
func (c *Client) Start(ctx context.Context, r StartRequest) (Started, error) {
	q := call{Method: http.MethodPut, Path: "/api/attempts", Conflict: true}
	if err := c.ids(q, r.Workflow); err != nil {
		return Started{}, err
	}
	if r.SessionTime.IsZero() {
		return Started{}, c.rest.Refuse(q, "no session time is given")
	}
	params, err := json.Marshal(r.Params)
	if err != nil {
		return Started{}, c.rest.Refuse(q, "the params cannot be written as JSON: %v", err)
	}
	if object((*json.RawMessage)(&params)); params[0] != '{' {
		return Started{}, c.rest.Refuse(q, "the params are no JSON object")
	}
	body := startBody{Workflow: r.Workflow, SessionTime: instant(r.SessionTime), RetryAttemptName: r.RetryAttemptName, Params: params}
	if r.Resume != nil {
		if err := c.ids(q, r.Resume.Attempt); err != nil {
			return Started{}, err
		}
		if body.Resume = (&resumeBody{Mode: "failed", Attempt: r.Resume.Attempt}); r.Resume.From != "" {
			body.Resume.Mode, body.Resume.From = "from", r.Resume.From
		}
	}
	q.Body = body
	a, err := c.do(ctx, q)
	if err != nil {
		return Started{}, err
	}
	existed := a.Status == http.StatusConflict
	if existed && a.Said != "" {
		return Started{}, c.rest.Fault(a, CodeConflict, "%d: %s", a.Status, a.Said)
	}
	attempt, err := one[Attempt](c, a)
	if err != nil {
		return Started{}, err
	}
	return Started{Attempt: attempt, Existed: existed, Unsure: existed && a.Unsure}, nil
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
func (c *Client) Kill(ctx context.Context, id ID) (KillResult, error) {
	q := call{Method: http.MethodPost, Path: "/api/attempts/" + string(id) + "/kill", Body: struct{}{}, Conflict: true}
	if err := c.ids(q, id); err != nil {
		return KillResult{}, err
	}
	a, err := c.do(ctx, q)
	if err != nil {
		return KillResult{}, err
	}
	attempt, err := c.Attempt(ctx, id)
	if err != nil {
		return KillResult{}, fmt.Errorf("the kill was answered with %d; read the attempt again: %w", a.Status, err)
	}
	// An earlier try that got no answer may have been the one that did it.
	return KillResult{Attempt: attempt, Accepted: a.Status == http.StatusOK || a.Unsure && attempt.CancelRequested}, nil
}

type startBody struct {
	Workflow         ID              `json:"workflowId"`
	SessionTime      string          `json:"sessionTime"`
	RetryAttemptName string          `json:"retryAttemptName,omitempty"`
	Resume           *resumeBody     `json:"resume,omitempty"`
	Params           json.RawMessage `json:"params"` // without it the server refuses
}

type resumeBody struct {
	Mode    string `json:"mode"`
	Attempt ID     `json:"attemptId"`
	From    string `json:"from,omitempty"`
}
