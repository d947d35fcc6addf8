package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// every is how often a rule is applied by itself.
	every = time.Hour
	// again is when it goes on that was not done in time.
	again = time.Minute
	// Budget is how long it takes at most: a run that has ended waits for it.
	Budget = 3 * time.Second
)

// due reports whether a rule is to be applied, when it last was. A time to come is of
// a clock that was set back.
func due(now, last time.Time) bool {
	since := now.Sub(last)
	return since >= every || since < -time.Minute
}

// Hourly reports whether a rule is due by the stamp, a file that one look at its time
// is enough for, and if so calls do with what is left of Budget. Of several processes
// one does it.
func Hourly(ctx context.Context, stamp string, now time.Time, do func(context.Context) error) error {
	info, err := os.Stat(stamp)
	if err == nil && !due(now, info.ModTime()) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(stamp), 0o700); err != nil {
		return err
	}
	isNew := err != nil
	f, err := os.OpenFile(stamp, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return nil // another does it
	} else if err != nil {
		return fmt.Errorf("lock %s: %w", stamp, err)
	}
	if info, err = f.Stat(); err != nil {
		return err
	}
	if !isNew && !due(now, info.ModTime()) {
		return nil // another has done it
	}
	// The time first: one that fails, or is killed, is not tried by every run.
	if err := os.Chtimes(stamp, now, now); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, Budget)
	defer cancel()
	err = do(within)
	if within.Err() != nil {
		soon := now.Add(again - every)
		return errors.Join(ctx.Err(), os.Chtimes(stamp, soon, soon))
	}
	return err
}

// Apply removes what the rule says.
func (s Store) Apply(ctx context.Context, r Rule, now time.Time) error {
	r = r.Default()
	if _, err := s.Old(ctx, now.Add(-r.After)); err != nil {
		return err
	}
	_, err := s.Large(ctx, r.Above)
	return err
}
