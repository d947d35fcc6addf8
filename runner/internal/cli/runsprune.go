package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/dustin/go-humanize"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/age"
	"github.com/outrider-run/outrider/runner/internal/prune"
)

func (a *app) runsPrune() *cli.Command {
	return &cli.Command{
		Name:  "prune",
		Usage: "remove old runs with their logs and artifacts",
		Description: "  outrider runs prune --older 90d --dry-run\n\n" +
			"Runs that have not ended stay, and so do successes that a once-key stands for (outrider\n" +
			"once forget lets them go). It happens by itself about once an hour, after 30 days or above\n" +
			"10 GB, or as prune: {after: 30d, above: 10GB} in outrider.yml says; outrider doctor shows it.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "older", Usage: "those that ended longer than `T` ago, such as 30d or 12h", DefaultText: "prune.after of outrider.yml, else 30d"},
			&cli.BoolFlag{Name: "dry-run", Usage: "only say how many", DisableDefaultText: true},
			configFlag(),
		},
		Action: onBook(a.pruneRuns),
	}
}

func (a *app) pruneRuns(ctx context.Context, b *book, c *cli.Context) error {
	if _, err := term.Args(c, 0, 0, "prune"); err != nil {
		return err
	}
	older := b.rule().After
	if text := c.String("older"); c.IsSet("older") {
		var err error
		if older, err = age.Parse(text); err != nil {
			return term.Usage("--older %w", err)
		}
	}
	b.reconcile(ctx)
	before, s := time.Now().Add(-older), b.store()
	did, do := "removed", s.Old
	if c.Bool("dry-run") {
		did, do = "would remove", s.Would
	}
	r, err := do(ctx, before)
	if err != nil {
		return host(fmt.Errorf("%s were removed, then: %w", count(r.Runs, "run"), err))
	}
	_, err = fmt.Fprintf(a.Out, "%s %s that ended before %s, with %s of logs and artifacts\n",
		did, count(r.Runs, "run"), term.Clock(before), humanize.Bytes(uint64(r.Bytes)))
	return term.Undeliverable(err)
}

// store is the ledger with the folders of its runs' files.
func (b *book) store() prune.Store {
	root := b.dir.Root()
	return prune.Store{
		Ledger: b.Ledger, Logs: filepath.Join(root, "logs"), Artifacts: filepath.Join(root, "artifacts"), Shared: b.config.ArtifactsDir,
	}
}

func (b *book) rule() prune.Rule {
	return prune.Rule{After: b.config.PruneAfter, Above: b.config.PruneAbove}.Default()
}

// pruneSometimes removes, about once an hour, what the rule does not keep. It is for
// the end of a run: one look at a file when it is not due, else at most prune.Budget,
// in steps so small that another's start does not wait for it. What it cannot do is
// no matter of the run's; doctor shows what has become too large.
func pruneSometimes(ctx context.Context, b *book) {
	_ = prune.Hourly(ctx, filepath.Join(b.dir.Root(), "pruned"), time.Now(), func(ctx context.Context) error {
		return b.store().Apply(ctx, b.rule(), time.Now())
	})
}
