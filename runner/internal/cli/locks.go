package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/ledger"
)

func (a *app) locks() *cli.Command {
	return term.Group("outrider", "locks", "list locks, take one from its holder",
		"A lock (run --lock NAME) is held by one run at a time.\n\n"+
			"  outrider locks list\n"+
			"  outrider locks release --yes warehouse",
		a.locksList(), a.locksRelease())
}

func (a *app) locksList() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: "list locks that are held or waited for",
		Description: "  outrider locks list --format json",
		Flags:       []cli.Flag{term.FormatFlag("table", "json"), configFlag()},
		Action: a.listing("list", (*ledger.Ledger).Locks, "no lock is held or waited for",
			[]string{"LOCK", "SCOPE", "HOLDER", "HOST", "PID", "SINCE", "WAITERS"}, func(b *book, r ledger.Resource) [][]string {
				h := []string{"", "", "", ""}
				if len(r.Holders) > 0 {
					x := r.Holders[0]
					h = []string{x.Run, x.Host, fmt.Sprint(x.PID), term.Clock(x.Since)}
				}
				return [][]string{append(append([]string{term.Printable(r.Name), b.scope()}, h...), fmt.Sprint(len(r.Waiters)))}
			}),
	}
}

// scope says where claims hold.
func (b *book) scope() string {
	if b.Shared() {
		return "cluster"
	}
	return "this host"
}

// scoped is a resource with where its claims hold.
type scoped struct {
	ledger.Resource
	Scope string `json:"scope"`
}

// listing makes the action of a verb that lists resources.
func (a *app) listing(
	verb string, read func(*ledger.Ledger, context.Context) ([]ledger.Resource, error), none string,
	header []string, rows func(*book, ledger.Resource) [][]string,
) cli.ActionFunc {
	return a.listingOf(verb, 0, func(ctx context.Context, b *book, _ *cli.Context) ([]ledger.Resource, error) {
		return read(b.Ledger, ctx)
	}, none, header, rows)
}

// listingOf is listing with up to most arguments.
func (a *app) listingOf(
	verb string, most int, read func(context.Context, *book, *cli.Context) ([]ledger.Resource, error), none string,
	header []string, rows func(*book, ledger.Resource) [][]string,
) cli.ActionFunc {
	return onBook(func(ctx context.Context, b *book, c *cli.Context) error {
		format, err := term.Format(c, "table", "json")
		if err != nil {
			return err
		}
		if _, err := term.Args(c, 0, most, verb); err != nil {
			return err
		}
		all, err := read(ctx, b, c)
		var misused *term.Exit
		if errors.As(err, &misused) {
			return err
		}
		if err != nil {
			return host(err)
		}
		if format == "json" {
			out := make([]scoped, len(all))
			for i, r := range all {
				// None is [], not null.
				r.Holders, r.Waiters = append([]ledger.Holder{}, r.Holders...), append([]ledger.Holder{}, r.Waiters...)
				out[i] = scoped{r, b.scope()}
			}
			return term.JSON(a.Out, out)
		}
		if len(all) == 0 {
			a.say("%s", none)
			return nil
		}
		var table [][]string
		for _, r := range all {
			table = append(table, rows(b, r)...)
		}
		return term.Table(a.Out, header, table)
	})
}

// holderText is a holder in a few words.
func holderText(h ledger.Holder) string {
	return fmt.Sprintf("%s (%s, pid %d)", h.Run, h.Host, h.PID)
}

func (a *app) locksRelease() *cli.Command {
	return &cli.Command{
		Name: "release", Usage: "take a lock from the run that holds it", ArgsUsage: "NAME",
		Description: "  outrider locks release --yes warehouse\n\n" +
			"The run is lost: its host ends it as soon as it sees that, and what it does until then is\n" +
			"no longer protected by the lock, which the next in line has at once. To end a run in order\n" +
			"is better: outrider runs cancel --wait RUN.",
		Flags:  []cli.Flag{yesFlag(), configFlag()},
		Action: onBook(a.releaseLock),
	}
}

func (a *app) releaseLock(ctx context.Context, b *book, c *cli.Context) error {
	got, err := term.Args(c, 1, 1, "the lock's name")
	if err != nil {
		return err
	}
	name := got[0]
	locks, err := b.Locks(ctx)
	if err != nil {
		return host(err)
	}
	i := slices.IndexFunc(locks, func(r ledger.Resource) bool { return r.Name == name && len(r.Holders) > 0 })
	if i < 0 {
		return &term.Exit{Code: 1, Err: fmt.Errorf("nobody holds the lock %q; see outrider locks list", name)}
	}
	lock := locks[i]
	var holders []string
	for _, h := range lock.Holders {
		holders = append(holders, holderText(h)+" since "+term.Clock(h.Since))
	}
	if err := a.sure(c, fmt.Sprintf("this takes the lock %q from run %s, which may still work", name, strings.Join(holders, " and "))); err != nil {
		return err
	}
	from, err := b.ReleaseLock(ctx, name, fmt.Sprintf("the lock %q was released by %s", name, b.me()))
	if err != nil {
		return host(err)
	}
	if len(from) == 0 {
		a.say("the lock %q had become free meanwhile", name)
		return nil
	}
	for _, id := range from {
		r, err := b.Get(ctx, id)
		if err != nil {
			return host(err)
		}
		a.say("the lock %q was taken from run %s (%s) on %s, pid %d", name, id, r.Component, r.Host, r.PID)
	}
	a.say("the run counts as lost; until its host has ended it, what it does is not protected, and its result will be kept as late")
	if n := len(lock.Waiters); n > 0 {
		a.say("the next in line has it: run %s", holderText(lock.Waiters[0]))
	}
	return nil
}
