package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type logsParams struct {
	source
	Address string `json:"address" help:"DAG[@RUN][/TASK]; without @ the latest run; of a mapped task TASK[3] is one instance, TASK all" min:"1"`
	Try     int    `json:"try" help:"this try of a task alone, from 1; 0 is all" default:"0" min:"0"`
	Follow  bool   `json:"follow" help:"until the run ends, or the task in the address, tell each line as it comes, as stream does" default:"false"`
	Stream  bool   `json:"stream" help:"tell each line as a line of the run's log too, at info with the field task" default:"false"`
	Lines   int    `json:"lines" help:"the output holds at most so many lines, the last, and of them 4 MiB" default:"1000" min:"0" max:"100000"`
	pace
}

// Validate checks what a tag cannot say.
func (p logsParams) Validate() error {
	_, err := address.Parse(p.Address)
	return err
}

type logsOutput struct {
	Run   observe.Run `json:"run" help:"the run, as it was in the end"`
	Lines []logLine   `json:"lines" help:"the last lines, by try"`
	Count int         `json:"count" help:"how many lines there were in all"`
	Cut   bool        `json:"cut,omitempty" help:"lines holds not all of them; the artifact log does"`
	Tries []logTry    `json:"tries" help:"one for each try of a task, by its start"`
	Note  string      `json:"note,omitempty" help:"why there may be less than expected"`
}

// logLine is one line of a task's log.
type logLine struct {
	Task  string    `json:"task" help:"with [n] for a mapped one"`
	Try   int       `json:"try"`
	Time  time.Time `json:"time,omitzero"`
	Level string    `json:"level,omitempty" help:"debug, info, warning, error or critical"`
	Text  string    `json:"text" help:"at most 16 KiB of it"`
}

type logTry struct {
	Task    string    `json:"task"`
	Try     int       `json:"try"`
	Word    string    `json:"word,omitempty" help:"Airflow's for the task's state, of its last try"`
	Started time.Time `json:"started,omitzero" help:"of the last try"`
	Lines   int       `json:"lines"`
	Whole   bool      `json:"whole" help:"the try has ended; else more may come"`
	Error   string    `json:"error,omitempty" help:"why it cannot be read"`
}

func logsComponent() sdk.Component {
	return sdk.Define("airflow.logs", logs,
		sdk.Doc(`Reads what the tasks of a DAG run said, on Airflow 3 or 2.

The address names the run, and perhaps a task and a map index of it. The output holds the last lines, the artifact log all of them, with a heading for each try of a task. With follow, or stream, each line is told as well as a line of the run's own log: at level info, with the line as message and the task's name in the field task. Follow ends with the run, or with the task in the address; it goes on when the server restarts, and after a retry.

What Airflow puts around a log to say where it was read, and the marks of folds, are left out.

A log that the server cannot get, as when the worker that kept it is gone, has an error under tries and stops no other.`),
		sdk.Example("One task of today", `{"endpoint": "http://airflow.internal:8080", "user": "outrider", "password": "env:AIRFLOW_PASSWORD", "address": "etl@today/load", "lines": 50}`),
		sdk.Example("The second try of a mapped task's instance", `{"address": "etl/load[3]", "try": 2}`),
		sdk.Example("Everything, as it comes", `{"address": "etl", "follow": true}`))
}

