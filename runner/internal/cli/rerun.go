package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/hashicorp/go-hclog"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

func (a *app) runsRerun() *cli.Command {
	return &cli.Command{
		Name:      "rerun",
		Usage:     "run again what ran, with the parameters that were recorded",
		ArgsUsage: "[RUN…]",
		Description: "  outrider runs rerun 01KAMM2V\n" +
			"  outrider runs rerun --set day=2026-01-02 01KAMM2V\n" +
			"  outrider runs rerun --state failed --since 02:00 --at-most 4 --dry-run\n\n" +
			"Secrets are read anew from where their references lead. Several runs go one after the other,\n" +
			"the oldest first; by filters it asks, or needs --yes. A rerun has none of the first run's\n" +
			"claims. The exit code is that of the run, of several 1 when one failed.",
		Flags:  append(bulkFlags(), againFlags()...),
		Action: onBook(a.rerun),
	}
}

func (a *app) runsResume() *cli.Command {
	return &cli.Command{
		Name:      "resume",
		Usage:     "run again what did not succeed, from its last checkpoint",
		ArgsUsage: "RUN",
		Description: "  outrider runs resume 01KAMM2V\n\n" +
			"As rerun, but the component gets the last checkpoint that the run has stored.",
		Flags: againFlags(),
		Action: onBook(func(ctx context.Context, b *book, c *cli.Context) error {
			got, err := term.Args(c, 1, 1, "the run's id")
			if err != nil {
				return err
			}
			r, err := findRun(ctx, b, got[0])
			if err != nil {
				return err
			}
			if r.Checkpoint == nil {
				return term.Usage("run %s has stored no checkpoint; see outrider runs rerun", r.ID)
			}
			if !r.Ended() || r.State == run.Success {
				return term.Usage("run %s is %s: there is nothing to resume", r.ID, r.State)
			}
			return a.again(ctx, b, c, r, r.Checkpoint)
		}),
	}
}

func againFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringSliceFlag{Name: "set", Usage: "change one parameter, `PATH=VALUE` (again for more)"},
		&cli.DurationFlag{Name: "timeout", Usage: "end the run after `T`"},
		yesFlag(),
	}, setupFlags()...)
}

func (a *app) rerun(ctx context.Context, b *book, c *cli.Context) error {
	b.reconcile(ctx)
	runs, err := selectRuns(ctx, b, c)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return a.wouldAct(runs, "run again")
	}
	for _, r := range runs {
		if !r.Ended() {
			return term.Usage("run %s is %s; wait for its end or cancel it first", r.ID, r.State)
		}
	}
	if filtered(c) && len(runs) > 0 {
		if err := a.sure(c, fmt.Sprintf("this runs %s again", count(len(runs), "run"))); err != nil {
			return err
		}
	}
	failed := 0
	for _, r := range runs {
		err := a.again(ctx, b, c, r, nil)
		if len(runs) == 1 {
			return err
		}
		var e *term.Exit
		if errors.As(err, &e) && e.Err != nil {
			a.say("%s: %v", r.ID, e.Err)
		}
		if err != nil {
			failed++
		}
	}
	if failed > 0 {
		return &term.Exit{Code: 1, Err: fmt.Errorf("%d of %s failed again", failed, count(len(runs), "run"))}
	}
	return nil
}

// again makes a recorded run once more.
func (a *app) again(ctx context.Context, b *book, c *cli.Context, r ledger.Run, restore json.RawMessage) error {
	a.say("again: %s, first run as %s", r.Component, r.ID)
	spec := run.Spec{Timeout: c.Duration("timeout"), Backoff: run.DefaultBackoff()}
	claims := claiming{labels: r.Labels, onBusy: busyWait}
	var err error
	if claims.due, err = nextDue(r.Labels[labelExpect], r.Labels[labelZone], time.Now()); err != nil {
		return fmt.Errorf("run %s: %w", r.ID, err)
	}
	e := detect(anyone())
	o := orphan{policy: orphanStop, joins: new(atomic.Bool)}
	if !r.Command {
		return a.doRun(ctx, runRequest{
			name: r.Component, given: r.Params, givenBy: "run " + r.ID, sets: c.StringSlice("set"), spec: spec, format: "text",
			level: hclog.Info, yes: c.Bool("yes"), skip: e.SkipCode(), engine: e, orphan: o, setup: parseSetup(c),
			claiming: claims, rerunOf: r.ID, key: r.Key, restore: restore,
		}, a.deliver)
	}
	if len(c.StringSlice("set")) > 0 {
		return term.Usage("--set: run %s is of a command, which has no parameters", r.ID)
	}
	if r.Caller.Delivery != "" && r.Component == "sh" {
		return term.Usage("run %s is a sh> task, whose script is gone; retry it in Digdag", r.ID)
	}
	var was struct{ Argv []string }
	if err := json.Unmarshal(r.Params, &was); err != nil || len(was.Argv) == 0 {
		return host(fmt.Errorf("run %s: what is recorded is no command: %s", r.ID, r.Params))
	}
	cfg, err := config.Load(c.String("config"), os.Getenv)
	if err != nil {
		return &term.Exit{Code: term.Misused, Err: err}
	}
	outcomes, err := exitCodes("", cfg)
	if err != nil {
		return err
	}
	return a.doExec(ctx, execRequest{
		argv: was.Argv, spec: spec, engine: e, orphan: o, outcomes: outcomes, skip: e.SkipCode(), verbose: true,
		name: r.Component, config: cfg, claiming: claims, rerunOf: r.ID, key: r.Key,
	})
}
