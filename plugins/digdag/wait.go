package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type waitParams struct {
	source
	Address string        `json:"address" help:"PROJECT/WORKFLOW[@SESSION][+task]; without @ the latest session" min:"1"`
	Since   string        `json:"since,omitempty" help:"instead of one session: a success that ended since then, such as 03:00 in the workflow's zone, 2h, today or a time"`
	Grace   time.Duration `json:"grace" help:"after a failure wait so long for a retry" default:"0s" min:"0s"`
	Timeout time.Duration `json:"timeout" help:"give up after so long; 0s never" default:"0s" min:"0s"`
	pace
}

// Validate checks what a tag cannot say.
func (p waitParams) Validate() error {
	if p.Since == "" {
		return nil
	}
	if a, err := address.Parse(p.Address); err == nil && a.Session.Kind != address.None {
		return fmt.Errorf("since: address %q names a session; want one of the two", p.Address)
	}
	_, err := parseSince(p.Since)
	return err
}

type waitOutput struct {
	Run      observe.Run   `json:"run" help:"the attempt that did it"`
	Task     *observe.Task `json:"task,omitempty" help:"the task, if one was waited for"`
	Attempts int           `json:"attempts" help:"how many attempts of the session were seen while waiting"`
	Waited   float64       `json:"waited_s" help:"seconds"`
	Usual    float64       `json:"usual_s,omitempty" help:"the median of the latest successes, in seconds, where it was asked for"`
}

func waitComponent() sdk.Component {
	return sdk.Define("digdag.wait", wait,
		sdk.Doc(`Waits until a session of a workflow, or one task of it, has succeeded, in whatever project.

The address names the session: @today, a date, a time, an id, or the latest that there is. One that is not there yet is waited for. With since it is any success that ended since then: 03:00 is the last time that a clock in the workflow's zone showed that. It is looked for behind the attempts of a backfill too, and as long as one attempt is open a failure of others is none.

It fails as soon as what is waited for failed: attempt_failed, attempt_killed, task_failed (a task that did not run since another failed, too), and after grace if that is given. A retry that starts meanwhile is followed. A task in a group that is retried counts as Digdag counts it, the latest of the name. A server that restarts is waited for as long as outage says. A project that was deleted is project_deleted where only a retry could help (what runs of it runs on), and a server that began its ids anew, as one with its database in memory does, is ids_reset; timeout is what it says.

Progress tells how long successes usually took.`),
		sdk.Example("Another project's task of today", `{"endpoint": "http://digdag.internal:65432", "address": "ingest/daily@today+load", "grace": "30m"}`),
		sdk.Example("A success since three in the morning", `{"endpoint": "http://digdag.internal:65432", "address": "ingest/hourly", "since": "03:00", "timeout": "4h"}`))
}

func wait(ctx context.Context, run *sdk.Run, p waitParams) (waitOutput, error) {
	a, err := parseAddress(p.Address)
	if err != nil {
		return waitOutput{}, err
	}
	c, err := p.open(run)
	if err != nil {
		return waitOutput{}, err
	}
	defer c.Close()
	f := follower{c: c, run: run, pace: p.pace, grace: p.Grace, timeout: p.Timeout, task: a.Task, began: time.Now()}
	if p.Since != "" {
		return f.since(ctx, a, p.Since)
	}
	first, err := f.appears(ctx, a)
	if err != nil {
		return waitOutput{}, err
	}
	return f.session(ctx, first)
}

// follower waits for an end.
type follower struct {
	c   *client.Client
	run *sdk.Run
	pace
	grace, timeout time.Duration
	task           string // "" for the whole
	began          time.Time
	answered       bool // it is a Digdag that is asked

	failedAt map[client.ID]time.Time // when an attempt's failure was first seen
	usual    time.Duration
	asked    bool // for the usual time
	said     string
}

// appears waits until there is an attempt of the address. Today stays the day on which
// the wait began.
func (f *follower) appears(ctx context.Context, a address.Address) (found client.Attempt, err error) {
	began := time.Now()
	err = f.until(ctx, "waiting for "+a.String(), func() (done bool, note string, err error) {
		found, err = address.FindAttempt(ctx, f.c, a, began)
		var none *address.Missing
		if errors.As(err, &none) && none.What == "session" && a.Session.Kind != address.Number {
			return false, "there is no such session yet", nil
		}
		return err == nil, "", err
	})
	return found, err
}

// session waits for the end of the session that an attempt is of. It follows the
// session's newest attempt.
func (f *follower) session(ctx context.Context, first client.Attempt) (waitOutput, error) {
	if f.began.IsZero() {
		f.began = time.Now()
	}
	f.answered = true // there is an attempt
	current, seen := first, 1
	var task *observe.Task
	err := f.until(ctx, "waiting for "+sessionAddress(first)+f.task, func() (bool, string, error) {
		s, err := f.c.Session(ctx, first.SessionID)
		switch {
		case isMissing(err):
			return false, "", f.gone(ctx, first, err)
		case err != nil:
			return false, "", err
		case s.SessionUUID != first.SessionUUID:
			return false, "", idsReset(first)
		}
		last := s.LastAttempt
		if last.ID.Compare(current.ID) > 0 {
			f.run.Log().Info("a newer attempt is followed", "attempt", last.ID, "before", current.ID)
			seen++
		}
		current.ID, current.Flags, current.RetryAttemptName, current.CreatedAt, current.FinishedAt = last.ID, last.Flags, last.RetryAttemptName, last.CreatedAt, last.FinishedAt
		if f.task == "" {
			return f.whole(ctx, current)
		}
		done, note, err := f.one(ctx, current)
		task = done
		return task != nil, note, err
	})
	if err != nil {
		return waitOutput{}, err
	}
	// For what a session does not tell of its attempt, such as its index.
	if full, err := f.c.Attempt(ctx, current.ID); err == nil {
		current = full
	}
	return f.output(current, task, seen), nil
}

