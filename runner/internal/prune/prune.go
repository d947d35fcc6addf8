// Package prune decides which ended runs go, and removes them from the ledger with
// their logs and artifacts: what is older than a rule says, then the oldest while all
// together takes more room than it says. It knows ledger and folders, starts nothing
// and prints nothing, and never touches a run that goes on.
package prune

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"

	"github.com/outrider-run/outrider/runner/internal/journal"
	"github.com/outrider-run/outrider/runner/internal/ledger"
)

// Rule says what is kept.
type Rule struct {
	// After is how long ended runs are kept; 0: 30 days.
	After time.Duration
	// Above is how many bytes ledger, logs and artifacts may take together; 0: 10 GB.
	Above int64
}

// Default returns the rule with what it leaves open filled in.
func (r Rule) Default() Rule {
	return Rule{cmp.Or(r.After, 30*24*time.Hour), cmp.Or(r.Above, 10_000_000_000)}
}

// Store is a ledger with the folders of its runs' files.
type Store struct {
	Ledger *ledger.Ledger
	// Logs holds this host's logs, Artifacts its folders of artifacts, one a run.
	Logs, Artifacts string
	// Shared holds the artifacts of all hosts; "" without such a folder.
	Shared string
}

// Report is what was removed.
type Report struct {
	Runs int
	// Bytes are those of logs and artifacts.
	Bytes int64
}

// Old removes runs that ended before a time. Files that another host's prune, or one
// that was killed, left in this host's folders go too.
func (s Store) Old(ctx context.Context, before time.Time) (r Report, err error) {
	var errs []error
	_, err = s.Ledger.Prune(ctx, before, func(ids []string) {
		n, err := s.remove(ids)
		errs = append(errs, err)
		r.Runs, r.Bytes = r.Runs+len(ids), r.Bytes+n
	})
	if err == nil {
		err = s.Ledger.PruneKeys(ctx, before)
	}
	if err == nil {
		var n int64
		n, err = s.strays(ctx, before)
		r.Bytes += n
	}
	return r, errors.Join(append(errs, err)...)
}

// Would is what Old would report.
func (s Store) Would(ctx context.Context, before time.Time) (r Report, err error) {
	ids, err := s.Ledger.Prunable(ctx, before, 0)
	for _, id := range ids {
		r.Runs, r.Bytes = r.Runs+1, r.Bytes+s.sizeOf(id)
	}
	return r, err
}

// Size is what all takes together, in bytes, and how many runs are recorded.
func (s Store) Size(ctx context.Context) (runs, bytes int64, err error) {
	runs, bytes, err = s.Ledger.Used(ctx)
	if err != nil {
		return 0, 0, err
	}
	logs, err := journal.Size(s.Logs)
	if err != nil {
		return 0, 0, err
	}
	artifacts, err := folderSize(ctx, s.Artifacts)
	return runs, bytes + logs + artifacts, err
}

// Large removes the oldest ended runs until all takes at most above bytes.
func (s Store) Large(ctx context.Context, above int64) (r Report, err error) {
	runs, used, err := s.Ledger.Used(ctx)
	if err != nil {
		return r, err
	}
	_, bytes, err := s.Size(ctx)
	if err != nil {
		return r, err
	}
	// A run frees its share of the ledger too, which shows there only later.
	share := used / max(runs, 1)
	over := bytes - above
	var errs []error
	err = s.Ledger.PruneOldest(ctx, func(ids []string) (some []string) {
		some, over = enough(ids, over, func(id string) int64 { return share + s.sizeOf(id) })
		return some
	}, func(ids []string) {
		n, err := s.remove(ids)
		errs = append(errs, err)
		r.Runs, r.Bytes = r.Runs+len(ids), r.Bytes+n
	})
	return r, errors.Join(append(errs, err)...)
}

// enough is the beginning of ids whose sizes come to over bytes, and what is over
// without them.
func enough(ids []string, over int64, size func(id string) int64) (some []string, left int64) {
	for i, id := range ids {
		if over <= 0 {
			return ids[:i], over
		}
		over -= size(id)
	}
	return ids, over
}

// remove removes the files of runs. Ids come from a ledger that others may write to,
// so what is none leads nowhere.
func (s Store) remove(ids []string) (bytes int64, err error) {
	var errs []error
	for _, id := range ids {
		if _, err := ulid.ParseStrict(id); err != nil {
			continue
		}
		bytes += s.sizeOf(id)
		for _, path := range s.pathsOf(id) {
			errs = append(errs, os.RemoveAll(path))
		}
	}
	return bytes, errors.Join(errs...)
}

// pathsOf are where the files of a run may stand.
func (s Store) pathsOf(id string) []string {
	paths := []string{journal.Path(s.Logs, id), filepath.Join(s.Artifacts, id)}
	if s.Shared != "" {
		paths = append(paths, filepath.Join(s.Shared, id))
	}
	return paths
}

func (s Store) sizeOf(id string) (sum int64) {
	for _, path := range s.pathsOf(id) {
		n, _ := folderSize(context.Background(), path) // what cannot be read is not counted
		sum += n
	}
	return sum
}

// folderSize is how many bytes the files at path and below it have. Nothing there is 0.
func folderSize(ctx context.Context, path string) (sum int64, err error) {
	err = filepath.WalkDir(path, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // removed meanwhile
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return context.Cause(ctx)
	})
	return sum, err
}
