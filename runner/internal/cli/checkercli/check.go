package checkercli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/watch"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

// lostMark ends the file that says since when receivers know that there is no database.
const lostMark = ".lost"

func (a *app) check() *cli.Command {
	return command(cli.Command{
		Name: "check", Usage: "look once, tell what is new, and print what fires (the default)",
		Description: "  outrider-checker --digdag http://HOST:65432\n" +
			"  outrider-checker check --airflow http://HOST:8080 --set airflow.user=admin --set airflow.password=env:PW\n" +
			"  outrider-checker check --format nagios\n\n" +
			"Exit codes: 0 all is well, 1 warning, 2 critical, 3 unknown: no source answered, or a mistake in\n" +
			"the config or the flags.",
		Flags: append(append(sourceFlags(), tellFlags()...),
			&cli.BoolFlag{Name: "exit-zero", Usage: "exit with 0 where it would be 1 or 2", DisableDefaultText: true},
			term.FormatFlag("table", "json", "nagios"),
		),
		Action: func(c *cli.Context) error {
			at := where(c, "format")
			format, err := term.Format(at, "table", "json", "nagios")
			if err != nil {
				return err
			}
			if _, err := term.Args(c, 0, 0, "check"); err != nil {
				return err
			}
			g, err := parse(c)
			if err != nil {
				return err
			}
			w, err := a.watcher(c.Context, g, a.Err)
			if err != nil {
				return err
			}
			defer func() { _ = w.Close() }()
			s, err := w.Pass(c.Context)
			if err != nil {
				return err
			}
			if err := a.printSummary(s, format); err != nil {
				return err
			}
			if s.Exit == watch.ExitUnknown || !flag(c, "exit-zero") {
				return &term.Exit{Code: s.Exit}
			}
			return nil
		},
	})
}

// watcher makes passes by what the flags say; the config is read for each of them.
func (a *app) watcher(ctx context.Context, g given, console io.Writer) (*watch.Watcher, error) {
	o, err := a.opened(ctx, g)
	if err != nil {
		return nil, err
	}
	if err := needSources(o); err != nil {
		return nil, err
	}
	dir, err := a.folder()
	if err != nil {
		return nil, err
	}
	at := g.place(o.config, o.Settings, dir)
	me := self()
	if err := me.LeaveStdin(); err != nil {
		a.say("stdin: %v", err)
	}
	first := &o
	return &watch.Watcher{
		Open: at.open,
		Setup: func(ctx context.Context) (watch.Setup, error) {
			if first != nil { // it has just been read
				first = nil
				return o.Setup, nil
			}
			again, err := a.opened(ctx, g)
			if err != nil {
				return watch.Setup{}, err
			}
			return again.Setup, needSources(again)
		},
		Self: me, Above: above(), Metrics: watch.NewMetrics(), Textfile: g.textfile, Mark: at.file(lostMark),
		Console: console, Say: a.say, Now: time.Now,
	}, nil
}

func (a *app) printSummary(s watch.Summary, format string) error {
	switch format {
	case "json":
		return term.JSON(a.Out, s)
	case "nagios":
		_, err := fmt.Fprint(a.Out, watch.Nagios(s))
		return term.Undeliverable(err)
	}
	rows := make([][]string, len(s.Sources))
	for i, x := range s.Sources {
		state, note := "ok", strings.Join(x.Blind, "; ")
		if x.Failure != "" {
			state, note = "no answer", x.Failure
		}
		rows[i] = []string{x.Name, strings.TrimSpace(x.Engine + " " + x.Version), state, fmt.Sprint(x.Workflows), fmt.Sprint(x.Open), fmt.Sprint(x.Requests), term.OneLine(note, 200)}
	}
	if err := term.Table(a.Out, []string{"SOURCE", "ENGINE", "STATE", "WORKFLOWS", "OPEN", "REQUESTS", "NOTE"}, rows); err != nil {
		return err
	}
	if len(s.Alerts) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(a.Out); err != nil {
		return term.Undeliverable(err)
	}
	return a.printAlerts(s.Alerts, s.At)
}

func (a *app) printAlerts(alerts []watch.Alert, now time.Time) error {
	var rows [][]string
	for _, x := range alerts {
		state := string(x.Severity)
		switch {
		case x.Muted != "":
			state += ", muted"
		case x.Acked != "":
			state += ", acknowledged"
		}
		rows = append(rows, []string{state, x.Rule, message.Plain(x.Where), age(x.Since, now), message.Plain(term.OneLine(x.What, 120))})
	}
	return term.Table(a.Out, []string{"SEVERITY", "RULE", "WHERE", "FOR", "WHAT"}, rows)
}
