package checkercli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/runner/internal/checker/watch"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

func (a *app) lastPass() *cli.Command {
	return command(cli.Command{
		Name: "last-pass", Usage: "fail when the last pass in which a source answered is too old, for a second watcher",
		Description: "  outrider-checker last-pass --max-age 5m || echo the checker is dead | mail -s outrider ops\n\n" +
			"Exit codes: 0 it is young enough, 2 it is too old or there is none, 3 that cannot be told.",
		Flags: append(storeFlags(),
			&cli.StringFlag{Name: "max-age", Usage: "how old it may be, as `TIME`", Value: "5m"},
			term.FormatFlag("text", "json"),
		),
		Action: func(c *cli.Context) error {
			format, _, err := formatAndWords(c, "text", 0, 0, "last-pass")
			if err != nil {
				return err
			}
			most, err := threshold.ParseDuration(c.String("max-age"))
			if err != nil || most == 0 {
				return term.Usage("--max-age %q: want a time such as 5m", c.String("max-age"))
			}
			err = a.onStore(c, func(ctx context.Context, s *store.Store) error {
				last, known, err := s.Last(ctx)
				if err != nil {
					return err
				}
				if !known || last.CompleteAt.IsZero() {
					return &term.Exit{Code: watch.ExitCritical, Err: fmt.Errorf("there was no complete pass yet")}
				}
				at, how := last.CompleteAt, fmt.Sprintf("exit code %d", last.Exit)
				if !last.Complete {
					how = fmt.Sprintf("and at %s no source answered", term.Clock(last.At))
				}
				if format == "json" {
					err = term.JSON(a.Out, last)
				} else {
					_, err = fmt.Fprintf(a.Out, "the last complete pass was made at %s, %s ago, %s\n", term.Clock(at), age(at, time.Now()), how)
					err = term.Undeliverable(err)
				}
				if err != nil {
					return err
				}
				// A pass of the future was made before the clock was set back.
				if time.Since(at).Abs() > time.Duration(most) {
					return &term.Exit{Code: watch.ExitCritical, Err: fmt.Errorf("it is older than %s", most)}
				}
				return nil
			})
			if errors.Is(err, errNothing) {
				return &term.Exit{Code: watch.ExitCritical, Err: fmt.Errorf("there was no complete pass yet: %w", err)}
			}
			return err
		},
	})
}
