package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/ledger"
)

func (a *app) runsList() *cli.Command {
	return &cli.Command{
		Name:  "list",
		Usage: "list runs, the newest first",
		Description: "  outrider runs list --state failed --state timed_out --since 02:00\n" +
			"  outrider runs list --component hello.greet --label day=2026-01-02 --format json\n" +
			"  outrider runs list --limit 0 --format csv > runs.csv",
		Flags: append(filterFlags(),
			&cli.IntFlag{Name: "limit", Usage: "at most `N` runs; 0: all", Value: 50},
			&cli.StringFlag{Name: "after", Usage: "go on behind run `ID`, the last one of the page before"},
			term.FormatFlag("table", "json", "ndjson", "csv"), configFlag(),
		),
		Action: a.listRuns,
	}
}

func (a *app) listRuns(c *cli.Context) error {
	format, err := term.Format(c, "table", "json", "ndjson", "csv")
	if err != nil {
		return err
	}
	if _, err := term.Args(c, 0, 0, "list"); err != nil {
		return err
	}
	f, err := parseFilter(c, time.Now())
	if err != nil {
		return err
	}
	limit := c.Int("limit")
	if limit < 0 {
		return term.Usage("--limit %d: want 0 or more", limit)
	}
	if f.Before = c.String("after"); f.Before != "" && !isCursor(f.Before) {
		return term.Usage("--after %q: want the id of a run as a listing has it", f.Before)
	}
	return onBook(func(ctx context.Context, b *book, _ *cli.Context) error {
		b.reconcile(ctx)
		sink := a.sinks()[format]()
		last, more, err := pages(ctx, b, f, limit, sink.add)
		if err != nil {
			return err
		}
		if err := term.Undeliverable(sink.end()); err != nil {
			return err
		}
		if more {
			a.say("there are more: --after %s", last)
		}
		return nil
	})(c)
}

// pageSize is how many runs are in memory at once.
const pageSize = 500

// pages hands out at most limit runs, 0 for all, and returns the id of the last and
// whether there are more.
func pages(ctx context.Context, b *book, f ledger.Filter, limit int, add func(ledger.Run) error) (last string, more bool, err error) {
	for n := 0; ; {
		f.Limit = pageSize + 1
		if limit > 0 {
			f.Limit = min(f.Limit, limit-n+1)
		}
		runs, err := b.List(ctx, f)
		if err != nil {
			return last, false, host(err)
		}
		more := len(runs) == f.Limit
		if more {
			runs = runs[:len(runs)-1]
		}
		for _, r := range runs {
			if err := add(r); err != nil {
				return last, false, term.Undeliverable(err)
			}
			last = r.ID
		}
		if n += len(runs); !more || limit > 0 && n >= limit {
			return last, more, nil
		}
		f.Before = last
	}
}

// sink writes runs in a format.
type sink struct {
	add func(ledger.Run) error
	end func() error
}

func (a *app) sinks() map[string]func() sink {
	return map[string]func() sink{"table": a.tableSink, "json": a.jsonSink, "ndjson": a.lineSink, "csv": a.csvSink}
}

func (a *app) tableSink() sink {
	var rows [][]string
	return sink{
		func(r ledger.Run) error {
			rows = append(rows, runRow(r))
			return nil
		},
		func() error {
			if len(rows) == 0 {
				a.say("there is no such run")
				return nil
			}
			return term.Table(a.Out, []string{"RUN", "STATE", "COMPONENT", "ASKED", "TOOK", "CALLER", "NOTE"}, rows)
		},
	}
}

func runRow(r ledger.Run) []string {
	return []string{r.ID, string(r.State), term.OneLine(componentText(r), 40), term.Clock(r.AskedAt), took(r, time.Now()), term.OneLine(callerName(r.Caller), 60), term.OneLine(note(r), 80)}
}

