package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
)

// maxLine is how much of a line is told; the artifact has all of it.
const maxLine = 16 << 10

// logReading reads the logs of a run's tasks, again and again: each time what has come.
type logReading struct {
	run    *sdk.Run
	whole  io.Writer // the artifact
	stream bool
	follow bool
	last   lastLines
	count  int
	tries  []*openTry
	byName map[tryName]*openTry
	more   bool     // the next look may get a log that this one did not
	told   *openTry // whose lines the artifact had last
}

type tryName struct {
	task string
	try  int
}

// openTry is the log of a try that was read up to a line.
type openTry struct {
	about logTry
	read  int
	fails int // looks in a row in which the server failed to get it
}

func newLogReading(run *sdk.Run, whole io.Writer, lines int, stream, follow bool) *logReading {
	return &logReading{run: run, whole: whole, stream: stream || follow, follow: follow, last: lastLines{most: lines}, byName: map[tryName]*openTry{}}
}

// read takes in what is new of some task instances, of one try or, with 0, of all.
func (l *logReading) read(ctx context.Context, c tasksAndLogs, tasks []client.TaskInstance, only int) error {
	l.more = false
	for _, t := range slices.SortedStableFunc(slices.Values(tasks), func(a, b client.TaskInstance) int {
		return startsBefore(begun(a), begun(b))
	}) {
		for try := 1; try <= tries(t); try++ {
			if only > 0 && try != only {
				continue
			}
			if err := l.readTry(ctx, c, t, try); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *logReading) readTry(ctx context.Context, c tasksAndLogs, t client.TaskInstance, try int) error {
	name := tryName{address.TaskName(t.Task, t.MapIndex), try}
	if o := l.byName[name]; o != nil && o.about.Whole {
		return nil
	}
	ended := try < t.Try || waits(t) || t.Over() || t.State == "up_for_retry"
	lines, err := c.Log(ctx, t, try)
	if isMissing(err) && !(ended && ran(t)) {
		return nil // it has not come yet, or will not
	}
	o := l.open(name, t)
	var e *client.Error
	// The server gave the run and its tasks: it is this log that it cannot get.
	failed := errors.As(err, &e) && (e.Code == client.CodeServerError || e.Code == client.CodeTimeout)
	if o.fails++; !failed {
		o.fails = 0
	}
	switch {
	case err == nil:
		if err := l.take(o, body(lines)); err != nil {
			return err
		}
	case failed && l.follow && !(ended && o.fails >= mostFails):
		l.more = l.more || ended
		return nil
	case failed, ofThis(err):
		o.about.Error = err.Error()
		l.run.Log().Warn("a log cannot be read", "task", o.about.Task, "try", try, "error", err)
	default:
		return err
	}
	o.about.Whole = ended || o.about.Error != ""
	return nil
}

// mostFails is after how many looks a log of a try that has ended is given up.
const mostFails = 3

// ran reports whether a task instance that is over did anything: one that was passed
// over has a start and a try too, and no log.
func ran(t client.TaskInstance) bool {
	return t.State == "success" || t.State == "failed" || t.State == "up_for_retry"
}

func (l *logReading) open(name tryName, t client.TaskInstance) *openTry {
	o := l.byName[name]
	if o == nil {
		o = &openTry{about: logTry{Task: name.task, Try: name.try}}
		l.tries = append(l.tries, o)
		l.byName[name] = o
	}
	if name.try == t.Try && !waits(t) {
		o.about.Word, o.about.Started = t.State, t.Start
	}
	return o
}

// take takes the lines that were not there before. Fewer are another copy, which has
// not caught up.
func (l *logReading) take(o *openTry, lines []client.LogLine) error {
	if len(lines) <= o.read {
		return nil
	}
	if l.told != o {
		if _, err := fmt.Fprintf(l.whole, "==> %s, try %d <==\n", o.about.Task, o.about.Try); err != nil {
			return fmt.Errorf("writing the artifact log: %w", err)
		}
		l.told = o
	}
	for _, line := range lines[o.read:] {
		stamp := ""
		if !line.Time.IsZero() {
			stamp = line.Time.Format(time.RFC3339Nano) + " "
		}
		if _, err := fmt.Fprintln(l.whole, stamp+line.Text); err != nil {
			return fmt.Errorf("writing the artifact log: %w", err)
		}
		text := clip(line.Text, maxLine)
		l.count++
		o.about.Lines++
		l.last.add(logLine{Task: o.about.Task, Try: o.about.Try, Time: line.Time, Level: line.Level, Text: text})
		if l.stream {
			l.run.Log().Info(text, "task", o.about.Task)
		}
	}
	o.read = len(lines)
	return nil
}
