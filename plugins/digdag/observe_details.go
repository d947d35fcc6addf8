package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/dustin/go-humanize"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// mostPacked is the longest log file that is fetched for its end, packed. It has to
	// come whole.
	mostPacked = 1 << 20
	// mostTail is how much of a log's end is looked at, in bytes.
	mostTail = 64 << 10
	// tailLines is how many lines of it are reported.
	tailLines = 20
	// mostLine is how much of one of them is, in bytes.
	mostLine = 1 << 10
)

// tasksAndLogs is what is asked of a server about one attempt.
type tasksAndLogs interface {
	Tasks(ctx context.Context, attempt client.ID) ([]client.Task, error)
	LogFiles(ctx context.Context, attempt client.ID, prefix string) ([]client.LogFile, error)
	LogFile(ctx context.Context, attempt client.ID, name string) ([]byte, error)
}

// detailed gets a run's tasks and the end of the log that tells most. What the server
// does not give it reports; an error is the end of ctx, or of the right to ask.
func detailed(ctx context.Context, c tasksAndLogs, run observe.Run) (_ observe.Run, blind []string, err error) {
	id := client.ID(run.ID)
	cannotSee := func(what string, err error) error {
		var e *client.Error
		if !errors.As(err, &e) || e.Code == client.CodeUnauthorized {
			return told("look at "+what+" of attempt "+run.ID, err)
		}
		blind = append(blind, fmt.Sprintf("%s of attempt %s: %v", what, run.ID, err))
		return nil
	}
	tasks, err := c.Tasks(ctx, id)
	if err != nil {
		err = cannotSee("tasks", err)
		return run, blind, err
	}
	run = withTasks(run, tasksOf(tasks, run.State.Ended()))
	name := tailed(run.Tasks)
	if name == "" {
		return run, blind, nil
	}
	what := "log of " + name
	files, err := c.LogFiles(ctx, id, name)
	if err != nil {
		err = cannotSee(what, err)
		return run, blind, err
	}
	file, ok := lastLog(files, name)
	switch {
	case !ok:
		return run, blind, nil
	case file.Size > mostPacked:
		err := fmt.Errorf("its end is not fetched, it is %s packed; outrider logs '%s%s' shows it", humanize.IBytes(uint64(file.Size)), run.Address, name)
		return run, append(blind, fmt.Sprintf("%s of attempt %s: %v", what, run.ID, err)), nil
	}
	packed, err := c.LogFile(ctx, id, file.Name)
	if err != nil {
		err = cannotSee(what, err)
		return run, blind, err
	}
	text, err := tail(client.UnpackLog(packed))
	if err != nil {
		blind = append(blind, fmt.Sprintf("%s of attempt %s: unpack %s: %v", what, run.ID, file.Name, err))
	}
	run.LogTail = text
	return run, blind, nil
}

// lastLog is the log file of a task's last delivery.
func lastLog(files []client.LogFile, task string) (client.LogFile, bool) {
	files = slices.DeleteFunc(slices.Clone(files), func(f client.LogFile) bool { return f.TaskName != task })
	if len(files) == 0 {
		return client.LogFile{}, false
	}
	return slices.MaxFunc(files, func(a, b client.LogFile) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Name, b.Name))
	}), true
}

// tail reads a log to its end and gives its last lines; beside an error those before
// it.
func tail(log io.Reader) (string, error) {
	var end []byte
	cut := false
	buffer := make([]byte, mostTail)
	var err error
	for err == nil {
		var n int
		n, err = log.Read(buffer)
		end = append(end, buffer[:n]...)
		if over := len(end) - mostTail; over > 0 {
			end, cut = append(end[:0], end[over:]...), true
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if cut {
		if _, whole, ok := bytes.Cut(end, []byte("\n")); ok {
			end = whole
		}
	}
	lines := strings.Split(strings.TrimRight(string(end), "\n"), "\n")
	lines = slices.DeleteFunc(lines, frame().MatchString)
	lines = lines[max(0, len(lines)-tailLines):]
	for i := range lines {
		lines[i] = clip(lines[i], mostLine)
	}
	return strings.Join(lines, "\n"), err
}

// frame is a line of the stack that Digdag itself logs below a task's error; it says
// nothing of the task, and is longer than what is reported.
var frame = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^\t(?:at (?:io\.digdag|java|javax|jdk|com\.google\.(?:common|inject))\.|\.\.\. \d+ (?:more|common frames))`)
})

// details fills in the runs that are asked for by id, and adds those that are not
// among them.
func (o *observer) details(ctx context.Context, runs []observe.Run, known map[client.ID]pushed, ids []string) ([]observe.Run, error) {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		at := slices.IndexFunc(runs, func(r observe.Run) bool { return r.ID == id })
		if at < 0 {
			a, err := o.Attempt(ctx, client.ID(id))
			if isMissing(err) {
				o.cannotSee("attempt %s, asked for in details: the server has none", id)
				continue
			}
			if isSpent(err) {
				o.cannotSee("attempt %s, asked for in details: not looked at: %v", id, err)
				continue
			}
			if err != nil {
				return nil, told("look at attempt "+id, err)
			}
			at = len(runs)
			origin := originOf(a)
			a.Params = shortParams(a.Params)
			runs = append(runs, observedRun(a, origin, known, o.Endpoint()))
		}
		run, blind, err := detailed(ctx, o, runs[at])
		o.blind = append(o.blind, blind...)
		if err != nil {
			return nil, err
		}
		runs[at] = run
	}
	return runs, nil
}
