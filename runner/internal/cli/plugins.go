package cli

import (
	"fmt"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/invoke"
)

func (a *app) plugins() *cli.Command {
	lockFile := &cli.StringFlag{Name: "lock-file", Usage: "use `FILE` instead of plugins.lock beside the config"}
	flags := append([]cli.Flag{lockFile}, setupFlags()...)
	return &cli.Command{
		Name:  "plugins",
		Usage: "lock plugins by their sums, verify them",
		Description: "  outrider plugins lock     write the sums of all plugins, manifests and their programs\n" +
			"  outrider plugins verify   compare; exit 5 and both sums where they differ\n\n" +
			"While a lock file is there, `outrider run` refuses whatever differs from it.",
		Subcommands: []*cli.Command{
			{
				Name: "lock", Usage: "write the lock file", Flags: flags, OnUsageError: term.OnUsage,
				Description: "  outrider plugins lock",
				Action:      a.pluginsLock,
			},
			{
				Name: "verify", Usage: "compare the plugins with the lock file", Flags: flags, OnUsageError: term.OnUsage,
				Description: "  outrider plugins verify",
				Action:      a.pluginsVerify,
			},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Len() > 0 {
				return term.Usage("there is no `outrider plugins %s`: want lock or verify", c.Args().First())
			}
			return term.Usage("say what to do: outrider plugins lock, or outrider plugins verify")
		},
	}
}

func (a *app) openLocked(c *cli.Context) (*opened, error) {
	if _, err := term.Args(c, 0, 0, c.Command.Name); err != nil {
		return nil, err
	}
	o, err := a.openUnlocked(parseSetup(c), c.String("lock-file"))
	if err != nil {
		return nil, err
	}
	if o.lockPath == "" {
		return nil, term.Usage("no place for the lock file: neither a config file nor a home folder; use --lock-file")
	}
	return o, nil
}

func (a *app) pluginsLock(c *cli.Context) error {
	o, err := a.openLocked(c)
	if err != nil {
		return err
	}
	l, err := o.catalog.Lock(c.Context)
	if err != nil {
		return broken(fmt.Errorf("lock plugins: %w", err))
	}
	if err := l.Write(o.lockPath); err != nil {
		return host(fmt.Errorf("write the lock file: %w", err))
	}
	fmt.Fprintf(a.Err, "outrider: locked %d files in %s\n", len(l.Files), o.lockPath)
	return nil
}

func (a *app) pluginsVerify(c *cli.Context) error {
	o, err := a.openLocked(c)
	if err != nil {
		return err
	}
	l, err := invoke.ReadLock(o.lockPath)
	if err != nil {
		return broken(err)
	}
	if l == nil {
		return term.Usage("there is no lock file %s; write it with: outrider plugins lock", o.lockPath)
	}
	differences, err := o.catalog.Verify(c.Context, *l)
	if err != nil {
		return broken(fmt.Errorf("verify plugins: %w", err))
	}
	for _, d := range differences {
		fmt.Fprintln(a.Out, d)
	}
	if len(differences) > 0 {
		return broken(fmt.Errorf("%d of the plugins' files differ from %s; if that is wanted: outrider plugins lock", len(differences), o.lockPath))
	}
	fmt.Fprintf(a.Err, "outrider: %d files are as locked in %s\n", len(l.Files), o.lockPath)
	return nil
}

// refused reports why the lock file forbids to run e.
func (o *opened) refused(e catalog.Entry) error {
	if o.lock == nil {
		return nil
	}
	if err := o.catalog.CheckEntry(e, *o.lock); err != nil {
		return o.differs(err)
	}
	return nil
}

// differs is exit 5 with what to do about it.
func (o *opened) differs(err error) error {
	return broken(fmt.Errorf("%w\nthe lock file is %s; if the change is wanted: outrider plugins lock", err, o.lockPath))
}