func logs(ctx context.Context, run *sdk.Run, p logsParams) (logsOutput, error) {
	a, err := parseAddress(p.Address)
	if err != nil {
		return logsOutput{}, err
	}
	c, err := p.open(run)
	if err != nil {
		return logsOutput{}, err
	}
	defer c.Close()
	doing := "reading the log of " + p.Address
	r, err := address.FindRun(ctx, c, a, c.Now())
	if err != nil {
		return logsOutput{}, told(doing, err)
	}
	whole, err := run.Create("log")
	if err != nil {
		return logsOutput{}, fmt.Errorf("%s: %w", doing, err)
	}
	reading := newLogReading(run, whole, p.Lines, p.Stream, p.Follow)
	w := watch{pace: p.pace, run: run, answered: true}
	err = w.until(ctx, doing, func(ctx context.Context) (bool, string, error) {
		// The run first: what its tasks said last is there once it has ended.
		now, err := c.Run(ctx, r.DAG, r.ID)
		if err != nil {
			return false, "", err
		}
		r = now
		all, err := c.Tasks(ctx, r.DAG, r.ID)
		if err != nil {
			return false, "", err
		}
		tasks, err := logsOf(r, all, a, p.Follow)
		if err != nil {
			return false, "", err
		}
		if err := reading.read(ctx, c, tasks, p.Try); err != nil {
			return false, "", err
		}
		run.Progress(float64(reading.count), 0, fmt.Sprintf("%d lines, run %s is %s", reading.count, runID(r.DAG, r.ID), r.State))
		done := !p.Follow || (r.Ended() || a.Task != "" && over(tasks)) && !reading.more
		if done && p.Try > 0 && len(reading.tries) == 0 && len(tasks) > 0 {
			return false, "", noTry(tasks, p.Try)
		}
		return done, "following " + runID(r.DAG, r.ID), nil
	})
	if closed := whole.Close(); err == nil && closed != nil {
		err = fmt.Errorf("%s: %w", doing, closed)
	}
	if err != nil {
		return logsOutput{}, err
	}
	return reading.output(runOf(r, c.Link(r.DAG, r.ID, a.Task, a.MapIndex()))), nil
}

// logsOf are the task instances that an address names, all where it names no task. One
// that there is not is an error only where it will not come any more.
func logsOf(r client.DAGRun, all []client.TaskInstance, a address.Address, follow bool) ([]client.TaskInstance, error) {
	if a.Task == "" {
		return all, nil
	}
	tasks, err := address.FindTasks(r, all, a)
	var none *address.Missing
	if errors.As(err, &none) && !r.Ended() && (len(all) == 0 || follow && none.What == "index") {
		return nil, nil
	}
	return tasks, err
}

// over reports whether nothing more comes of any of them.
func over(tasks []client.TaskInstance) bool {
	for _, t := range tasks {
		if !t.Over() {
			return false
		}
	}
	return len(tasks) > 0
}

func noTry(tasks []client.TaskInstance, try int) error {
	most := 0
	for _, t := range tasks {
		most = max(most, tries(t))
	}
	return &address.Missing{What: "try", Err: fmt.Errorf("there is no try %d, they go up to %d", try, most)}
}

func (l *logReading) output(run observe.Run) logsOutput {
	out := logsOutput{Run: run, Lines: l.last.list(), Count: l.count, Tries: []logTry{}}
	out.Cut = len(out.Lines) < out.Count
	unfinished, unread, room := 0, 0, mostListed
	for _, o := range l.tries {
		if o.about.Error != "" {
			unread++
		} else if !o.about.Whole {
			unfinished++
		}
		if room -= cost(o.about); room >= 0 {
			out.Tries = append(out.Tries, o.about)
		}
	}
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	switch {
	case len(l.tries) == 0 && run.State.Ended():
		note("no task of it began")
	case len(l.tries) == 0:
		note("no task of it has begun yet")
	case unfinished > 0:
		note("%d try or tries are not over, and may say more", unfinished)
	}
	if unread > 0 {
		note("%d log(s) could not be read: error in tries says why", unread)
	}
	if l.last.full {
		note("the lines are cut to the last %d MiB: the artifact log has all of them, a /task in the address or fewer lines gives less", mostLines>>20)
	}
	if left := len(l.tries) - len(out.Tries); left > 0 {
		note("%d of the tries are not listed: a /task in the address lists those of a task", left)
	}
	out.Note = strings.Join(notes, "; ")
	return out
}
