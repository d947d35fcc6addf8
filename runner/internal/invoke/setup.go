package invoke

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/outrider-run/outrider/runner/internal/catalog"
	"github.com/outrider-run/outrider/runner/internal/config"
)

// Setup is where components are looked for, and what they have to be.
type Setup struct {
	Config  config.Config
	Options catalog.Options
	// LockPath is where the lock file of plugins is looked for: beside the config file in
	// use, else in the user's config folder; "" where there is neither.
	LockPath string
}

// NewSetup finds the folders of plugins: dirs, the environment's, and those beside the
// program exe. lockFile is "" for the usual one.
func NewSetup(cfg config.Config, dirs []string, lockFile, exe string, getenv func(string) string) Setup {
	return Setup{
		Config: cfg, LockPath: cmp.Or(lockFile, lockPath(cfg)),
		Options: catalog.Options{Dirs: catalog.Dirs(dirs, getenv, filepath.Dir(exe)), CacheDir: cacheDir()},
	}
}

// ReadLock reads the lock file of plugins, which is nil where there is none.
func ReadLock(path string) (*catalog.LockFile, error) {
	if path == "" {
		return nil, nil
	}
	l, err := catalog.ReadLock(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lock file of plugins: %w", err)
	}
	return l, nil
}

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
