package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/ledger"
)

func (a *app) pools() *cli.Command {
	return term.Group("outrider", "pools", "set and list pools of slots",
		"A pool (run --pool NAME=SLOTS) has as many slots as runs may hold at the same time.\n\n"+
			"  outrider pools set warehouse 4\n"+
			"  outrider pools list",
		a.poolsList(), a.poolsSet())
}

func (a *app) poolsList() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list pools with who holds their slots",
		Description: "  outrider pools list --format json",
		Flags:       []cli.Flag{term.FormatFlag("table", "json"), configFlag()},
		Action: a.listing("list", (*ledger.Ledger).Pools, "no pool is set; set one with: outrider pools set NAME SLOTS",
			[]string{"POOL", "SCOPE", "SLOTS", "USED", "WAITERS", "HOLDER", "HOLDS", "SINCE"}, func(b *book, r ledger.Resource) [][]string {
				row := []string{term.Printable(r.Name), b.scope(), fmt.Sprint(r.Slots), fmt.Sprint(r.Used), fmt.Sprint(len(r.Waiters)), "", "", ""}
				rows := [][]string{row}
				for i, h := range r.Holders {
					if i > 0 {
						rows = append(rows, slices.Clone(row)) // each line stands for itself
					}
					rows[i][5], rows[i][6], rows[i][7] = holderText(h), fmt.Sprint(h.Slots), term.Clock(h.Since)
				}
				return rows
			}),
	}
}

func (a *app) poolsSet() *cli.Command {
	return &cli.Command{
		Name: "set", Usage: "give a pool its slots; 0 removes it", ArgsUsage: "NAME SLOTS",
		Description: "  outrider pools set warehouse 4\n\n" +
			"It counts at once, for those who wait too. Nobody loses slots that are held.",
		Flags: []cli.Flag{configFlag()},
		Action: onBook(func(ctx context.Context, b *book, c *cli.Context) error {
			// A negative number looks like a flag.
			if c.Args().Len() == 2 && len(c.Args().Get(1)) > 0 && c.Args().Get(1)[0] == '-' {
				return term.Usage("%q: want a number of slots, 0 or more", c.Args().Get(1))
			}
			got, err := term.Args(c, 2, 2, "the pool's name and its slots")
			if err != nil {
				return err
			}
			name := got[0]
			slots, err := strconv.ParseInt(got[1], 10, 64)
			if err != nil || slots < 0 || name == "" {
				return term.Usage("pool %q, slots %q: want a name and a number of 0 or more", name, got[1])
			}
			return a.setPool(ctx, b, name, slots)
		}),
	}
}

func (a *app) setPool(ctx context.Context, b *book, name string, slots int64) error {
	pools, err := b.Pools(ctx)
	if err != nil {
		return host(err)
	}
	i := slices.IndexFunc(pools, func(r ledger.Resource) bool { return r.Name == name })
	if i < 0 && slots == 0 {
		return &term.Exit{Code: 1, Err: fmt.Errorf("there is no pool %q; see outrider pools list", name)}
	}
	if err := b.SetPool(ctx, name, slots); err != nil {
		return host(err)
	}
	switch {
	case slots == 0:
		a.say("pool %q is removed", name)
	case i < 0:
		a.say("pool %q has %d slots", name, slots)
	default:
		a.say("pool %q has %d slots (before: %d)", name, slots, pools[i].Slots)
	}
	if i < 0 {
		return nil
	}
	if p := pools[i]; p.Used > slots {
		a.say("%d are held and stay so until their runs end", p.Used)
	}
	return nil
}
