package cli

import (
	"context"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"
)

func (a *app) runs() *cli.Command {
	return term.Group("outrider", "runs", "look at runs and act on them: list, show, logs, wait, cancel, rerun, resume, prune",
		"These are Outrider's own runs: what was called here, whoever called it.\n\n"+
			"  outrider runs list --state failed --since 02:00\n"+
			"  outrider runs show RUN",
		a.runsList(), a.runsShow(), a.runsLogs(), a.runsWait(), a.runsCancel(), a.runsRerun(), a.runsResume(), a.runsPrune())
}

// onBook makes an action of one that uses the ledger.
func onBook(do func(ctx context.Context, b *book, c *cli.Context) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		b, err := openBook(c.Context, c.String("config"))
		if err != nil {
			return err
		}
		defer func() { _ = b.Close() }()
		return do(c.Context, b, c)
	}
}
