package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type retryParams struct {
	source
	Address  string                     `json:"address" help:"PROJECT/WORKFLOW[@SESSION]; with *, ? or [a-z], as etl/* or etl_*, all attempts that state and since say" min:"1"`
	Mode     string                     `json:"mode" help:"what runs again: what did not succeed, from a task on, or all" enum:"failed,from,all" default:"failed"`
	From     string                     `json:"from,omitempty" help:"with mode from: the task, such as +load; it may stand in the address as well"`
	Name     string                     `json:"name,omitempty" help:"of the new attempt; else one made of the run's key"`
	Params   map[string]json.RawMessage `json:"params,omitempty" help:"laid over the params of the attempt that is retried"`
	Revision string                     `json:"revision" help:"of the project: the latest, or keep that of the attempt" enum:"latest,keep" default:"latest"`
	State    string                     `json:"state" help:"with a pattern: which attempts" enum:"failed,cancelled,any" default:"failed"`
	Since    string                     `json:"since" help:"with a pattern: attempts that ended since then: 02:00 on this machine's clock, 2h, today or a time" default:"24h"`
	AtMost   int                        `json:"at_most" help:"with a pattern: do nothing, and fail with too_many, when it is more than so many" default:"20" min:"1"`
	DryRun   bool                       `json:"dry_run" help:"change nothing, and tell what would be done" default:"false"`
	Partial  bool                       `json:"partial" help:"with a pattern: what could not be retried stands in the output only and fails nothing" default:"false"`
}

// Validate checks what a tag cannot say.
func (p retryParams) Validate() error {
	if p.From != "" && p.Mode != retryFrom {
		return fmt.Errorf("from: it needs mode from, not %s", p.Mode)
	}
	_, err := parseSince(p.Since)
	return err
}

type retryOutput struct {
	Attempts []retried `json:"attempts" help:"what was done, one for each attempt"`
	Retried  int       `json:"retried" help:"how many attempts were started, or would be"`
	Failed   int       `json:"failed" help:"how many could not be retried"`
	Left     int       `json:"left" help:"with dry_run: how many more there are, beyond at_most"`
	DryRun   bool      `json:"dry_run,omitempty"`
}

type retried struct {
	Old     observe.Run  `json:"old" help:"the attempt that was retried"`
	New     *observe.Run `json:"new,omitempty" help:"the attempt that was started"`
	Existed bool         `json:"existed,omitempty" help:"the session had an attempt of that name already"`
	// SessionUUID and Tasks are what a task's once-key is made of.
	SessionUUID string   `json:"session_uuid" help:"with each name in tasks what Digdag knows a task by"`
	Tasks       []string `json:"tasks" help:"full names of the tasks that run again"`
	Code        string   `json:"code,omitempty" help:"why not"`
	Error       string   `json:"error,omitempty" help:"why not"`
}

func retryComponent() sdk.Component {
	return sdk.Define("digdag.retry", retry,
		sdk.Doc(`Retries attempts on Digdag.

It starts another attempt of the same session, with the params of the earlier one and those that are given. Mode failed runs what did not succeed, from a task and all that follows it, all everything. tasks lists what runs again. A retry of the run starts no second attempt: its name is made of the run's key.

Beside an attempt of the session that still runs nothing is retried (still_running names it): Digdag would run both. One that succeeded is unchanged, but for the modes from and all. After the retry of a group Digdag can take over no part of an attempt that has a task twice: cannot_resume says so, and mode all works.

With a pattern (etl/*, etl_*, or etl_*/daily) it retries the last attempts of all sessions that failed since a time, the oldest first; when they are more than at_most it does nothing (too_many), and with dry_run it lists the first of them. One that cannot be retried stops no other; the run fails with partly_failed in the end, unless partial is set. Attempts that were asked for more than a day before since are not looked at.`),
		sdk.Example("What failed, of the latest session", `{"endpoint": "http://digdag.internal:65432", "address": "etl/daily"}`),
		sdk.Example("From a task on", `{"endpoint": "http://digdag.internal:65432", "address": "etl/daily@2026-11-22+load", "mode": "from"}`),
		sdk.Example("What failed in the night, at most four", `{"endpoint": "http://digdag.internal:65432", "address": "etl_*", "since": "02:00", "at_most": 4, "dry_run": true}`))
}

