package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/oklog/ulid/v2"
	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// filterFlags pick runs; they are the same with every verb over many of them.
func filterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringSliceFlag{Name: "state", Usage: "only runs in `STATE`, e.g. failed (again for more)"},
		&cli.StringFlag{Name: "component", Usage: "only runs of component `NAME`"},
		&cli.StringFlag{Name: "workflow", Usage: "only runs that workflow or DAG `NAME` called"},
		&cli.StringSliceFlag{Name: "label", Usage: "only runs with label `K=V` (again for more)"},
		&cli.StringFlag{Name: "since", Usage: "only runs since `T`: 02:00, 2026-01-02, RFC 3339, or ago such as 2h or 3d"},
		&cli.StringFlag{Name: "until", Usage: "only runs before `T`"},
	}
}

// bulkFlags are those of a verb that does something with many runs; see selectRuns.
func bulkFlags() []cli.Flag {
	return append(filterFlags(),
		&cli.IntFlag{Name: "at-most", Usage: "do nothing, and exit with 2, when it is more than `N` runs"},
		&cli.BoolFlag{Name: "dry-run", Usage: "only list the runs", DisableDefaultText: true},
	)
}

func allStates() []run.State {
	return []run.State{
		run.Waiting, run.Running, run.Success, run.Failed, run.Skipped, run.Cancelled, run.TimedOut, run.Crashed, run.Lost,
	}
}

// parseFilter reads filterFlags.
func parseFilter(c *cli.Context, now time.Time) (f ledger.Filter, err error) {
	f = ledger.Filter{Component: c.String("component"), Workflow: c.String("workflow")}
	for _, name := range c.StringSlice("state") {
		s := run.State(name)
		if !slices.Contains(allStates(), s) {
			var names []string
			for _, s := range allStates() {
				names = append(names, string(s))
			}
			return f, term.Usage("--state %q: want %s", name, term.Join(names, "or"))
		}
		f.States = append(f.States, s)
	}
	for _, text := range c.StringSlice("label") {
		name, value, ok := strings.Cut(text, "=")
		if !ok || name == "" {
			return f, term.Usage("--label %q: want NAME=VALUE", text)
		}
		if f.Labels == nil {
			f.Labels = map[string]string{}
		}
		if other, twice := f.Labels[name]; twice && other != value {
			return f, term.Usage("--label %s: it cannot be %q and %q", name, other, value)
		}
		f.Labels[name] = value
	}
	for flag, to := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := c.String(flag); text != "" {
			if *to, err = term.Moment(text, now); err != nil {
				return f, term.Usage("--%s %q: %w", flag, text, err)
			}
		}
	}
	if !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return f, term.Usage("--since %s is not before --until %s", c.String("since"), c.String("until"))
	}
	return f, nil
}

// findRun looks up a run by the beginning of its id.
func findRun(ctx context.Context, b *book, start string) (ledger.Run, error) {
	r, err := b.Find(ctx, start)
	switch {
	case errors.Is(err, ledger.ErrNoRun), errors.Is(err, ledger.ErrAmbiguous):
		return r, term.Usage("%w; see outrider runs list", err)
	case err != nil:
		return r, host(err)
	}
	return r, nil
}

// findRuns looks up each of several, once.
func findRuns(ctx context.Context, b *book, starts []string) ([]ledger.Run, error) {
	var all []ledger.Run
	for _, start := range starts {
		r, err := findRun(ctx, b, start)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(o ledger.Run) bool { return o.ID == r.ID }) {
			all = append(all, r)
		}
	}
	return all, nil
}

// selectRuns returns the runs that a verb with bulkFlags is to act on, the oldest
// first: those named by its arguments, or those that its filters pick. More of these
// than --at-most is exit 2. What --dry-run means is the verb's.
func selectRuns(ctx context.Context, b *book, c *cli.Context) ([]ledger.Run, error) {
	f, err := parseFilter(c, time.Now())
	if err != nil {
		return nil, err
	}
	return selectFiltered(ctx, b, c, f)
}

// filtered reports whether one of filterFlags is given.
func filtered(c *cli.Context) bool {
	return slices.ContainsFunc(filterFlags(), func(f cli.Flag) bool { return c.IsSet(f.Names()[0]) })
}

func selectFiltered(ctx context.Context, b *book, c *cli.Context, f ledger.Filter) ([]ledger.Run, error) {
	ids, err := term.Args(c, 0, len(c.Args().Slice()), "the runs' ids")
	if err != nil {
		return nil, err
	}
	most, bounded := c.Int("at-most"), c.IsSet("at-most")
	switch {
	case bounded && most < 0:
		return nil, term.Usage("--at-most cannot be negative")
	case len(ids) > 0 && filtered(c):
		return nil, term.Usage("want ids or filters such as --state, not both")
	case len(ids) > 0:
		runs, err := findRuns(ctx, b, ids)
		if err == nil && bounded && len(runs) > most {
			err = term.Usage("these are %d runs, more than --at-most %d: nothing was done", len(runs), most)
		}
		return runs, err
	case !filtered(c):
		return nil, term.Usage("which runs? give ids, or filters such as --state and --since; see %s --help", term.HelpName(c))
	}
	if bounded {
		n, err := b.Count(ctx, f)
		if err != nil {
			return nil, host(err)
		}
		if n > most {
			return nil, term.Usage("%d runs match, more than --at-most %d: nothing was done", n, most)
		}
	}
	runs, err := b.List(ctx, f)
	if err != nil {
		return nil, host(err)
	}
	slices.Reverse(runs)
	return runs, nil
}

// isCursor reports whether text can be what --after was told to take.
func isCursor(text string) bool {
	_, err := ulid.ParseStrict(text)
	return err == nil
}

// reconcile takes runs for lost whose host is gone. It is of help to who reads on,
// and no reason to fail: the ledger may not be writable.
func (b *book) reconcile(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if n, err := b.Gone(ctx); err == nil && n > 0 {
		_, _ = b.Reconcile(ctx)
	}
}
