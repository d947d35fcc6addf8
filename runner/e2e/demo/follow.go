package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// engine runs the job.
type engine interface {
	// start starts the engine and hands it the job.
	start(ctx context.Context) error
	stop() error
	// begin starts a run of the job.
	begin(ctx context.Context) error
	// look tells about the job's tasks, in their order, and whether all is over.
	look(ctx context.Context) (tasks []task, over bool, err error)
	// output is what a task returned; empty while the engine does not have it.
	output(ctx context.Context, t task) (string, error)
	log(ctx context.Context, t task) (string, error)
	// job is the file that the engine read.
	job() string
	// hang shows a job that hangs, and what helps.
	hang(ctx context.Context) error
}

// task is a task of the job as the engine shows it.
type task struct {
	name, state string
	try         int
	result      result
}

// result is what the engines' states come to.
type result int

const (
	open result = iota
	succeeded
	failed
)

// lateness is how long an engine may take to have the log of a task that ended.
const lateness = 5 * time.Second

// show runs the job on e from start to end.
func (d demo) show(ctx context.Context, e engine) (err error) {
	began := time.Now()
	defer func() { err = errors.Join(err, e.stop()) }()
	if err := e.start(ctx); err != nil {
		return err
	}
	if err := e.begin(ctx); err != nil {
		return err
	}
	d.say("")
	tasks, outputs, err := d.follow(ctx, e)
	if err != nil {
		return err
	}
	if err := d.keepLogs(ctx, e, tasks); err != nil {
		return err
	}
	d.say("\n  the job    %s", e.job())
	d.say("  its files  %s", short(d.results))
	d.say("  task logs  %s", short(d.logs()))
	for _, t := range tasks {
		if t.result == failed {
			return d.failure(t)
		}
	}
	var loaded struct {
		Rows         int `json:"rows"`
		RevenueCents int `json:"revenue_cents"`
	}
	if err := json.Unmarshal([]byte(outputs["load"]), &loaded); err != nil {
		return fmt.Errorf("the output of load is %q: %w", outputs["load"], err)
	}
	d.say("done: %d tasks in %.1f s; %s is loaded: %d rows, %d.%02d EUR", len(tasks), time.Since(began).Seconds(),
		d.month, loaded.Rows, loaded.RevenueCents/100, loaded.RevenueCents%100)
	return e.hang(ctx)
}

// follow prints every task once it has ended, and in the end those that never
// began.
func (d demo) follow(ctx context.Context, e engine) (tasks []task, outputs map[string]string, err error) {
	outputs = map[string]string{}
	shown := 0
	var late time.Time
	for {
		var over bool
		if tasks, over, err = e.look(ctx); err != nil {
			return nil, nil, err
		}
		for _, t := range tasks[shown:] {
			if !over && t.result == open {
				break
			}
			if t.result == succeeded {
				if outputs[t.name], err = e.output(ctx, t); err != nil {
					return nil, nil, err
				}
				if late = cmp.Or(late, time.Now()); outputs[t.name] == "" && time.Since(late) < lateness {
					over = false
					break
				}
				late = time.Time{}
			}
			d.say("%s", strings.TrimRight(fmt.Sprintf("  %-10s %-16s %s", t.name, t.state, outputs[t.name]), " "))
			shown++
		}
		if over {
			return tasks, outputs, nil
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// keepLogs writes what the tasks logged beside their files.
func (d demo) keepLogs(ctx context.Context, e engine, tasks []task) error {
	for _, t := range tasks {
		if t.result == open {
			continue
		}
		text, err := e.log(ctx, t)
		if err != nil {
			return err
		}
		if err := os.WriteFile(d.logFile(t), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (d demo) logFile(t task) string { return filepath.Join(d.logs(), t.name+".log") }

// failure shows why a task failed.
func (d demo) failure(t task) error {
	text, err := os.ReadFile(d.logFile(t))
	if err != nil {
		return err
	}
	d.say("\nThe log of %s:", t.name)
	for line := range strings.Lines(string(text)) {
		d.say("  | %s", strings.TrimRight(line, "\n"))
	}
	return fmt.Errorf("task %s ended as %s", t.name, t.state)
}
