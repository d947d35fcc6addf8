package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/config"
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
	if o.lock, err = readLock(o.lockPath); err != nil {
		return nil, err
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
		return nil, &exit{exitUsage, err}
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, host(err)
	}
	o := &opened{config: cfg, lockPath: cmp.Or(lockFile, lockPath(cfg))}
	o.options = catalog.Options{Dirs: catalog.Dirs(s.pluginDirs, os.Getenv, filepath.Dir(exe)), CacheDir: cacheDir()}
	o.catalog = catalog.Open(o.options)
	return o, nil
}

// lockPath is where the lock file of plugins is looked for: beside the config
// file in use, else in the user's config folder.
func lockPath(cfg config.Config) string {
	const name = "plugins.lock"
	if cfg.File != "" {
		return filepath.Join(filepath.Dir(cfg.File), name)
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "outrider", name)
}

// cacheDir is "" where there is no home: the catalogue then works without one.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "outrider", "catalog")
}

// readLock returns nil where there is no lock file.
func readLock(path string) (*catalog.LockFile, error) {
	if path == "" {
		return nil, nil
	}
	l, err := catalog.ReadLock(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, broken(fmt.Errorf("lock file of plugins: %w", err))
	}
	return l, nil
}