// componentText is a run's component, or what a command was.
func componentText(r ledger.Run) string {
	var p struct{ Argv []string }
	if r.Command && json.Unmarshal(r.Params, &p) == nil && len(p.Argv) > 0 {
		return r.Component + ": " + strings.Join(p.Argv, " ")
	}
	return r.Component
}

// note is what is most worth knowing of a run in a word or a line.
func note(r ledger.Run) string {
	switch {
	case !r.Ended() && r.Cancel != "":
		return "is to end: " + r.Cancel
	case !r.Ended():
		return progressText(r.Progress)
	case r.Code != "" && r.Message != "":
		return r.Code + ": " + r.Message
	}
	return r.Code + r.Message
}

func (a *app) jsonSink() sink {
	runs := []ledger.Run{} // none is [], not null
	return sink{
		func(r ledger.Run) error {
			runs = append(runs, r)
			return nil
		},
		func() error { return term.JSON(a.Out, runs) },
	}
}

func (a *app) lineSink() sink {
	e := json.NewEncoder(a.Out)
	e.SetEscapeHTML(false)
	return sink{func(r ledger.Run) error { return e.Encode(r) }, func() error { return nil }}
}

func (a *app) csvSink() sink {
	w := csv.NewWriter(a.Out)
	err := w.Write([]string{
		"run", "state", "component", "asked_at", "started_at", "ended_at", "took_s", "attempts", "exit_code", "code", "message",
		"engine", "instance", "project", "workflow", "task", "engine_run", "session", "logical_time", "host", "user", "pid", "parent", "rerun_of", "labels",
	})
	return sink{
		func(r ledger.Run) error {
			if err != nil {
				return err
			}
			labels, err := json.Marshal(r.Labels)
			if err != nil {
				return err
			}
			c, seconds, code := r.Caller, "", ""
			if !r.StartedAt.IsZero() && r.Ended() {
				seconds = strconv.FormatFloat(r.EndedAt.Sub(r.StartedAt).Seconds(), 'f', 3, 64)
			}
			if r.Ended() {
				code = strconv.Itoa(r.ExitCode)
			}
			return w.Write([]string{
				r.ID, string(r.State), r.Component, stamp(r.AskedAt), stamp(r.StartedAt), stamp(r.EndedAt), seconds, strconv.Itoa(r.Attempts), code, r.Code, r.Message,
				c.Engine, c.Instance, c.Project, c.Workflow, c.Task, c.Run, c.Session, c.LogicalTime, r.Host, r.User, strconv.Itoa(r.PID), r.Parent, r.RerunOf, string(labels),
			})
		},
		func() error {
			w.Flush()
			return w.Error()
		},
	}
}

// stamp is a time for programs, empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z07:00")
}

// callerName names the task that asked for a run.
func callerName(c ledger.Caller) string {
	if c.Engine == "" || c.Engine == "none" {
		return ""
	}
	name := c.Engine + ":"
	if c.Project != "" {
		name += c.Project + "/"
	}
	if c.Engine == "airflow" && c.Task != "" {
		return name + c.Workflow + "/" + c.Task
	}
	// Digdag's names of tasks begin with the workflow's.
	return name + c.Workflow + strings.TrimPrefix(c.Task, "+"+c.Workflow)
}

// took is how long a run has gone on, or what it waits for.
func took(r ledger.Run, now time.Time) string {
	switch {
	case r.Ended() && r.StartedAt.IsZero():
		return ""
	case r.Ended():
		return short(r.EndedAt.Sub(r.StartedAt))
	case r.StartedAt.IsZero():
		return "waits " + short(now.Sub(r.AskedAt))
	}
	return short(now.Sub(r.StartedAt)) + " …"
}

// short is a duration for people.
func short(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(d, 0); {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d.Round(100*time.Millisecond) < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d.Round(time.Second) < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d.Round(time.Minute) < day:
		d = d.Round(time.Minute)
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	if d%day < time.Hour {
		return fmt.Sprintf("%dd", d/day)
	}
	return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
}
