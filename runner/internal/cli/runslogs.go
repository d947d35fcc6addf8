package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/journal"
	"github.com/outrider-run/outrider/runner/internal/ledger"
)

func (a *app) runsLogs() *cli.Command {
	return &cli.Command{
		Name:      "logs",
		Usage:     "print what a run said",
		ArgsUsage: "RUN",
		Description: "  outrider runs logs 01KAMM2V\n  outrider runs logs -f 01KAMM2V\n\n" +
			"The full log is on the host of the run; elsewhere, and where it was removed, the last\n" +
			"200 lines of the record are printed.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on until the run has ended", DisableDefaultText: true},
			configFlag(),
		},
		Action: func(c *cli.Context) error {
			got, err := term.Args(c, 1, 1, "the run's id")
			if err != nil {
				return err
			}
			return onBook(func(ctx context.Context, b *book, c *cli.Context) error {
				b.reconcile(ctx)
				r, err := findRun(ctx, b, got[0])
				if err != nil {
					return err
				}
				return a.printLog(ctx, b, r, c.Bool("follow"))
			})(c)
		},
	}
}

func (a *app) printLog(ctx context.Context, b *book, r ledger.Run, follow bool) error {
	follow = follow && !r.Ended()
	elsewhere := r.Host != b.Host() && !hostHas(logFile(b, r))
	var err error
	switch {
	case elsewhere && follow:
		a.say("the log of run %s is on %s; its last lines follow when it has ended", r.ID, r.Host)
		if r, err = awaitRun(ctx, b, r.ID); err != nil {
			return err
		}
		return a.printTail(r)
	case elsewhere:
		a.say("the full log is on %s: these are the last lines of the record", r.Host)
		return a.printTail(r)
	case follow:
		err = journal.Follow(ctx, logFile(b, r), endedSince(ctx, b, r.ID), a.printEntry)
	default:
		err = journal.Read(ctx, logFile(b, r), a.printEntry)
	}
	var e *term.Exit
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if r.LogTail != "" {
			a.say("the full log is gone: these are the last lines of the record")
		}
		return a.printTail(r)
	case errors.As(err, &e), err == nil:
		return err
	}
	return host(err)
}

func (a *app) printEntry(e journal.Entry) error {
	text := e.String()
	if !e.More {
		text += "\n"
	}
	_, err := io.WriteString(a.Out, text)
	return term.Undeliverable(err)
}

func (a *app) printTail(r ledger.Run) error {
	if r.LogTail == "" {
		return nil
	}
	_, err := io.WriteString(a.Out, strings.TrimRight(r.LogTail, "\n")+"\n")
	return term.Undeliverable(err)
}

// lookEvery is how often the ledger is asked whether a run has ended.
const lookEvery = 200 * time.Millisecond

// endedSince returns a function that reports whether a run has ended. It may be asked
// often; the ledger is not. A run that cannot be looked at has ended for who follows.
func endedSince(ctx context.Context, b *book, id string) func() bool {
	var looked time.Time
	return func() bool {
		if time.Since(looked) < lookEvery {
			return false
		}
		looked = time.Now()
		b.reconcile(ctx)
		r, err := b.Get(ctx, id)
		return err != nil || r.Ended()
	}
}

// awaitRun waits until a run has ended.
func awaitRun(ctx context.Context, b *book, id string) (ledger.Run, error) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		b.reconcile(ctx)
		r, err := b.Get(ctx, id)
		if err != nil {
			return r, host(err)
		}
		if r.Ended() {
			return r, nil
		}
		select {
		case <-ctx.Done():
			return r, context.Cause(ctx)
		case <-tick.C:
		}
	}
}
