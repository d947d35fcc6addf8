package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

func (a *app) runsWait() *cli.Command {
	return &cli.Command{
		Name:      "wait",
		Usage:     "wait until runs have ended",
		ArgsUsage: "RUN…",
		Description: "  outrider runs wait --timeout 10m 01KAMM2V\n\n" +
			"The exit code is the run's own, of several the worst, and 124 when the time is up.",
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "timeout", Usage: "give up after `T`"},
			configFlag(),
		},
		Action: func(c *cli.Context) error {
			ids, err := term.Args(c, 1, max(1, c.Args().Len()), "a run's id")
			if err != nil {
				return err
			}
			timeout := c.Duration("timeout")
			if timeout < 0 || timeout == 0 && c.IsSet("timeout") {
				return term.Usage("--timeout %s: want more than 0", timeout)
			}
			return onBook(func(ctx context.Context, b *book, _ *cli.Context) error {
				runs, err := findRuns(ctx, b, ids)
				if err != nil {
					return err
				}
				if timeout > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeoutCause(ctx, timeout, errTimeUp)
					defer cancel()
				}
				return a.waitFor(ctx, b, runs, timeout)
			})(c)
		},
	}
}

var errTimeUp = errors.New("the time is up")

func (a *app) waitFor(ctx context.Context, b *book, runs []ledger.Run, timeout time.Duration) error {
	for i, r := range runs {
		r, err := awaitRun(ctx, b, r.ID)
		if ctx.Err() != nil {
			var open []string
			for _, o := range runs[i:] {
				open = append(open, o.ID)
			}
			return &term.Exit{Code: 124, Err: errors.New("not ended within " + timeout.String() + ": " + strings.Join(open, ", "))}
		}
		if err != nil {
			return err
		}
		a.sayRun(r)
		runs[i] = r
	}
	if code := worst(runs); code != 0 {
		return &term.Exit{Code: code}
	}
	return nil
}

// sayRun says how a run has ended.
func (a *app) sayRun(r ledger.Run) {
	text := term.Printable(outcomeOf(r).Line())
	a.say("run %s (%s): %s", r.ID, r.Component, text)
}

func outcomeOf(r ledger.Run) run.Outcome {
	return run.Outcome{State: r.State, Code: r.Code, Message: r.Message, Permanent: r.Permanent, Unchanged: r.Unchanged, Attempts: r.Attempts}
}

// exitOf is the exit code of an ended run's host. A host that is gone had none to
// give: that is the host's failure.
func exitOf(r ledger.Run) int {
	switch {
	case r.State == run.Lost:
		return exitHost
	case r.ExitCode != 0 || r.State == run.Success || r.State == run.Skipped:
		return r.ExitCode
	}
	return outcomeOf(r).Exit(0)
}

// worst is the exit code of several ended runs: the highest of those that went wrong,
// else that of a skip.
func worst(runs []ledger.Run) (code int) {
	wrong := false
	for _, r := range runs {
		bad := r.State != run.Success && r.State != run.Skipped
		if bad == wrong {
			code = max(code, exitOf(r))
		} else if bad {
			code, wrong = exitOf(r), true
		}
	}
	return code
}
