package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/bmatcuk/doublestar/v4"
)

// pattern is a glob: the folder that it begins in, absolute, and the rest.
type pattern struct{ base, rest string }

// checkPattern says what is wrong with a glob.
func checkPattern(glob string) error {
	if strings.ContainsRune(glob, 0) {
		return fmt.Errorf("glob: %q holds a NUL, which no path can", glob)
	}
	if !doublestar.ValidatePattern(glob) {
		return fmt.Errorf(`glob: %q is no pattern: look for an open [ or {, or a \ at its end`, glob)
	}
	return nil
}

// parsePattern takes a glob that checkPattern passed. A relative one begins in
// the current folder.
func parsePattern(glob string) (pattern, error) {
	base, rest := doublestar.SplitPattern(filepath.Clean(glob))
	base, err := filepath.Abs(base)
	if err != nil {
		return pattern{}, fmt.Errorf("finding the current folder, where the glob %q begins: %w", glob, err)
	}
	return pattern{base, rest}, nil
}

// disk is what find looks at; the real one is osDisk.
type disk interface {
	ReadDir(path string) ([]fs.DirEntry, error)
	Stat(path string) (fs.FileInfo, error)
}

type osDisk struct{}

func (osDisk) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }
func (osDisk) Stat(path string) (fs.FileInfo, error)      { return os.Stat(path) }

// found is what one look at the disk showed.
type found struct {
	// files are the regular files that match, links to such included, by their
	// absolute path.
	files map[string]fs.FileInfo
	// problems are what could not be looked at, the first few of them. What is
	// not there, or gone meanwhile, is none.
	problems []error
}

// maxProblems are kept of a look; a whole tree may be unreadable.
const maxProblems = 5

// find looks for the files that match. Its error is the end of ctx, which is
// asked at every folder and file.
func find(ctx context.Context, d disk, p pattern) (found, error) {
	l := &look{ctx: ctx, disk: d, base: p.base, found: found{files: map[string]fs.FileInfo{}}}
	options := []doublestar.GlobOption{doublestar.WithFailOnIOErrors(), doublestar.WithNoHidden()}
	if strings.Contains(p.rest, "**") {
		// A link to a folder above it would have no end.
		options = append(options, doublestar.WithNoFollow())
	}
	err := doublestar.GlobWalk(l, p.rest, func(name string, _ fs.DirEntry) error {
		info, err := l.Stat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone since it was listed
			return nil
		case err != nil:
			return err
		case info.Mode().IsRegular():
			l.found.files[filepath.Join(l.base, name)] = info
		}
		return nil
	}, options...)
	if err != nil {
		return found{}, err
	}
	return l.found, nil
}

// look is the file system that doublestar walks. It is not os.DirFS, which
// refuses names that are no UTF-8. It keeps to itself what doublestar should
// pass over, so that all that ends a walk is the end of ctx.
type look struct {
	ctx   context.Context
	disk  disk
	base  string
	found found
}

// Open is for fs.FS alone: doublestar calls the other two.
func (l *look) Open(string) (fs.File, error) { return nil, errors.ErrUnsupported }

func (l *look) ReadDir(name string) ([]fs.DirEntry, error) {
	if l.ctx.Err() != nil {
		return nil, context.Cause(l.ctx)
	}
	entries, err := l.disk.ReadDir(filepath.Join(l.base, name))
	l.note("reading a folder", err)
	return entries, nil
}

func (l *look) Stat(name string) (fs.FileInfo, error) {
	if l.ctx.Err() != nil {
		return nil, context.Cause(l.ctx)
	}
	info, err := l.disk.Stat(filepath.Join(l.base, name))
	if err != nil {
		l.note("looking at a file", err)
		return nil, fs.ErrNotExist
	}
	return info, nil
}

// note keeps a problem. A path through a file instead of a folder is not there.
func (l *look) note(what string, err error) {
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || len(l.found.problems) == maxProblems {
		return
	}
	problem := fmt.Errorf("%s: %w", what, quotePath(err))
	again := func(e error) bool { return e.Error() == problem.Error() } // doublestar looks twice for a **
	if !slices.ContainsFunc(l.found.problems, again) {
		l.found.problems = append(l.found.problems, problem)
	}
}

// quotePath makes the path in an error of the os package readable in one line,
// whatever is in it.
func quotePath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s %q: %w", e.Op, e.Path, e.Err)
	}
	return err
}
