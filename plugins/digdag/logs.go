package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type logsParams struct {
	source
	Address string `json:"address" help:"PROJECT/WORKFLOW[@SESSION][+task]; without @ the latest session; of a group all its tasks" min:"1"`
	Follow  bool   `json:"follow" help:"until the attempt ends, tell each line as it comes, as stream does" default:"false"`
	Stream  bool   `json:"stream" help:"tell each line as a line of the run's log too, at info with the field task" default:"false"`
	Lines   int    `json:"lines" help:"the output holds at most so many lines, the last, and of them 4 MiB" default:"1000" min:"0" max:"100000"`
	pace
}

type logsOutput struct {
	Run   observe.Run `json:"run" help:"the attempt, as it was in the end"`
	Lines []logLine   `json:"lines" help:"the last lines, by file"`
	Count int         `json:"count" help:"how many lines there were in all"`
	Cut   bool        `json:"cut,omitempty" help:"lines holds not all of them; the artifact log does"`
	Files []logFile   `json:"files" help:"one for each delivery of a task: two of one task mean that it ran, or was polled, twice"`
	Note  string      `json:"note,omitempty" help:"why there may be less than expected"`
}

// logLine is one line of a task's log.
type logLine struct {
	Task string `json:"task"`
	Text string `json:"text" help:"at most 16 KiB of it"`
}

type logFile struct {
	Name     string    `json:"name"`
	Task     string    `json:"task"`
	Started  time.Time `json:"started" help:"of the delivery"`
	Agent    string    `json:"agent" help:"pid@host of the server"`
	Delivery int       `json:"delivery" help:"of this task, from 1"`
	Lines    int       `json:"lines"`
	Whole    bool      `json:"whole" help:"the delivery has ended; else more may come"`
	Error    string    `json:"error,omitempty" help:"why it cannot be read to its end"`
}

func logsComponent() sdk.Component {
	return sdk.Define("digdag.logs", logs,
		sdk.Doc(`Reads what the tasks of an attempt logged on Digdag.

The output holds the last lines, the artifact log all of them, with a heading for each delivery of a task. With follow, or stream, each line is told as well as a line of the run's own log: at level info, with the line as message and the task's full name in the field task. Follow ends with the attempt; it goes on when the server restarts.

A file that is damaged, or longer than what is read of one (64 MiB, packed), has an error under files and stops no other.

The log of a running task is an unfinished file, which a server writes out only once enough has come: what is there is read. A server without a log store (its default) has no files at all; one with a remote store has a task's mostly after its end.`),
		sdk.Example("One task of today", `{"endpoint": "http://digdag.internal:65432", "address": "etl/daily@today+load", "lines": 50}`),
		sdk.Example("Everything, as it comes", `{"endpoint": "http://digdag.internal:65432", "address": "etl/daily", "follow": true}`))
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
	attempt, prefix, err := logsOf(ctx, c, a)
	if err != nil {
		return logsOutput{}, told(doing, err)
	}
	whole, err := run.Create("log")
	if err != nil {
		return logsOutput{}, fmt.Errorf("%s: %w", doing, err)
	}
	r := newLogReading(run, whole, p.Lines, p.Stream || p.Follow)
	f := follower{c: c, run: run, pace: p.pace, began: time.Now(), answered: true}
	err = f.until(ctx, doing, func() (bool, string, error) {
		// The attempt first: what it logged last is there once it is done.
		now, err := c.Attempt(ctx, attempt.ID)
		switch {
		case isMissing(err), err == nil && now.SessionUUID != attempt.SessionUUID:
			return false, "", idsReset(attempt)
		case err != nil:
			return false, "", err
		}
		attempt = now
		if err := r.read(ctx, c, attempt.ID, prefix); err != nil {
			return false, "", err
		}
		run.Progress(float64(r.count), 0, fmt.Sprintf("%d lines, attempt %s is %s", r.count, attempt.ID, attemptState(attempt.Flags)))
		return !p.Follow || attempt.Done, "following attempt " + string(attempt.ID), nil
	})
	r.flush()
	if closed := whole.Close(); err == nil && closed != nil {
		err = fmt.Errorf("%s: %w", doing, closed)
	}
	if err != nil {
		return logsOutput{}, err
	}
	return r.output(c, attempt), nil
}

// logsOf finds the attempt, and the task's full name. A task that there is not is an
// error only where it will not come any more.
func logsOf(ctx context.Context, c *client.Client, a address.Address) (client.Attempt, string, error) {
	attempt, err := address.FindAttempt(ctx, c, a, time.Now())
	if err != nil || a.Task == "" {
		return attempt, "", err
	}
	tasks, err := c.Tasks(ctx, attempt.ID)
	if err != nil {
		return attempt, "", err
	}
	t, err := address.FindTask(attempt, tasks, a.Task)
	var none *address.Missing
	if errors.As(err, &none) && !attempt.Done && len(none.Near) == 0 {
		return attempt, "+" + attempt.Workflow.Name + a.Task, nil
	}
	return attempt, t.FullName, err
}

func (r *logReading) output(c *client.Client, a client.Attempt) logsOutput {
	out := logsOutput{Run: attemptRun(c, a), Lines: r.last.list(), Count: r.count, Files: []logFile{}}
	out.Cut = len(out.Lines) < out.Count
	unfinished, unread, room := 0, 0, mostFiles
	for _, f := range r.files {
		if f.about.Error != "" {
			unread++
		} else if !f.about.Whole {
			unfinished++
		}
		if room -= cost(f.about); room >= 0 {
			out.Files = append(out.Files, f.about)
		}
	}
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	switch {
	case len(r.files) == 0 && a.Done:
		note("there are no log files: the server keeps none (it needs -O, or log-server.type), or the tasks logged nothing")
	case len(r.files) == 0:
		note("there are no log files yet")
	case unfinished > 0:
		note("%d file(s) are unfinished: their tasks run, or the server died with them; the last lines may be missing", unfinished)
	}
	if unread > 0 {
		note("%d file(s) could not be read to their end: error in files says why", unread)
	}
	if r.last.full {
		note("the lines are cut to the last %d MiB: the artifact log has all of them, a +task in the address or fewer lines gives less", mostLines>>20)
	}
	if left := len(r.files) - len(out.Files); left > 0 {
		note("%d of the files are not listed: a +task in the address lists those of a task", left)
	}
	out.Note = strings.Join(notes, "; ")
	return out
}
