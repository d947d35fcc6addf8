package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// RunDir is the private folder of a run that lives.
type RunDir struct {
	// Path is the folder, 0700.
	Path string
	// Live is the locked file. A process that inherits it keeps the run alive.
	Live *os.File
	dir  Dir
	run  string
}

// NewRun takes the run's lock, then makes its folder. In this order a folder
// without a held lock is always one that a killed host left.
func (d Dir) NewRun(run string) (*RunDir, error) {
	live, err := d.lock(run)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", d.live(run), err)
	}
	path := d.tmp(run)
	if err := os.Mkdir(path, 0o700); err != nil {
		_ = os.Remove(d.live(run))
		_ = live.Close()
		return nil, fmt.Errorf("make the run's folder: %w", err)
	}
	return &RunDir{Path: path, Live: live, dir: d, run: run}, nil
}

// lock creates live/RUN and locks it. A sweep may take and remove the file
// between the two steps, so the lock counts only while the name still leads to
// the locked file.
func (d Dir) lock(run string) (*os.File, error) {
	for {
		f, err := os.OpenFile(d.live(run), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := flock(f); err != nil {
			_ = f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				// Only a sweep can hold the lock of a new name, and only for a moment.
				continue
			}
			return nil, fmt.Errorf("this file system has no working flock: %w", err)
		}
		if same(f, d.live(run)) {
			return f, nil
		}
		_ = f.Close()
	}
}

// Clear removes the folder. The lock is held on.
func (r *RunDir) Clear() error { return os.RemoveAll(r.Path) }

// Close removes the folder, where Clear has not, and gives the lock up.
func (r *RunDir) Close() error {
	return errors.Join(r.Clear(), os.Remove(r.dir.live(r.run)), r.Live.Close())
}

// Dead lists the runs that have something on disk and no living process.
func (d Dir) Dead() ([]string, error) {
	var dead []string
	err := d.eachDead(context.Background(), func(run string) error {
		dead = append(dead, run)
		return nil
	})
	return dead, err
}

// Sweep removes what runs without a living process left and returns how many.
func (d Dir) Sweep(ctx context.Context) (int, error) {
	n := 0
	err := d.eachDead(ctx, func(run string) error {
		if err := os.RemoveAll(d.tmp(run)); err != nil {
			return err
		}
		n++
		return os.Remove(d.live(run))
	})
	return n, err
}

// eachDead calls do with the lock of each dead run held.
func (d Dir) eachDead(ctx context.Context, do func(run string) error) error {
	names, err := d.runNames()
	if err != nil {
		return err
	}
	var errs []error
	for _, run := range names {
		if ctx.Err() != nil {
			break
		}
		if !exists(d.live(run)) && !exists(d.tmp(run)) {
			continue // it ended since it was listed
		}
		f, err := os.OpenFile(d.live(run), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if flock(f) == nil && same(f, d.live(run)) {
			if err := do(run); err != nil {
				errs = append(errs, err)
			}
		}
		_ = f.Close()
	}
	return errors.Join(errs...)
}

func (d Dir) runNames() ([]string, error) {
	var names []string
	seen := map[string]bool{}
	for _, part := range []string{"live", "tmp"} {
		entries, err := os.ReadDir(filepath.Join(d.runs, part))
		if err != nil {
			return nil, fmt.Errorf("list runs: %w", err)
		}
		for _, e := range entries {
			if !seen[e.Name()] {
				seen[e.Name()] = true
				names = append(names, e.Name())
			}
		}
	}
	return names, nil
}

func flock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// same reports whether path leads to the open file f.
func same(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// Held reports whether somebody holds the lock of a live file: its run lives. A
// file that is not there belongs to none; one that may not be looked at, to one that
// lives.
func Held(path string) bool {
	f, err := os.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	defer func() { _ = f.Close() }()
	// A shared lock, so that several who look do not take each other for the holder.
	return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) != nil
}
