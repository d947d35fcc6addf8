package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

// airflow is a real Airflow 3.
type airflow struct {
	demo
	server *airflowtest.Server
	run    airflowtest.Run
}

func (e *airflow) start(ctx context.Context) error {
	dags := filepath.Join(e.temp, "dags")
	if err := os.CopyFS(filepath.Join(dags, "etl"), os.DirFS(e.project)); err != nil {
		return err
	}
	e.say("Starting Airflow %s; the first time it is installed, which takes a minute …", airflowtest.V3)
	var err error
	e.server, err = airflowtest.Start(ctx, airflowtest.Options{Version: airflowtest.V3, Env: e.env(), Config: map[string]string{"core.dags_folder": dags}})
	if err != nil {
		return err
	}
	if err := e.server.AwaitDAG(ctx, "etl"); err != nil {
		return err
	}
	e.say("Airflow runs at %s and has %s as DAG etl.", e.server.URL, e.project)
	return nil
}

func (e *airflow) stop() error {
	if e.server == nil {
		return nil
	}
	return e.server.Stop()
}

func (e *airflow) begin(ctx context.Context) (err error) {
	e.run, err = e.server.Trigger(ctx, "etl", e.params())
	return err
}

func (e *airflow) look(ctx context.Context) ([]task, bool, error) {
	state, err := e.run.State(ctx)
	if err != nil {
		return nil, false, err
	}
	var tasks []task
	for _, name := range []string{"extract", "transform", "check", "load"} {
		t, err := e.run.Task(ctx, name)
		if err != nil {
			return nil, false, err
		}
		now := task{name: name, state: t.State, try: t.Try}
		switch t.State {
		case "success":
			now.result = succeeded
		case "failed":
			now.result = failed
		}
		tasks = append(tasks, now)
	}
	return tasks, state == "success" || state == "failed", nil
}

// output is the task's XCom: the last line that it printed.
func (e *airflow) output(ctx context.Context, t task) (string, error) {
	text, _, err := e.run.XCom(ctx, t.name)
	return text, err
}

func (e *airflow) log(ctx context.Context, t task) (string, error) {
	lines, err := e.run.Log(ctx, t.name, t.try)
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.Text + "\n")
	}
	return text.String(), err
}

func (e *airflow) job() string { return filepath.Join(e.project, "etl.py") }

// hang shows nothing: what it takes is the same as on Digdag, and takes Airflow longer.
func (e *airflow) hang(context.Context) error { return nil }
