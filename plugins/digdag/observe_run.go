package main

import (
	"encoding/json"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk/observe"
)

// origin is what an attempt's parameters tell of how it came about: the server puts
// them into those of a scheduled workflow (Digdag's AttemptBuilder).
type origin struct {
	// scheduled: the workflow has a schedule; somebody may have started it all the same.
	scheduled bool
	// after is the session before, which a start by request does not get.
	after time.Time
}

func originOf(a client.Attempt) origin {
	var p struct {
		Last  json.RawMessage `json:"last_session_time"`
		After any             `json:"last_executed_session_time"`
	}
	if json.Unmarshal(a.Params, &p) != nil {
		return origin{}
	}
	o := origin{scheduled: p.Last != nil}
	if text, ok := p.After.(string); ok {
		o.after, _ = time.Parse(time.RFC3339, text)
	}
	return o
}

// trigger says what started an attempt, "" where that cannot be told: a person, a
// program and require> look alike.
func trigger(a client.Attempt, o origin) string {
	switch {
	case a.RetryAttemptName != "" && a.Index > 1:
		return "retry"
	case a.RetryAttemptName != "" && a.Index == 1 && o.scheduled:
		return "backfill"
	case a.RetryAttemptName == "" && !o.after.IsZero():
		return "schedule"
	}
	return ""
}

// runOf is an attempt as a run. endpoint is the server's URL.
func runOf(a client.Attempt, o origin, endpoint string) observe.Run {
	return observe.Run{
		ID:      string(a.ID),
		Address: address.Address{Project: a.Project.Name, Workflow: a.Workflow.Name, Session: address.Session{Kind: address.Number, ID: string(a.ID)}}.String(),
		Project: a.Project.Name, Workflow: a.Workflow.Name,
		Session: string(a.SessionID), Time: a.SessionTime, Try: max(1, a.Index),
		State: attemptState(a.Flags), CancelAsked: a.CancelRequested,
		Created: a.CreatedAt, Ended: a.FinishedAt,
		Trigger: trigger(a, o),
		Link:    endpoint + "/attempts/" + string(a.ID),
	}
}

func attemptState(f client.Flags) observe.State {
	switch f.State() {
	case client.Success:
		return observe.Success
	case client.Killed:
		return observe.Cancelled
	case client.Failed:
		return observe.Failed
	}
	if f.CancelRequested {
		return observe.Cancelling
	}
	return observe.Running
}

// observedRun is an attempt as a run, with its parameters, which are short, and what is
// known of its project.
func observedRun(a client.Attempt, o origin, known map[client.ID]pushed, endpoint string) observe.Run {
	run := runOf(a, o, endpoint)
	p := known[a.Project.ID]
	run.Params, run.Revision, run.Labels = a.Params, p.revisionOf(a.Workflow.ID), p.labelsOf(a.Workflow.Name)
	return run
}

// runsOf makes runs of rows. One of a backfill that waits for the one before it is
// queued.
func runsOf(rows []row, known map[client.ID]pushed, endpoint string) []observe.Run {
	open := map[turn]bool{}
	for _, r := range rows {
		if !r.Done {
			open[turnOf(r, r.SessionTime)] = true
		}
	}
	runs := make([]observe.Run, 0, len(rows))
	for _, r := range rows {
		run := observedRun(r.Attempt, r.origin, known, endpoint)
		if run.State == observe.Running && r.RetryAttemptName != "" && !r.after.IsZero() && open[turnOf(r, r.after)] {
			run.State = observe.Queued
		}
		runs = append(runs, run)
	}
	return runs
}

// turn is an attempt's place in a backfill: all its attempts have one name, and each
// waits for that of the session before it (Digdag's ScheduleExecutor).
type turn struct {
	project        client.ID
	workflow, name string
	unix           int64
}

func turnOf(r row, session time.Time) turn {
	return turn{r.Project.ID, r.Workflow.Name, r.RetryAttemptName, session.Unix()}
}