func retry(ctx context.Context, run *sdk.Run, p retryParams) (retryOutput, error) {
	c, err := p.open(run)
	if err != nil {
		return retryOutput{}, err
	}
	defer c.Close()
	if isPattern(p.Address) {
		return retryAllOf(ctx, run, c, p)
	}
	if project, _, _ := strings.Cut(p.Address, "@"); !strings.Contains(p.Address, "/") {
		return retryOutput{}, sdk.Permanent(sdk.Code("bad_address", fmt.Errorf("address %.200q: that is a project alone: write %.200s/* to retry all that state and since say, or %.200s/WORKFLOW for one", p.Address, project, project)))
	}
	a, err := parseAddress(p.Address)
	if err != nil {
		return retryOutput{}, err
	}
	if a.Task != "" && p.Mode != retryFrom {
		return retryOutput{}, sdk.Permanent(sdk.Code("bad_address", fmt.Errorf("address %q: a task needs mode from, which runs it and all that follows", p.Address)))
	}
	if p.From == "" {
		p.From = a.Task
	}
	if p.Mode == retryFrom && p.From == "" {
		return retryOutput{}, sdk.Permanent(sdk.Code("bad_params", errors.New("mode from: from which task? give from, or +task in the address")))
	}
	found, err := address.FindAttempt(ctx, c, a, time.Now())
	if err != nil {
		return retryOutput{}, told("retrying "+p.Address, err)
	}
	done, err := retryOne(ctx, run, c, found, p)
	if err != nil {
		return retryOutput{}, told("retrying "+p.Address, err)
	}
	out := retryOutput{Attempts: []retried{done}, DryRun: p.DryRun}
	if done.New == nil && !p.DryRun || done.Existed || len(done.Tasks) == 0 && done.New == nil {
		return out, sdk.Unchanged()
	}
	out.Retried = 1
	return out, nil
}

// retryOne retries an attempt. Without a new one and an error there was nothing to do.
func retryOne(ctx context.Context, run *sdk.Run, c *client.Client, a client.Attempt, p retryParams) (retried, error) {
	name := attemptName(run, p.Name)
	all, err := c.Retries(ctx, a.ID)
	if err != nil {
		return retried{}, err
	}
	var mine client.Attempt
	last := a
	for _, x := range all {
		if x.RetryAttemptName == name {
			mine = x
		} else if mine.ID == "" && x.ID.Compare(last.ID) > 0 {
			last = x
		}
	}
	if mine.ID == a.ID { // it was started by an earlier try, so that the address finds it
		for i, x := range all {
			if x.ID == mine.ID && i > 0 {
				last = all[i-1]
			}
		}
	}
	out := retried{Old: attemptRun(c, last), SessionUUID: last.SessionUUID, Tasks: []string{}}
	if mine.ID == "" {
		if last.State() == client.Success && p.Mode == retryFailed {
			run.Log().Info("it succeeded, so that nothing is retried", "attempt", last.ID)
			return out, nil
		}
		// An older one may outlast those that came after it.
		for _, x := range append(all, last) {
			if !x.Done {
				return out, sdk.Code("still_running", fmt.Errorf("attempt %s of %s: %w", x.ID, sessionAddress(x), errStillRuns))
			}
		}
	}
	tasks, err := c.Tasks(ctx, last.ID)
	if err != nil {
		return out, err
	}
	plan, err := planRetry(last, tasks, p.Mode, p.From)
	if err != nil && mine.ID == "" {
		return out, err
	}
	out.Tasks = append(out.Tasks, plan.freed...)
	if p.DryRun {
		return out, nil
	}
	s := client.Started{Attempt: mine, Existed: true}
	if mine.ID == "" {
		if s, err = restart(ctx, c, last, plan, name, p); err != nil {
			return out, err
		}
	}
	out.New, out.Existed = new(attemptRun(c, s.Attempt)), s.Existed && p.Name != ""
	run.Log().Info("retried", "attempt", s.Attempt.ID, "of", last.ID, "session", sessionAddress(last), "tasks", len(out.Tasks), "link", out.New.Link)
	return out, nil
}

// restart asks for the attempt.
func restart(ctx context.Context, c *client.Client, a client.Attempt, plan plan, name string, p retryParams) (client.Started, error) {
	params, err := merge(a.Params, p.Params)
	if err != nil {
		return client.Started{}, err
	}
	workflow := a.Workflow.ID
	if p.Revision == "latest" || workflow == "" {
		w, err := c.WorkflowNamed(ctx, client.Project{ID: a.Project.ID, Name: a.Project.Name}, a.Workflow.Name)
		if err != nil {
			return client.Started{}, err
		}
		workflow = w.ID
	}
	return c.Start(ctx, client.StartRequest{
		Workflow: workflow, SessionTime: a.SessionTime, RetryAttemptName: name, Params: params, Resume: plan.resume,
	})
}

// attemptName is the same over all retries of a run.
func attemptName(run *sdk.Run, given string) string {
	if given != "" {
		return given
	}
	key := run.Key()
	if key == "" {
		key = run.ID()
	}
	sum := sha256.Sum256([]byte(key))
	return "outrider-" + hex.EncodeToString(sum[:8])
}
