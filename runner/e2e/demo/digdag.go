package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/outrider-run/outrider/dig/digdagtest"
)

// digdag is a Digdag server, a real one where there is one, else its double.
type digdag struct {
	demo
	server  *digdagtest.Server
	attempt string
}

func (e *digdag) start(ctx context.Context) error {
	kind, err := digdagtest.Find()
	if err != nil {
		return err
	}
	what := "Digdag's double"
	if kind.Real {
		what = "Digdag"
	}
	e.say("Starting %s (%s) …", what, kind.Origin)
	dir := filepath.Join(e.temp, "digdag")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if e.server, err = digdagtest.Start(ctx, digdagtest.Options{Dir: dir, Env: e.env()}); err != nil {
		return err
	}
	if _, err := e.server.Push(ctx, "shop", e.project); err != nil {
		return err
	}
	e.say("%s runs at %s and has %s as project shop.", what, e.server.URL, e.project)
	return nil
}

func (e *digdag) stop() error {
	if e.server == nil {
		return nil
	}
	return e.server.Stop()
}

func (e *digdag) begin(ctx context.Context) error {
	a, err := e.server.StartWorkflow(ctx, "shop", "etl", e.params())
	e.attempt = a.ID
	return err
}

func (e *digdag) look(ctx context.Context) ([]task, bool, error) {
	attempt, err := e.server.Attempt(ctx, e.attempt)
	if err != nil {
		return nil, false, err
	}
	all, err := e.server.Tasks(ctx, e.attempt)
	if err != nil {
		return nil, false, err
	}
	var tasks []task
	for _, t := range all {
		name, isTask := strings.CutPrefix(t.FullName, "+etl+")
		if !isTask || strings.Contains(name, "^") {
			continue // the workflow itself, and what Digdag adds on a failure
		}
		now := task{name: name, state: t.State}
		switch t.State {
		case "success":
			now.result = succeeded
		case "error", "group_error", "canceled":
			now.result = failed
		}
		tasks = append(tasks, now)
	}
	return tasks, attempt.Done, nil
}

// output is the last line of the log that is JSON: Digdag keeps both outputs of a
// process in one log, with lines of its own.
func (e *digdag) output(ctx context.Context, t task) (last string, err error) {
	text, err := e.log(ctx, t)
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "{") && strings.HasSuffix(line, "}\n") {
			last = strings.TrimSpace(line)
		}
	}
	return last, err
}

func (e *digdag) log(ctx context.Context, t task) (string, error) {
	return e.server.Log(ctx, e.attempt, "+etl+"+t.name)
}

func (e *digdag) job() string { return filepath.Join(e.project, "etl.dig") }
