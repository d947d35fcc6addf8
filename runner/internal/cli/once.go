package cli

import (
	"context"
	"fmt"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/ledger"
)

func (a *app) once() *cli.Command {
	return term.Group("outrider", "once", "list what is not run again, forget it",
		"A once-key (run --once, --once-key) has one recorded success; calls with the key then run\n"+
			"nothing and take its result.\n\n"+
			"  outrider once list\n"+
			"  outrider once forget load-2026-01-02",
		a.onceList(), a.onceForget())
}

func (a *app) onceList() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list once-keys with their success, or who runs", ArgsUsage: "[BEGINNING]",
		Description: "  outrider once list load-2026-01\n  outrider once list --limit 0 --format json",
		Flags:       []cli.Flag{&cli.IntFlag{Name: "limit", Usage: "at most `N` keys, by name; 0: all", Value: 50}, term.FormatFlag("table", "json"), configFlag()},
		Action: a.listingOf("the beginning of the keys", 1, a.keys, "there is no such once-key with a success or a run",
			[]string{"KEY", "SUCCEEDED", "RUN", "RUNNING", "WAITERS"}, func(_ *book, r ledger.Resource) [][]string {
				running := ""
				if len(r.Holders) > 0 {
					running = holderText(r.Holders[0])
				}
				return [][]string{{term.Printable(r.Name), term.Clock(r.Ended), r.Result, running, fmt.Sprint(len(r.Waiters))}}
			}),
	}
}

func (a *app) keys(ctx context.Context, b *book, c *cli.Context) ([]ledger.Resource, error) {
	limit, more := c.Int("limit"), 1
	if limit < 0 {
		return nil, term.Usage("--limit %d: want 0 or more", limit)
	}
	if limit == 0 {
		more = 0
	}
	all, err := b.Keys(ctx, c.Args().First(), limit+more)
	if limit > 0 && len(all) > limit {
		all = all[:limit]
		a.say("there are more: --limit 0 lists all, and outrider once list BEGINNING those that begin so")
	}
	return all, err
}

func (a *app) onceForget() *cli.Command {
	return &cli.Command{
		Name: "forget", Usage: "let calls with a key run again", ArgsUsage: "KEY…",
		Description: "  outrider once forget load-2026-01-02\n\nThe run stays in the record. A run with the key that goes on is not touched.",
		Flags:       []cli.Flag{configFlag()},
		Action: onBook(func(ctx context.Context, b *book, c *cli.Context) error {
			keys, err := term.Args(c, 1, max(1, c.Args().Len()), "the key")
			if err != nil {
				return err
			}
			missing := 0
			for _, key := range keys {
				had, err := b.Forget(ctx, key)
				switch {
				case err != nil:
					return host(err)
				case had:
					a.say("the success under %q is forgotten: the next call with it runs", key)
				default:
					missing++
					a.say("there is no success under %q", key)
				}
			}
			if missing > 0 {
				return &term.Exit{Code: 1, Err: fmt.Errorf("%s had no success to forget; see outrider once list", count(missing, "key"))}
			}
			return nil
		}),
	}
}
