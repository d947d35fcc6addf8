package prune

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// stray is a log or a folder of artifacts that may have no run.
type stray struct{ run, path string }

// strays removes logs and folders of artifacts that were last written before a time
// and whose run the ledger does not know. A folder that several hosts share is left
// alone: another ledger's runs may stand there.
func (s Store) strays(ctx context.Context, before time.Time) (bytes int64, err error) {
	var found []stray
	for _, dir := range []string{s.Logs, s.Artifacts} {
		some, err := unchanged(dir, before)
		if err != nil {
			return 0, fmt.Errorf("look for what runs have left: %w", err)
		}
		found = append(found, some...)
	}
	var runs []string
	for _, f := range found {
		runs = append(runs, f.run)
	}
	known, err := s.Ledger.Known(ctx, runs)
	if err != nil {
		return 0, fmt.Errorf("look for the runs of files: %w", err)
	}
	var errs []error
	for _, f := range found {
		if known[f.run] {
			continue
		}
		n, _ := folderSize(ctx, f.path) // what cannot be read is not counted
		if err := os.RemoveAll(f.path); err != nil {
			errs = append(errs, err)
			continue
		}
		bytes += n
	}
	return bytes, errors.Join(errs...)
}

// unchanged lists what in dir is named after a run and was last written before a time.
func unchanged(dir string, before time.Time) (found []stray, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		run, _, _ := strings.Cut(e.Name(), ".")
		if _, err := ulid.ParseStrict(run); err != nil {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		if info.ModTime().Before(before) {
			found = append(found, stray{run, filepath.Join(dir, e.Name())})
		}
	}
	return found, nil
}
