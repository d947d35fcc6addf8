package main

import (
	"context"
	"fmt"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type pauseParams struct {
	source
	Address string `json:"address" help:"the DAG" min:"1"`
	Paused  bool   `json:"paused" help:"false unpauses it" default:"true"`
}

type pauseOutput struct {
	DAG    string        `json:"dag"`
	Paused bool          `json:"paused" help:"as it is now"`
	Was    bool          `json:"was" help:"as it was"`
	Open   []observe.Run `json:"open" help:"its runs that are queued or running: of a paused DAG they stand still once the tasks under way have ended"`
}

func pauseComponent() sdk.Component {
	return sdk.Define("airflow.pause", pause,
		sdk.Doc(`Pauses a DAG on Airflow, or unpauses it.

A paused DAG starts no runs and no tasks: what runs goes on to its end, and a run that is open stands still then until the DAG is unpaused. open lists those. After unpausing, a DAG with catchup starts all runs that it missed, another one the last of them. One that was so already is unchanged.`),
		sdk.Example("Pause", `{"endpoint": "http://airflow.internal:8080", "user": "outrider", "password": "env:AIRFLOW_PASSWORD", "address": "daily"}`),
		sdk.Example("Unpause", `{"endpoint": "http://airflow.internal:8080", "address": "daily", "paused": false}`))
}

func pause(ctx context.Context, run *sdk.Run, p pauseParams) (pauseOutput, error) {
	a, err := parseAddress(p.Address)
	if err != nil {
		return pauseOutput{}, err
	}
	if a.Run.Kind != address.None || a.Task != "" {
		return pauseOutput{}, sdk.Permanent(sdk.Code("bad_address", fmt.Errorf("address %q: a DAG is paused, not a run or task of it; want %s", p.Address, a.DAG)))
	}
	c, err := p.open(run)
	if err != nil {
		return pauseOutput{}, err
	}
	defer c.Close()
	doing := "pausing " + a.DAG
	if !p.Paused {
		doing = "unpausing " + a.DAG
	}
	d, err := address.FindDAG(ctx, c, a)
	if err != nil {
		return pauseOutput{}, told(doing, err)
	}
	out := pauseOutput{DAG: d.ID, Paused: d.Paused, Was: d.Paused, Open: []observe.Run{}}
	if d.Paused != p.Paused {
		now, err := c.Pause(ctx, d.ID, p.Paused)
		if err != nil {
			return pauseOutput{}, told(doing, err)
		}
		out.Paused = now.Paused
	}
	open, _, err := c.RunsPage(ctx, client.RunFilter{DAG: d.ID, States: []string{"queued", "running"}})
	if err != nil {
		return out, told(doing+", which is done: its open runs", err)
	}
	for _, r := range open {
		out.Open = append(out.Open, runTold(c, r))
	}
	if out.Paused && len(open) > 0 {
		run.Log().Warn("open runs stand still once their tasks under way have ended, until the DAG is unpaused", "dag", d.ID, "runs", len(open))
	}
	if out.Was == out.Paused {
		return out, sdk.Unchanged()
	}
	run.Log().Info(map[bool]string{true: "paused", false: "unpaused"}[out.Paused], "dag", d.ID)
	return out, nil
}