func (f *follower) output(a client.Attempt, task *observe.Task, seen int) waitOutput {
	return waitOutput{
		Run: attemptRun(f.c, a), Task: task, Attempts: seen,
		Waited: time.Since(f.began).Round(time.Millisecond).Seconds(), Usual: f.usual.Seconds(),
	}
}

// whole looks at an attempt.
func (f *follower) whole(ctx context.Context, a client.Attempt) (done bool, note string, err error) {
	if !a.Done {
		return false, f.underWay(ctx, a, fmt.Sprintf("attempt %s is %s", a.ID, attemptState(a.Flags))), nil
	}
	if a.Success {
		return true, "", nil
	}
	if left := f.spared(a.ID); left > 0 {
		if err := f.mayRetry(ctx, a); err != nil {
			return false, "", err
		}
		return false, fmt.Sprintf("attempt %s ended as %s; a retry is waited for until %s", a.ID, a.State(), until(left)), nil
	}
	return false, "", ended(ctx, f.c, a)
}

// one looks at the task in an attempt, and gives it if it has succeeded.
func (f *follower) one(ctx context.Context, a client.Attempt) (*observe.Task, string, error) {
	tasks, err := f.c.Tasks(ctx, a.ID)
	if err != nil {
		return nil, "", err
	}
	switch v, t, why := judgeTask(a, tasks, f.task); v {
	case succeeded:
		return new(taskNamed(tasks, a.Done, t.FullName)), "", nil
	case absent:
		return nil, "", sdk.Permanent(sdk.Code(client.CodeNotFound, errors.New(why)))
	case failed:
		if left := f.spared(a.ID); left > 0 {
			if err := f.mayRetry(ctx, a); err != nil {
				return nil, "", err
			}
			return nil, fmt.Sprintf("%s in attempt %s %s; a retry is waited for until %s", f.task, a.ID, why, until(left)), nil
		}
		return nil, "", sdk.Code("task_failed", fmt.Errorf("%s in attempt %s of %s %s", cmp.Or(t.FullName, f.task), a.ID, sessionAddress(a), why))
	default:
		state := string(t.State)
		if state == "" {
			state = "not there yet"
		}
		return nil, f.underWay(ctx, a, fmt.Sprintf("%s in attempt %s is %s", f.task, a.ID, state)), nil
	}
}

// spared is how much of the grace is left to an attempt that failed.
func (f *follower) spared(id client.ID) time.Duration {
	if f.failedAt == nil {
		f.failedAt = map[client.ID]time.Time{}
	}
	at, seen := f.failedAt[id]
	if !seen {
		at = time.Now()
		f.failedAt[id] = at
		if f.grace > 0 {
			f.run.Log().Warn("it failed; a retry is waited for", "attempt", id, "for", f.grace)
		}
	}
	return f.grace - time.Since(at)
}

// mayRetry reports that no retry can come: a deleted project's attempts run to their
// end, and are told of as before, but none is started (tried on 0.10.5.1).
func (f *follower) mayRetry(ctx context.Context, a client.Attempt) error {
	_, err := f.c.Project(ctx, a.Project.ID)
	if isMissing(err) {
		return projectDeleted(a, err)
	}
	return err
}

func projectDeleted(a client.Attempt, err error) error {
	return sdk.Permanent(sdk.Code("project_deleted", fmt.Errorf("project %s (id %s) was deleted, or renamed by pushing it under another name, while attempt %s of %s was waited for, which is %s: %v",
		a.Project.Name, a.Project.ID, a.ID, sessionAddress(a), attemptState(a.Flags), err)))
}

// until is when a time that is left is over.
func until(left time.Duration) string { return time.Now().Add(left).Format("15:04:05 -0700") }

func idsReset(a client.Attempt) error {
	return sdk.Permanent(sdk.Code("ids_reset", fmt.Errorf("session %s, which was %s with the UUID %s, is not there any more: the server began its ids anew, as one with its database in memory does when it restarts", a.SessionID, sessionAddress(a), a.SessionUUID)))
}

// gone tells why a session is not found that was there. Attempts outlive their project.
func (f *follower) gone(ctx context.Context, first client.Attempt, err error) error {
	now, again := f.c.Attempt(ctx, first.ID)
	switch {
	case again == nil && now.SessionUUID == first.SessionUUID:
		return projectDeleted(now, err)
	case again == nil, isMissing(again):
		return idsReset(first)
	}
	return again
}
