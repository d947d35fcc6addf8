package main

import (
	"context"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// runsIn is how many runs are looked through for a success that ended since a
	// time.
	runsIn = 1000
	// tasksIn is how many runs are looked into for a task at once: of the open ones,
	// and of those that ended.
	tasksIn = 20
)

// since waits for a success of any run that ended since a time.
func (f *follower) since(ctx context.Context, a address.Address, text string) (waitOutput, error) {
	wanted, err := parseSince(text)
	if err != nil {
		return waitOutput{}, err
	}
	doing := "waiting for " + a.String() + " since " + text
	var from time.Time
	err = f.until(ctx, doing, func(ctx context.Context) (bool, string, error) {
		d, err := address.FindDAG(ctx, f.c, a)
		if err == nil {
			from = wanted.in(address.Zone(d), f.began)
		}
		return err == nil, "", err
	})
	if err != nil {
		return waitOutput{}, err
	}
	f.run.Log().Info("a success since then is waited for", "since", from.Format(time.RFC3339))
	var found client.DAGRun
	var task *observe.Task
	settled := map[string]verdict{}
	err = f.until(ctx, doing, func(ctx context.Context) (done bool, note string, err error) {
		open, over, err := f.candidates(ctx, a.DAG, from)
		if err != nil {
			return false, "", f.removed(err, a.DAG)
		}
		if len(open)+len(over) == 0 {
			// Airflow lists nothing of a DAG that is gone.
			if _, err := address.FindDAG(ctx, f.c, a); err != nil {
				return false, "", f.removed(err, a.DAG)
			}
			return false, f.idle(ctx, a.DAG, "none was there since "+from.Format(time.RFC3339)), nil
		}
		if f.task.Task != "" {
			found, task, note, err = f.taskSince(ctx, open, over, from, settled)
			return task != nil, note, err
		}
		v, r := judgeSince(open, over)
		found = r
		if v == succeeded {
			return true, "", nil
		}
		return f.whole(ctx, r)
	})
	if err != nil {
		return waitOutput{}, err
	}
	return f.output(found, task), nil
}

// candidates are the runs that are open, and those that ended since a time, the newest
// first. The open ones are asked for first, so that one that ends meanwhile is among
// the others.
func (f *follower) candidates(ctx context.Context, dag string, from time.Time) (open, over []client.DAGRun, err error) {
	for r, err := range f.c.Runs(ctx, client.RunFilter{DAG: dag, States: []string{"queued", "running"}}) {
		if err != nil {
			return nil, nil, lost(err)
		}
		if open = append(open, r); len(open) >= runsIn {
			break
		}
	}
	for r, err := range f.c.Runs(ctx, client.RunFilter{DAG: dag, States: []string{"success", "failed"}, EndedSince: from}) {
		if err != nil {
			return nil, nil, lost(err)
		}
		over = append(over, endedSince([]client.DAGRun{r}, from)...)
		if f.task.Task == "" && r.State == "success" && len(over) > 0 || len(over) >= runsIn {
			break
		}
	}
	return open, over, nil
}

// lost is the server's word that there is no such DAG as a *Missing.
func lost(err error) error {
	if isMissing(err) {
		return &address.Missing{What: "dag", Err: err}
	}
	return err
}

// taskSince looks for a success of the task in runs, the newest first. It is a failure
// when none of them may succeed any more, of which the newest is told. settled remembers
// what became of it in those that have ended.
func (f *follower) taskSince(ctx context.Context, open, over []client.DAGRun, from time.Time, settled map[string]verdict) (client.DAGRun, *observe.Task, string, error) {
	var look []client.DAGRun
	for _, r := range over {
		if _, known := settled[tried(r)]; !known {
			look = append(look, r)
		}
	}
	waits := client.DAGRun{} // one that may succeed
	if len(look) > tasksIn {
		waits, look = look[tasksIn], look[:tasksIn] // the next look's
	}
	newest := append(open[:len(open):len(open)], over...)[0]
	if len(open) > tasksIn { // a catch-up begins with the oldest
		waits, open = open[0], append(open[:tasksIn/2:tasksIn/2], open[len(open)-tasksIn/2:]...)
	}
	for _, r := range append(open[:len(open):len(open)], look...) {
		tasks, err := f.c.Tasks(ctx, r.DAG, r.ID)
		if isMissing(err) { // it was deleted after it was listed
			continue
		}
		if err != nil {
			return r, nil, "", err
		}
		v, found, _ := judgeTask(r, tasks, f.task)
		if v == succeeded && !span(found).End.Before(from) {
			return r, taskTold(found, r.Ended()), "", nil
		}
		if v == pending && (waits.ID == "" || r.State == "running") {
			waits = r
		}
		settled[tried(r)] = v
	}
	switch {
	case waits.ID != "":
		return client.DAGRun{}, nil, f.goesOn(ctx, waits, fmt.Sprintf("%s of %s is waited for", f.task.TaskName(), runAddress(waits))), nil
	case settled[tried(newest)] == succeeded: // before then
		return client.DAGRun{}, nil, f.idle(ctx, f.task.DAG, "none was there since "+from.Format(time.RFC3339)), nil
	}
	tasks, err := f.c.Tasks(ctx, newest.DAG, newest.ID)
	if isMissing(err) {
		return client.DAGRun{}, nil, f.idle(ctx, f.task.DAG, "the newest was deleted"), nil
	}
	if err != nil {
		return newest, nil, "", err
	}
	task, note, err := f.judged(ctx, newest, tasks)
	return newest, task, note, err
}

// tried is a run as it ended; one that is cleared ends once more.
func tried(r client.DAGRun) string { return r.ID + " " + r.End.Format(time.RFC3339Nano) }
