package checkercli

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/checker/watch"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

func (a *app) testNotify() *cli.Command {
	return command(cli.Command{
		Name: "test-notify", Usage: "tell a receiver something, to see that it arrives", ArgsUsage: "RECEIVER",
		Description: "  outrider-checker test-notify team\n  outrider-checker test-notify --slack '#alerts' slack\n\n" +
			"RECEIVER is a name under receivers: in outrider.yml. It stores nothing, and tells no fallback.",
		Flags: append(sourceFlags(), tellFlags()[0]),
		Action: func(c *cli.Context) error {
			got, err := term.Args(c, 1, 1, "the receiver")
			if err != nil {
				return err
			}
			o, err := a.open(c)
			if err != nil {
				return err
			}
			if _, ok := o.Receivers[got[0]]; !ok {
				return term.Usage("there is no receiver %q; there are %s", got[0], term.Join(slices.Sorted(maps.Keys(o.Receivers)), "and"))
			}
			if err := watch.TestNotify(c.Context, o.Setup, got[0], a.Out, a.say, time.Now); err != nil {
				return fmt.Errorf("tell %s: %w", got[0], err)
			}
			a.say("%s was told", got[0])
			return nil
		},
	})
}
