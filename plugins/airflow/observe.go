package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type observeParams struct {
	source
	observe.Ask
	Deep bool `json:"deep" help:"look at import errors, pools, waiting and running task instances, and live jobs too" default:"false"`
}

// Validate checks what a tag cannot say.
func (p observeParams) Validate() error {
	var all []error
	for _, id := range p.Details {
		if _, _, ok := parseRunID(id); !ok {
			all = append(all, fmt.Errorf("details: %.200q is no run's id; ids are DAG@RUN, as in the report", id))
		}
	}
	if _, err := readCursor(p.Cursor); err != nil {
		all = append(all, fmt.Errorf("cursor: %w", err))
	}
	return errors.Join(all...)
}

func observeComponent() sdk.Component {
	return sdk.Define("airflow.observe", observeServer,
		sdk.Doc(`Reports what an Airflow 3 or 2 runs: every open DAG run, those that ended since the last pass, its DAGs, and how its scheduler, triggerer, DAG processor and database are.

A run's id is DAG@RUN here, which is its address too: scheduled runs of several DAGs have the same run id.

The output's cursor is given to the next pass. A pass takes one request for the version (two of an Airflow 2), one for a token, one for the health, one for each 100 open runs, ended runs and DAGs, at least one each, and one for each run that was open and is in no list any more, mostly none. With deep there are four more: import errors, pools, live jobs (Airflow 3), and each 100 task instances that wait or run; the last tell who holds the slots of a pool of which not half is open too, as pool_holder_slots. Each of details costs two requests: its tasks, and the end of the log of the one that failed or runs longest.

A pass without a cursor tells of open runs alone, and of those that ended since history_from. A run that was cleared is open again, and its next end is told. When its limit cuts a report short, the cursor stands before what was left out, which the next pass reports.

A part is well when Airflow says so and its heartbeat is not older than two minutes by the server's clock. Without a login, or without the right to see, health and version are reported, and blind tells of each other part that it is not looked at, and why; a role that may see some DAGs only sees their runs only, of which Airflow says nothing.

A DAG's tags are labels of it. With the tags outrider:threshold=2h, outrider:channel=#team, outrider:runbook=https://… and outrider:off, or outrider:off=late,missing, its owner sets how it is watched.

A DAG whose file broke has broken set. Airflow 3 takes it for stale soon and lists it no more: deep, which knows of the import error, lists it all the same.

next_run is Airflow's own. Airflow 3 leaves it in the past while max_active_runs are open, and an Airflow 2 has none then: only a DAG with no open run is late.`),
		sdk.Example("The first pass, with what ended since yesterday", `{"endpoint": "http://airflow.internal:8080", "user": "outrider", "password": "env:AIRFLOW_PASSWORD", "history_from": "2026-11-20T00:00:00Z"}`),
		sdk.Example("Health alone, which needs no login", `{"endpoint": "http://airflow.internal:8080"}`),
		sdk.Example("All there is to see, with the tasks of one run, of a managed Airflow", `{"endpoint": "https://airflow.example.com/prod", "token_command": ["print-airflow-token"], "deep": true, "details": ["etl@scheduled__2026-11-21T00:00:00+00:00"]}`))
}

// airflow is what is asked of a server to observe it; *client.Client is one.
type airflow interface {
	Version(ctx context.Context) (client.Version, error)
	Now() time.Time
	Health(ctx context.Context) ([]client.Part, error)
	runLister
	Run(ctx context.Context, dag, run string) (client.DAGRun, error)
	DAGs(ctx context.Context, f client.DAGFilter) iter.Seq2[client.DAG, error]
	DAGsOfBrokenFiles(ctx context.Context) (dags []client.DAG, total int, err error)
	ImportErrors(ctx context.Context) ([]client.ImportError, error)
	Pools(ctx context.Context) ([]client.Pool, error)
	TasksIn(ctx context.Context, states ...string) ([]client.TaskInstance, error)
	Jobs(ctx context.Context) ([]client.Job, error)
	tasksAndLogs
	Link(dag, run, task string, mapIndex int) string
	HasCredentials() bool
	Requests() int
	Endpoint() string
}

// runLister lists runs.
type runLister interface {
	RunsPage(ctx context.Context, f client.RunFilter) ([]client.DAGRun, int, error)
}

func observeServer(ctx context.Context, run *sdk.Run, p observeParams) (observe.Snapshot, error) {
	c, err := p.openFor(run, p.Requests)
	if err != nil {
		return observe.Snapshot{}, err
	}
	defer c.Close()
	o := observer{
		airflow: c, most: p.Requests,
		progress: func(done int, note string) { run.Progress(float64(done), 0, note) },
	}
	s, err := o.pass(ctx, p.Ask, p.Deep)
	if err != nil {
		return observe.Snapshot{}, err
	}
	for _, dead := range deadBefore(p.given(), c.Endpoint()) {
		s.Health = append(s.Health, observe.Health{Name: "endpoint " + dead, Note: "it failed, and " + c.Endpoint() + " was asked"})
	}
	return s, nil
}

// deadBefore are the endpoints that were tried before one answered.
func deadBefore(given endpoints, answered string) (dead []string) {
	for _, e := range given {
		one, err := client.New(client.Options{Endpoints: []string{e}})
		if err != nil || one.Endpoint() == answered {
			return dead
		}
		dead = append(dead, one.Endpoint())
	}
	return dead
}
