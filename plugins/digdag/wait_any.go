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

const (
	// pagesBack is how many pages of attempts are looked through for a success, with
	// pageOf attempts on each, which is what a server gives unasked.
	pagesBack = 20
	pageOf    = 100
	// tasksIn is how many attempts are looked into for a task at once: of the open ones,
	// and of those that ended.
	tasksIn = 20
)

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
	seen, settled := map[client.ID]bool{}, map[client.ID]verdict{}
	err = f.until(ctx, doing, func() (done bool, note string, err error) {
		counted, err := f.candidatesSince(ctx, a, from)
		if isMissing(err) {
			return false, "", sdk.Permanent(sdk.Code("project_deleted", fmt.Errorf("project %s was deleted, or renamed by pushing it under another name, while it was waited for: %v", a.Project, err)))
		}
		if err != nil {
			return false, "", err
		}
		if len(counted) == 0 {
			_, _, err := address.FindWorkflow(ctx, f.c, a)
			if none := (*address.Missing)(nil); errors.As(err, &none) {
				err = fmt.Errorf("a push removed or renamed it while it was waited for: %w", err)
			}
			if err != nil {
				return false, "", err
			}
		}
		for _, x := range counted {
			seen[x.ID] = true
		}
		if f.task != "" {
			found, task, note, err = f.taskSince(ctx, counted, from, settled)
			return task != nil, note, err
		}
		v, x := judgeSince(counted)
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

// candidatesSince are the candidates, the newest first. A page of nothing else, as
// after the start of a backfill, may hide a success behind it.
func (f *follower) candidatesSince(ctx context.Context, a address.Address, from time.Time) ([]client.Attempt, error) {
	filter := client.AttemptFilter{Project: a.Project, Workflow: a.Workflow, IncludeRetried: true}
	var all []client.Attempt
	for range pagesBack {
		page, err := f.c.AttemptsPage(ctx, filter)
		if err != nil {
			return nil, err
		}
		counted := candidates(page, from)
		all = append(all, counted...)
		if v, _ := judgeSince(counted); v == succeeded && f.task == "" || len(page) < pageOf || len(counted) < len(page) {
			break
		}
		last := page[len(page)-1]
		if last.CreatedAt.Before(from.Add(-openFor)) || filter.Before != "" && last.ID.Compare(filter.Before) >= 0 {
			break // too old, or a proxy that does not heed where a page begins
		}
		filter.Before = last.ID
	}
	return all, nil
}

// taskSince looks for a success of the task in candidates, the newest first. It is a
// failure when none of them may succeed any more, of which the newest is told. settled
// remembers what became of it in those that have ended.
func (f *follower) taskSince(ctx context.Context, attempts []client.Attempt, from time.Time, settled map[client.ID]verdict) (client.Attempt, *observe.Task, string, error) {
	var open, look []client.Attempt
	for _, a := range attempts {
		if !a.Done {
			open = append(open, a)
		} else if _, known := settled[a.ID]; !known {
			look = append(look, a)
		}
	}
	waits := client.Attempt{} // one that may succeed
	if len(look) > tasksIn {
		waits, look = look[tasksIn], look[:tasksIn] // the next look's
	}
	if len(open) > tasksIn { // those of a backfill begin with the oldest
		waits, open = open[0], append(open[:tasksIn/2:tasksIn/2], open[len(open)-tasksIn/2:]...)
	}
	for _, a := range append(open, look...) {
		tasks, err := f.c.Tasks(ctx, a.ID)
		if err != nil {
			return a, nil, "", err
		}
		v, t, _ := judgeTask(a, tasks, f.task)
		if v == succeeded {
			// One that was taken over from an earlier attempt has that one's time.
			if t := taskNamed(tasks, a.Done, t.FullName); !t.Ended.Before(from) {
				return a, &t, "", nil
			}
		}
		if v == pending && (waits.ID == "" || a.State() == client.Running && len(tasks) > 0) {
			waits = a
		}
		if a.Done {
			settled[a.ID] = v
		}
	}
	switch {
	case waits.ID != "":
		return client.Attempt{}, nil, f.underWay(ctx, waits, fmt.Sprintf("%s in attempt %s is waited for", f.task, waits.ID)), nil
	case len(attempts) == 0, settled[attempts[0].ID] == succeeded:
		return client.Attempt{}, nil, "none was there since " + from.Format(time.RFC3339), nil
	}
	_, note, err := f.one(ctx, attempts[0])
	return client.Attempt{}, nil, note, err
}
