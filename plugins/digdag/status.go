package main

import (
	"context"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type statusParams struct {
	source
	Address string `json:"address" min:"1" help:"PROJECT/WORKFLOW[@SESSION]: @latest, which is the default, @today, @2026-11-22, @2026-11-22T07:00:00, or @ and an attempt's or session's id"`
}

// Validate checks what a tag cannot say.
func (p statusParams) Validate() error {
	_, err := address.Parse(p.Address)
	return err
}

func statusComponent() sdk.Component {
	return sdk.Define("digdag.status", status,
		sdk.Doc(`Shows one attempt: its state, and each task with its state, start, end, tries and error.

The address names a session, whose last attempt it is, or an attempt by its id. Of what failed, or else runs longest, there is the end of the log too, where the server keeps logs. A task in an address is left aside.

The output is no longer than 100 KiB, since under py> it becomes parameters of the tasks that follow: of an attempt with very many tasks those that failed or are open come first, and blind tells how many are left out. The attempt's params, which may hold secrets, are not given.

Digdag tells neither when a group started, which is given as the start of its first task, nor whether a running task waits for an agent still.`),
		sdk.Example("The newest session of a workflow", `{"endpoint": "http://localhost:65432", "address": "etl/daily"}`),
		sdk.Example("That of a day", `{"address": "etl/daily@2026-11-21"}`))
}

func status(ctx context.Context, run *sdk.Run, p statusParams) (statusOutput, error) {
	c, err := p.open(run)
	if err != nil {
		return statusOutput{}, err
	}
	defer c.Close()
	doing := "find " + p.Address
	at, err := parseAddress(p.Address)
	if err != nil {
		return statusOutput{}, err
	}
	a, err := address.FindAttempt(ctx, c, at, time.Now())
	if err != nil {
		return statusOutput{}, told(doing, err)
	}
	seen, blind, err := detailed(ctx, c, runOf(a, originOf(a), c.Endpoint()))
	if err != nil {
		return statusOutput{}, err
	}
	out := statusOutput{statusRun: statusRun(seen), Failed: []observe.Task{}, Blind: blind}
	for _, x := range out.Tasks {
		if failedItself(x) {
			out.Failed = append(out.Failed, x)
		}
	}
	all, err := c.Retries(ctx, a.ID)
	if err != nil {
		if ctx.Err() != nil {
			return statusOutput{}, told(doing, err)
		}
		out.Blind = append(out.Blind, fmt.Sprintf("the session's other attempts: %v", err))
	}
	for _, other := range all {
		if other.ID != a.ID {
			out.Attempts = append(out.Attempts, runOf(other, originOf(other), c.Endpoint()))
		}
	}
	if a.Workflow.ID != "" {
		if w, err := c.Workflow(ctx, a.Workflow.ID); err == nil { // it may have gone with its project
			out.Revision = w.Revision
		}
	}
	return fitted(out), nil
}
