package cli

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"
)

func (a *app) runs() *cli.Command {
	return group("runs", "look at runs and act on them: list, show, logs, wait, cancel, rerun, resume, prune",
		"These are Outrider's own runs: what was called here, whoever called it.\n\n"+
			"  outrider runs list --state failed --since 02:00\n"+
			"  outrider runs show RUN",
		a.runsList(), a.runsShow(), a.runsLogs(), a.runsWait(), a.runsCancel(), a.runsRerun(), a.runsResume(), a.runsPrune())
}

// group is a command that only has others below it.
func group(name, what, description string, subs ...*cli.Command) *cli.Command {
	var names []string
	for _, s := range subs {
		s.OnUsageError = onUsage
		names = append(names, s.Name)
	}
	return &cli.Command{
		Name: name, Usage: what, Description: description, Subcommands: subs,
		HideHelpCommand: true, OnUsageError: onUsage,
		Action: func(c *cli.Context) error {
			if c.Args().Len() == 0 {
				return usage("say what to do: outrider %s %s", name, strings.Join(names, "|"))
			}
			got := c.Args().First()
			if n := near(got, names); n != "" {
				return usage("there is no `outrider %s %s`; did you mean `outrider %s %s`?", name, got, name, n)
			}
			return usage("there is no `outrider %s %s`: want %s", name, got, join(names, "or"))
		},
	}
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
