package main

import (
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk/observe"
)

// runID names a run among those of all DAGs: scheduled ones of several have the same
// id. It is the run's address.
func runID(dag, run string) string {
	return address.Address{DAG: dag, Run: address.Run{Kind: address.ID, ID: run}}.String()
}

// parseRunID is the DAG and the run of a runID.
func parseRunID(id string) (dag, run string, ok bool) {
	a, err := address.Parse(id)
	ok = err == nil && a.Source == "" && a.Run.Kind == address.ID && a.Task == ""
	return a.DAG, a.Run.ID, ok
}

// runOf is a DAG run as it is reported. link is where a person sees it.
func runOf(r client.DAGRun, link string) observe.Run {
	id := runID(r.DAG, r.ID)
	run := observe.Run{
		ID: id, Address: id, Workflow: r.DAG, Session: r.ID,
		Time: r.Logical, State: runState(r.State),
		Created: r.Queued, Started: r.Start, Ended: r.End,
		Trigger: trigger(r.Type), Revision: r.Revision, Link: link,
		Labels: map[string]string{}, // which the run before may have had
	}
	if r.By != "" {
		run.Labels["by"] = r.By
	}
	if !run.State.Ended() {
		run.Ended = time.Time{}
	}
	return run
}

// firstSeen puts in when a run was seen first, where Airflow does not tell since when
// it is queued.
func firstSeen(run observe.Run, first time.Time) observe.Run {
	if run.Created.IsZero() {
		run.Created = run.Started
		if !first.IsZero() && (run.Started.IsZero() || first.Before(run.Started)) {
			run.Created = first
		}
	}
	return run
}

// runState is what Airflow's word means. One that is not known here is open.
func runState(word string) observe.State {
	switch word {
	case "success":
		return observe.Success
	case "failed":
		return observe.Failed
	case "queued":
		return observe.Queued
	}
	return observe.Running
}

// trigger is what started a run, in the words that all engines share.
func trigger(kind string) string {
	switch kind {
	case "scheduled":
		return "schedule"
	case "dataset_triggered", "asset_triggered", "asset_materialization":
		return "dataset"
	}
	return kind
}
