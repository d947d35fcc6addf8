package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/internal/rest"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type observeParams struct {
	source
	observe.Ask
}

// Validate checks what a tag cannot say.
func (p observeParams) Validate() error {
	var all []error
	for _, id := range p.Details {
		if !client.ID(id).Valid() {
			all = append(all, fmt.Errorf("details: %.60q is no attempt's id; ids are numbers", id))
		}
	}
	if _, err := readCursor(p.Cursor); err != nil {
		all = append(all, fmt.Errorf("cursor: %w", err))
	}
	return errors.Join(all...)
}

func observeComponent() sdk.Component {
	return sdk.Define("digdag.observe", observeServer,
		sdk.Doc(`Reports what a Digdag server runs: every open attempt, those that ended since the last pass, and its schedules.

The output's cursor is given to the next pass; with it a pass costs as many requests as there is news: one for the version, one for each 100 new attempts, at least one, one for each 100 schedules, and one for each open attempt that is not among the newest 100, less where several stand close together. After a push there is one more for each project that was pushed, its workflows, and at the first pass one for each 1,000 workflows. Attempts that were retried are seen too. A pass without a cursor looks back until two pages of 100 attempts are done and older than 8 days, or than history_from. An attempt that runs for longer without a cursor is not seen.

Each of details costs up to three requests more: its tasks, and the end of the log of the one that failed or runs longest, where the server keeps logs.

The owner of a workflow sets in it how it is watched, under outrider: in its top _export: threshold, channel, runbook and off, without ${…}. They are the labels outrider.threshold and so on of its schedule and its runs, those of its newest revision; a push is seen by its schedules, and without those by its first attempt.

Of a run's parameters values longer than 64 bytes are digests, and at most 16 KiB are reported.

A run is queued while it waits in a backfill for the one before it. Digdag says running of that too; it is told by the attempts' parameters, and with details by the tasks: there are none, or none ever began, where no server's executor takes the run up. Where an executor works and no agent does, Digdag says of the first task that it runs, and since when it did: nothing tells such a run from one that hangs.

Digdag does not tell how many attempts may be open at once (executor.attempt_max_run). open_attempts_limit is its default of 100 and, where more are open, as many, with from saying that it is at least that: a server that is set to more is taken for nearly full from 80 on. For such a one have a rule of kind saturated that is off, and a signal rule on open_attempts.

When its limit cuts a report short, the cursor stands before what was left out, which the next pass reports.`),
		sdk.Example("The first pass, with what ended since yesterday", `{"endpoint": "http://localhost:65432", "history_from": "2026-11-20T00:00:00Z"}`),
		sdk.Example("Two servers on one database, with basic authentication, and the tasks of one attempt", `{"endpoint": ["http://a:65432", "http://b:65432"], "user": "outrider", "password": "env:DIGDAG_PASSWORD", "details": ["812"]}`))
}

// digdag is what is asked of a server to observe it; *client.Client is one.
type digdag interface {
	Version(ctx context.Context) (string, error)
	AttemptsPage(ctx context.Context, f client.AttemptFilter) ([]client.Attempt, error)
	Attempt(ctx context.Context, id client.ID) (client.Attempt, error)
	Schedules(ctx context.Context, f client.ScheduleFilter) iter.Seq2[client.Schedule, error]
	Workflows(ctx context.Context, project client.ID, revision string) ([]client.Workflow, error)
	AllWorkflows(ctx context.Context) iter.Seq2[client.Workflow, error]
	tasksAndLogs
	Requests() int
	Endpoint() string
}

func observeServer(ctx context.Context, run *sdk.Run, p observeParams) (observe.Snapshot, error) {
	c, err := p.openFor(run, p.Requests)
	if err != nil {
		return observe.Snapshot{}, err
	}
	defer c.Close()
	o := observer{
		digdag: c, page: attemptsPage, most: p.Requests, now: time.Now().UTC(),
		progress: func(attempts int, note string) { run.Progress(float64(attempts), 0, note) },
	}
	s, err := o.pass(ctx, p.Ask)
	if err != nil {
		return observe.Snapshot{}, err
	}
	for _, dead := range p.deadBefore(c.Endpoint()) {
		s.Health = append(s.Health, observe.Health{Name: "endpoint " + dead, Note: "it failed, and " + c.Endpoint() + " was asked"})
	}
	return s, nil
}

// deadBefore are the endpoints that were tried before one answered.
func (s source) deadBefore(answered string) (dead []string) {
	given := s.Endpoint
	if len(given) == 0 {
		given = rest.SplitEndpoints(os.Getenv("OUTRIDER_DIGDAG_ENDPOINT"))
	}
	for _, e := range given {
		one, err := client.New(client.Options{Endpoints: []string{e}})
		if err != nil || one.Endpoint() == answered {
			return dead
		}
		dead = append(dead, one.Endpoint())
	}
	return dead
}
