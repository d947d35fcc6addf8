package cli

import (
	"os"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/config"
	"github.com/outrider-run/outrider/runner/internal/invoke"
)

// setup are the flags of every command that looks for plugins.
type setup struct {
	config     string
	pluginDirs []string
}

func setupFlags() []cli.Flag {
	return []cli.Flag{
		pluginDirFlag(),
		configFlag(),
	}
}

func pluginDirFlag() cli.Flag {
	return &cli.StringSliceFlag{Name: "plugin-dir", Usage: "look for plugins in `DIR` first (again for more)"}
}

func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Usage: "read `FILE` instead of the user's or the system's outrider.yml"}
}

func parseSetup(c *cli.Context) setup {
	return setup{config: c.String("config"), pluginDirs: c.StringSlice("plugin-dir")}
}

// opened is what the flags of setup lead to.
type opened struct {
	config   config.Config
	catalog  *catalog.Catalog
	options  catalog.Options
	lockPath string
	lock     *catalog.LockFile // nil without one
}

// open reads the config and the lock file and makes the catalogue that both ask
// for.
func (a *app) open(s setup) (*opened, error) {
	o, err := a.openUnlocked(s, "")
	if err != nil {
		return nil, err
	}
	if o.lock, err = invoke.ReadLock(o.lockPath); err != nil {
		return nil, broken(err)
	}
	o.options.Lock = o.lock
	o.catalog = catalog.Open(o.options)
	return o, nil
}

// openUnlocked is open for who writes or compares the lock file; lockFile is ""
// for the usual one.
func (a *app) openUnlocked(s setup, lockFile string) (*opened, error) {
	cfg, err := config.Load(s.config, os.Getenv)
	if err != nil {
		return nil, &term.Exit{Code: term.Misused, Err: err}
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, host(err)
	}
	found := invoke.NewSetup(cfg, s.pluginDirs, lockFile, exe, os.Getenv)
	return &opened{config: cfg, lockPath: found.LockPath, options: found.Options, catalog: catalog.Open(found.Options)}, nil
}
