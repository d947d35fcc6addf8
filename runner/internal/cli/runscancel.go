package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

func (a *app) runsCancel() *cli.Command {
	return &cli.Command{
		Name:      "cancel",
		Usage:     "ask the hosts of runs to end them",
		ArgsUsage: "[RUN…]",
		Description: "  outrider runs cancel --wait 01KAMM2V\n" +
			"  outrider runs cancel --workflow nightly --at-most 3 --yes\n\n" +
			"A host obeys within two seconds, wherever it is; its task then has the time to stop that it\n" +
			"has after a signal. By filters it is runs that wait or run, and it asks, or needs --yes.\n" +
			"Exit 1 when one of them had ended before.",
		Flags: append(bulkFlags(),
			&cli.BoolFlag{Name: "wait", Usage: "until they have ended", DisableDefaultText: true},
			yesFlag(), configFlag(),
		),
		Action: onBook(a.cancelRuns),
	}
}

func (a *app) cancelRuns(ctx context.Context, b *book, c *cli.Context) error {
	f, err := parseFilter(c, time.Now())
	if err != nil {
		return err
	}
	for _, s := range f.States {
		if s != run.Waiting && s != run.Running {
			return term.Usage("--state %s: a run that has ended cannot be cancelled", s)
		}
	}
	if len(f.States) == 0 {
		f.States = []run.State{run.Waiting, run.Running}
	}
	b.reconcile(ctx)
	runs, err := selectFiltered(ctx, b, c, f)
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return a.wouldAct(runs, "cancelled")
	}
	if len(runs) == 0 {
		a.say("there is no such run that goes on")
		return nil
	}
	if filtered(c) {
		if err := a.sure(c, fmt.Sprintf("this cancels %s", count(len(runs), "run"))); err != nil {
			return err
		}
	}
	return a.cancelAll(ctx, b, runs, c.Bool("wait"))
}

func (a *app) cancelAll(ctx context.Context, b *book, runs []ledger.Run, wait bool) error {
	late := 0
	var asked []ledger.Run
	for _, r := range runs {
		ok, err := b.Cancel(ctx, r.ID, "cancelled by "+b.me())
		if err != nil {
			return host(err)
		}
		if ok {
			asked = append(asked, r)
			a.say("run %s (%s) is to end, on %s", r.ID, r.Component, r.Host)
			continue
		}
		late++
		if r, err = b.Get(ctx, r.ID); err != nil {
			return host(err)
		}
		a.say("run %s (%s) had ended at %s: %s", r.ID, r.Component, term.Clock(r.EndedAt), term.Printable(outcomeOf(r).Line()))
	}
	for _, r := range asked {
		if !wait {
			break
		}
		r, err := awaitRun(ctx, b, r.ID)
		if err != nil {
			return err
		}
		a.sayRun(r)
		if r.State == run.Success { // it was faster
			late++
		}
	}
	if late > 0 {
		return &term.Exit{Code: 1, Err: fmt.Errorf("%s could not be cancelled", count(late, "run"))}
	}
	return nil
}

// wouldAct is --dry-run of a verb over many runs.
func (a *app) wouldAct(runs []ledger.Run, done string) error {
	s := a.tableSink()
	for _, r := range runs {
		_ = s.add(r) // it keeps them
	}
	if err := s.end(); err != nil {
		return err
	}
	a.say("%s would be %s (--dry-run)", count(len(runs), "run"), done)
	return nil
}

// count is a number with its noun: 1 run, 2 runs.
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
