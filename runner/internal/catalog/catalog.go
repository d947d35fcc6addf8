// Package catalog knows which components there are: it finds plugins and script
// manifests in their folders, learns what each serves, remembers that between
// runs, and compares files with a lock file. It runs a plugin to ask what it
// serves, and for nothing else.
package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/sdk/manifest"
)

// Entry is one component and what serves it.
type Entry struct {
	Component manifest.Component
	// Plugin is the executable to start, with Args.
	Plugin string
	Args   []string
	// Source is the file that defines the component: the executable, or a
	// script's manifest.
	Source string
	// SHA256 is the sum of Source.
	SHA256 string
	// Program is the file that a script manifest runs; empty when it is looked
	// up on PATH, and for plugins.
	Program string
	// Version is the plugin's own.
	Version string
}

// Problem is something that keeps a component from being used, or that its user
// should know.
type Problem struct {
	Path string // the file or folder
	Err  error
}

func (p Problem) String() string { return p.Path + ": " + p.Err.Error() }

// Options are where a catalogue looks and what it may do.
type Options struct {
	// Dirs are the folders to look into; the first that has a component wins.
	Dirs []Dir
	// CacheDir is made when it is missing; empty: no cache.
	CacheDir string
	// Lock, when set, refuses every file that differs from it, and that before
	// the file is run to ask what it serves.
	Lock *LockFile
	// DescribeTimeout bounds one plugin's answer; 0: 10 s.
	DescribeTimeout time.Duration
}

// Catalog answers what components there are. It looks at the folders anew each
// time. All methods may be called at once.
type Catalog struct {
	options Options
	cache   *cache
}

// Open makes a catalogue. It reads nothing yet.
func Open(o Options) *Catalog {
	if o.DescribeTimeout == 0 {
		o.DescribeTimeout = 10 * time.Second
	}
	return &Catalog{options: o, cache: newCache(o.CacheDir)}
}

// Dirs returns the folders that are looked into, in their order.
func (c *Catalog) Dirs() []Dir { return slices.Clone(c.options.Dirs) }

// List returns every component, by name, and what is wrong elsewhere. A problem
// of one plugin never keeps another from being listed.
func (c *Catalog) List(ctx context.Context) ([]Entry, []Problem) {
	defer c.cache.save()
	found := scan(c.options.Dirs)
	c.learnAll(ctx, found.candidates)
	problems := found.problems
	report := func(path string, err error) { problems = append(problems, Problem{path, err}) }
	first := map[string]string{} // component to the file that it is used from
	var entries []Entry
	for _, cand := range found.candidates {
		if cand.folderRefused {
			continue // one problem for the folder stands there already
		}
		made, err := c.entries(cand, found.server)
		if err != nil {
			report(cand.path, err)
		}
		for _, e := range made {
			name := e.Component.Name
			if first[name] != "" {
				report(cand.path, fmt.Errorf("its component %s is not used: %s has it too and comes first", name, first[name]))
				continue
			}
			first[name] = cand.path
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Component.Name, b.Component.Name) })
	return entries, problems
}

// Find returns the component of that name. When the cache knows every file that
// comes before its own, that takes one read of the index and one of a manifest.
// The error is a *NotFound when no file is known to have the component; any
// other says why the one that has it may not be used.
func (c *Catalog) Find(ctx context.Context, name string) (Entry, error) {
	defer c.cache.save()
	found := scan(c.options.Dirs)
	for _, again := range []state{known, unknown, failed} {
		// First what is known, then what is new, and at last what failed before,
		// which may have been mended from outside.
		if again != known {
			c.learnAll(ctx, c.in(again, found.candidates))
		}
		if ctx.Err() != nil {
			return Entry{}, fmt.Errorf("find component %s: %w", name, context.Cause(ctx))
		}
		e, err := c.find(ctx, found, name, again == known)
		if err != nil || e.Plugin != "" {
			return e, err
		}
	}
	return Entry{}, c.notFound(found, name)
}

// find walks the candidates in order. It returns an empty entry when none is
// known to have the component or, if wary, when one that has yet to be looked
// into might.
func (c *Catalog) find(ctx context.Context, found *scanned, name string, wary bool) (Entry, error) {
	var broken error
	for _, cand := range found.candidates {
		s, names, err := c.status(cand)
		if s == unknown && wary {
			return Entry{}, nil
		}
		if !slices.Contains(names, name) {
			continue
		}
		if s == refused {
			return Entry{}, fmt.Errorf("component %s: %s: %w", name, cand.path, err)
		}
		c.learn(ctx, cand) // in case its manifest is lost
		entries, err := c.entries(cand, found.server)
		for _, e := range entries {
			if e.Component.Name == name {
				return e, nil
			}
		}
		if err != nil && broken == nil {
			broken = fmt.Errorf("component %s: %s: %w", name, cand.path, err)
		}
	}
	return Entry{}, broken
}

// in returns the candidates of that state.
func (c *Catalog) in(want state, all []*candidate) []*candidate {
	var out []*candidate
	for _, cand := range all {
		if s, _, _ := c.status(cand); s == want {
			out = append(out, cand)
		}
	}
	return out
}

func (c *Catalog) notFound(found *scanned, name string) error {
	e := &NotFound{Name: name, Problems: found.problems}
	var all []string
	for _, cand := range found.candidates {
		s, names, err := c.status(cand)
		if s == known {
			all = append(all, names...)
		} else if !cand.folderRefused {
			e.Problems = append(e.Problems, Problem{cand.path, err})
		}
	}
	slices.Sort(all)
	e.Near = near(name, slices.Compact(all))
	return e
}
