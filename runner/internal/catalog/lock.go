package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/outrider-run/outrider/sdk/manifest"
)

const lockFormat = 1

// LockFile is what plugins, manifests and their programs were when somebody
// said that they were right.
type LockFile struct {
	Format int          `json:"format"`
	Files  []LockedFile `json:"files"` // by path
}

// LockedFile is one file and its sum.
type LockedFile struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	// Components are what the file serves, so that a file that differs is known
	// to be the wanted one without being run.
	Components []string `json:"components,omitempty"`
}

// Difference is a file that is not as the lock file has it.
type Difference struct {
	Path string
	// Locked is the sum in the lock file, empty when the file is not in it.
	Locked string
	// Found is the sum of the file, empty when it is missing.
	Found string
	// Err is why the file could not be read.
	Err error
}

func (d *Difference) Error() string { return d.Path + ": " + d.what() }

func (d *Difference) Unwrap() error { return d.Err }

func (d *Difference) what() string {
	locked := "locked with sha256 " + d.Locked
	if d.Locked == "" {
		locked = "not in the lock file"
	}
	switch {
	case errors.Is(d.Err, fs.ErrNotExist):
		return "missing; " + locked
	case d.Err != nil:
		return fmt.Sprintf("cannot be read: %v; %s", d.Err, locked)
	case d.Locked == "":
		return fmt.Sprintf("%s; it has sha256 %s", locked, d.Found)
	}
	return fmt.Sprintf("changed; %s, found %s", locked, d.Found)
}

// ReadLock reads a lock file. fs.ErrNotExist is in the error of one that is not
// there.
func ReadLock(path string) (*LockFile, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read lock file: %w", err)
	}
	var l LockFile
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil {
		return nil, fmt.Errorf("read lock file %s: %w", path, err)
	}
	if dec.More() {
		return nil, fmt.Errorf("read lock file %s: something follows its end", path)
	}
	if l.Format != lockFormat {
		return nil, fmt.Errorf("read lock file %s: its format is %d, this outrider knows %d", path, l.Format, lockFormat)
	}
	return &l, nil
}

// Write writes the lock file: all of it or nothing.
func (l LockFile) Write(path string) error {
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write lock file: %w", err)
	}
	return nil
}

func (l *LockFile) find(path string) (LockedFile, bool) {
	i := slices.IndexFunc(l.Files, func(f LockedFile) bool { return f.Path == path })
	if i < 0 {
		return LockedFile{}, false
	}
	return l.Files[i], true
}

func (l *LockFile) components(path string) []string {
	f, _ := l.find(path)
	return slices.Clone(f.Components)
}

// compare returns nil when the file at path may have that sum.
func (l *LockFile) compare(path, sum string) *Difference {
	f, _ := l.find(path)
	if f.SHA256 == sum && sum != "" {
		return nil
	}
	return &Difference{Path: path, Locked: f.SHA256, Found: sum}
}

// Lock returns the sums of all files that components are made of. Whatever is
// not usable now is not in it.
func (c *Catalog) Lock(ctx context.Context) (LockFile, error) {
	entries, _ := c.List(ctx)
	serves := map[string][]string{}
	for _, e := range entries {
		serves[e.Source] = append(serves[e.Source], e.Component.Name)
		for _, path := range []string{e.Plugin, e.Program} {
			if path != "" && serves[path] == nil {
				serves[path] = []string{}
			}
		}
	}
	l := LockFile{Format: lockFormat, Files: []LockedFile{}}
	for path, names := range serves {
		sum, _, _, err := hash(ctx, path)
		if err != nil {
			return LockFile{}, fmt.Errorf("lock %s: %w", path, err)
		}
		l.Files = append(l.Files, LockedFile{Path: path, SHA256: sum, Components: names})
	}
	slices.SortFunc(l.Files, func(a, b LockedFile) int { return strings.Compare(a.Path, b.Path) })
	return l, ctx.Err()
}

// Verify returns every difference between the lock file and what is there, by
// path. It reads every file and runs none.
func (c *Catalog) Verify(ctx context.Context, l LockFile) ([]*Difference, error) {
	var out []*Difference
	seen := map[string]bool{}
	check := func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		sum, _, _, err := hash(ctx, path)
		d := l.compare(path, sum)
		if err != nil {
			d = &Difference{Path: path, Locked: d.Locked, Err: err}
		}
		if d != nil {
			out = append(out, d)
		}
	}
	for _, f := range l.Files {
		check(f.Path)
	}
	found := scan(c.options.Dirs)
	if found.server != nil {
		check(found.server.path)
	}
	for _, cand := range found.candidates {
		if cand.err != nil {
			continue // is not used, whatever it is
		}
		check(cand.path)
		if s, err := manifest.LoadScript(cand.path); cand.script && err == nil {
			if program, isFile := s.Program(filepath.Dir(cand.path)); isFile {
				check(program)
			}
		}
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("verify plugins: %w", context.Cause(ctx))
	}
	slices.SortFunc(out, func(a, b *Difference) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// CheckEntry returns a *Difference when a file that e is made of is not as the
// lock file has it. Sums of files that have not changed come from the cache.
func (c *Catalog) CheckEntry(e Entry, l LockFile) error {
	defer c.cache.save()
	for _, path := range []string{e.Source, e.Plugin, e.Program} {
		if path == "" {
			continue
		}
		sum, err := c.sum(path)
		d := l.compare(path, sum)
		if err != nil {
			return &Difference{Path: path, Locked: d.Locked, Err: err}
		}
		if d != nil {
			return d
		}
	}
	return nil
}

// sum is hash by way of the cache.
func (c *Catalog) sum(path string) (string, error) {
	st, err := stat(path)
	if err != nil {
		return "", err
	}
	if r, ok := c.cache.get(path); ok && r.Key == keyOf(st) && r.SHA256 != "" {
		return r.SHA256, nil
	}
	sum, key, settled, err := hash(context.Background(), path)
	if err != nil {
		return "", err
	}
	c.cache.put(path, record{Key: key, SHA256: sum, fleeting: !settled})
	return sum, nil
}
