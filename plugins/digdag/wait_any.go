package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

// tasksIn is how many attempts, the newest, are looked at for a task since a time.
const tasksIn = 20

// since waits for a success of any session that ended since a time.
func (f *follower) since(ctx context.Context, a address.Address, text string) (waitOutput, error) {
	wanted, err := parseSince(text)
	if err != nil {
		return waitOutput{}, err
	}
	doing := "waiting for " + a.String() + " since " + text
	var from time.Time
	err = f.until(ctx, doing, func() (bool, string, error) {
		_, w, err := address.FindWorkflow(ctx, f.c, a)
		if err == nil {
			from, err = wanted.of(ctx, f.c, w, f.began)
		}
		return err == nil, "", err
	})
	if err != nil {
		return waitOutput{}, err
	}
	f.run.Log().Info("a success since then is waited for", "since", from.Format(time.RFC3339))
	var found client.Attempt
	var task *observe.Task
	seen := map[client.ID]bool{}
	err = f.until(ctx, doing, func() (done bool, note string, err error) {
		page, err := f.c.AttemptsPage(ctx, client.AttemptFilter{Project: a.Project, Workflow: a.Workflow, IncludeRetried: true})
		if isMissing(err) {
			return false, "", sdk.Permanent(sdk.Code("project_deleted", fmt.Errorf("project %s was deleted, or renamed by pushing it under another name, while it was waited for: %v", a.Project, err)))
		}
		if err != nil {
			return false, "", err
		}
		for _, x := range candidates(page, from) {
			seen[x.ID] = true
		}
		if f.task != "" {
			found, task, note, err = f.taskSince(ctx, candidates(page, from), from)
			return task != nil, note, err
		}
		v, x := judgeSince(page, from)
		switch {
		case x.ID == "":
			return false, "none was there since " + from.Format(time.RFC3339), nil
		case v == succeeded:
			found = x
			return true, "", nil
		}
		return f.whole(ctx, x)
	})
	if err != nil {
		return waitOutput{}, err
	}
	return f.output(found, task, len(seen)), nil
}

// taskSince looks for the task in attempts, the newest first. The newest that has it
// decides on a failure.
func (f *follower) taskSince(ctx context.Context, attempts []client.Attempt, from time.Time) (client.Attempt, *observe.Task, string, error) {
	note, failure := "none was there since "+from.Format(time.RFC3339), error(nil)
	for i, a := range attempts[:min(len(attempts), tasksIn)] {
		t, said, err := f.one(ctx, a)
		// One that was taken over from an earlier attempt has that one's time.
		if t != nil && !t.Ended.Before(from) {
			return a, t, "", nil
		}
		var e *client.Error
		if errors.As(err, &e) {
			return a, nil, "", err
		}
		if i == 0 {
			note, failure = said, err
		}
	}
	return client.Attempt{}, nil, note, failure
}
