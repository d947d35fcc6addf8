// Package config reads outrider.yml: which file counts, its strict decoding, and
// errors that name file, line, field and value. It holds no defaults of other
// packages and starts nothing; a zero value means that the file does not say.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// Config is what outrider.yml says.
type Config struct {
	// File is the file that was read; "" if there is none.
	File string
	// PluginEnv names the variables that plugins inherit besides the built-in
	// allow-list.
	PluginEnv []string
	// StartTimeout is how long a plugin may take until it answers; 0 leaves it
	// to the launcher.
	StartTimeout time.Duration
	// ExitCodes says what exit codes of commands under exec and sh stand for.
	ExitCodes map[ExitCode]Meaning
	// Ledger is where runs are recorded: sqlite:PATH or postgres://…
	Ledger string
	// Instance tells this installation's engines from others that share a ledger.
	Instance string
	// ArtifactsDir is a folder that all hosts of the ledger share.
	ArtifactsDir string
	// PruneAfter is how long ended runs are kept, PruneAbove from how many bytes on
	// the oldest go earlier.
	PruneAfter time.Duration
	PruneAbove int64
	// Sources are the engines that verbs act on and the checker watches, by name.
	Sources map[string]Source
}

// system is the machine's own file.
const system = "/etc/outrider/outrider.yml"

// Load reads the first of: explicit (--config), $OUTRIDER_CONFIG, the user's file
// and the system's. The first two must exist when they are named. The current
// folder is never looked at, so that nothing changes with where one stands.
func Load(explicit string, getenv func(string) string) (Config, error) {
	return load(explicit, getenv, system)
}

func load(explicit string, getenv func(string) string, system string) (Config, error) {
	if explicit != "" {
		return read(explicit, "--config")
	}
	if file := getenv("OUTRIDER_CONFIG"); file != "" {
		return read(file, "OUTRIDER_CONFIG")
	}
	for _, file := range []string{userFile(getenv), system} {
		if file == "" {
			continue
		}
		cfg, err := read(file, "")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		return cfg, err
	}
	return Config{}, nil
}

// userFile is "" where there is no home. A relative folder is ignored, as the XDG
// specification asks: it would be the current folder's.
func userFile(getenv func(string) string) string {
	dir := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(dir) {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return ""
		}
		dir = filepath.Join(home, ".config")
	}
	return filepath.Join(dir, "outrider", "outrider.yml")
}

// read reads one file; named says who asked for it.
func read(file, named string) (Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		if named != "" {
			named = " (named by " + named + ")"
		}
		return Config{}, fmt.Errorf("read the config%s: %w", named, err)
	}
	cfg, err := parse(data)
	if err != nil {
		return Config{}, In(file, err)
	}
	if cfg.File, err = filepath.Abs(file); err != nil {
		return Config{}, fmt.Errorf("find the config: %w", err)
	}
	return cfg, nil
}

// In names file, line, column and field in an error of the file's decoding.
func In(file string, err error) error {
	var at *manifest.YAMLError
	if !errors.As(err, &at) || at.Line == 0 {
		return fmt.Errorf("%s: %w", file, err)
	}
	field := ""
	if at.Path != "" {
		field = at.Path + ": "
	}
	return fmt.Errorf("%s:%d:%d: %s%s", file, at.Line, at.Column, field, at.Msg)
}
