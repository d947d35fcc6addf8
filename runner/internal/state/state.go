// Package state is Outrider's folder on disk: where it is, the private folder
// that each run has while it lives, the kernel lock that says whether a run
// lives, and the sweep of what a killed host left behind. What runs did is not
// kept here.
//
//	STATE/live/RUN       empty file; whoever holds its flock keeps RUN alive
//	STATE/tmp/RUN/       the run's private folder: sockets, temp files
//	STATE/artifacts/RUN/ what the run made and keeps
package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// Dir is a state folder that is there and writable.
type Dir struct {
	root string
	// runs holds live/ and tmp/: root, or a folder with a shorter path where
	// root is too long for a socket in it.
	runs string
	// Temporary says why the folder that was asked for is not in use and a
	// folder under the system's temp folder is; nil normally.
	Temporary error
}

// sockets is how many bytes the path of a plugin's socket adds to the runs
// folder: /tmp/ULID/plugin-dirN/pluginN with N of up to ten digits.
const sockets = len("/tmp/") + 26 + len("/plugin-dir4294967295") + len("/plugin4294967295")

// socketPath is the longest path of a unix socket in bytes: 108 on Linux and
// 104 on macOS, with the closing NUL (unix(7)).
const socketPath = 103

// Path returns the folder that the environment asks for: $OUTRIDER_STATE,
// /var/lib/outrider when it is there and writable, else the user's state folder.
func Path(getenv func(string) string) (string, error) {
	if p := getenv("OUTRIDER_STATE"); p != "" {
		if !filepath.IsAbs(p) {
			return "", fmt.Errorf("OUTRIDER_STATE=%s is not an absolute path", p)
		}
		return filepath.Clean(p), nil
	}
	if p := "/var/lib/outrider"; writable(p) {
		return p, nil
	}
	if p := getenv("XDG_STATE_HOME"); filepath.IsAbs(p) {
		return filepath.Join(p, "outrider"), nil
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "outrider"), nil
	}
	return "", errors.New("no state folder: neither OUTRIDER_STATE nor HOME is set")
}

// Open makes the state folder ready. Where that fails it falls back to a folder
// of this user under the system's temp folder and says why in Temporary: a run
// that asks for no guarantee is not worth failing for its folder.
func Open(getenv func(string) string) (Dir, error) {
	root, err := Path(getenv)
	if err == nil {
		if err = prepare(root); err == nil {
			return withRuns(root, nil)
		}
		err = fmt.Errorf("state folder %s: %w", root, err)
	}
	root = fallback()
	if ferr := prepare(root); ferr != nil {
		return Dir{}, fmt.Errorf("%w; and in its place %s: %w", err, root, ferr)
	}
	return withRuns(root, err)
}

func withRuns(root string, temporary error) (Dir, error) {
	d := Dir{root: root, runs: root, Temporary: temporary}
	if len(root)+sockets <= socketPath {
		return d, nil
	}
	d.runs = fallback()
	if err := prepare(d.runs); err != nil {
		return Dir{}, fmt.Errorf("folder for sockets %s: %w", d.runs, err)
	}
	return d, nil
}

// fallback is a folder by user, so that users of one machine do not meet. A temp
// folder with a path too long for sockets (macOS, nested tests) gives way to /tmp.
func fallback() string {
	name := "outrider-" + strconv.Itoa(os.Getuid())
	if p := filepath.Join(os.TempDir(), name); len(p)+sockets <= socketPath {
		return p
	}
	return filepath.Join("/tmp", name)
}

// prepare makes root with its parts and refuses one that others could write to
// or that belongs to somebody else: sockets without a password stand in it.
func prepare(root string) error {
	for _, p := range []string{root, filepath.Join(root, "live"), filepath.Join(root, "tmp")} {
		if err := os.MkdirAll(p, 0o700); err != nil {
			return err
		}
		if err := private(p); err != nil {
			return err
		}
	}
	if !writable(filepath.Join(root, "tmp")) {
		return fmt.Errorf("%s is not writable", root)
	}
	return nil
}

// Root is the folder itself.
func (d Dir) Root() string { return d.root }

// Runs is the folder under which the folders of living runs stand.
func (d Dir) Runs() string { return d.runs }

// Artifacts is where a run's artifacts stand; it is made on first use.
func (d Dir) Artifacts(run string) string { return filepath.Join(d.root, "artifacts", run) }

func (d Dir) live(run string) string { return filepath.Join(d.runs, "live", run) }
func (d Dir) tmp(run string) string  { return filepath.Join(d.runs, "tmp", run) }
