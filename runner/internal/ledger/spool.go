package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// spooled is a record that the ledger could not take, as a file has it.
type spooled struct {
	// Begun: the ledger knows the run, and only its end is missing.
	Begun bool  `json:"begun"`
	Epoch int64 `json:"epoch"`
	Run   Run   `json:"run"`
	// Digest, Base and Memory are the run's keys.
	Digest string `json:"digest"`
	Base   string `json:"delivery_base"`
	Memory string `json:"memory_key"`
	// Claimed are the keys whose success a success is, as resources.
	Claimed []string  `json:"keys"`
	End     End       `json:"end"`
	At      time.Time `json:"at"`
}

// Unrecorded is the entry of a run that could not be recorded at all; only Spool
// may be called.
func Unrecorded(req Request) *Entry {
	host, _ := os.Hostname() // unknown is empty
	e := (&Ledger{host: host, user: username()}).entry(req)
	e.run.epoch = 0
	e.run.AskedAt = time.Now()
	e.run.StartedAt = e.run.AskedAt
	return e
}

// Spool keeps the end of a run that the ledger did not take, in a file of dir that
// the next run takes in. The file is there whole and on the disk, or not at all.
func (e *Entry) Spool(dir string, end End) error {
	r := e.run
	data, err := json.Marshal(spooled{r.epoch > 0, r.epoch, r, r.digest, r.deliveryBase, r.memoryKey, e.keys(), end, time.Now()})
	if err != nil {
		return fmt.Errorf("spool the record of run %s: %w", r.ID, err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("spool the record of run %s: %w", r.ID, err)
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return fmt.Errorf("spool the record of run %s: %w", r.ID, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, r.ID+".json"))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("spool the record of run %s: %w", r.ID, err)
	}
	return nil
}

// TakeIn records what was spooled in dir and removes it there. Several hosts may do
// so at once: a record that is there already is not written again. What cannot be
// read is left, and told.
func (l *Ledger) TakeIn(ctx context.Context, dir string) (n int, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read the spool: %w", err)
	}
	var errs []error
	for _, f := range entries {
		path := filepath.Join(dir, f.Name())
		if !strings.HasSuffix(path, ".json") {
			continue
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another host was faster
		}
		var s spooled
		if err == nil {
			err = json.Unmarshal(data, &s)
		}
		if err == nil {
			err = l.takeIn(ctx, s)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("take in %s: %w", path, err))
			continue
		}
		if os.Remove(path) == nil {
			n++
		}
	}
	return n, errors.Join(errs...)
}

func (l *Ledger) takeIn(ctx context.Context, s spooled) error {
	e := &Entry{l: l, run: s.Run, spooled: true}
	r := &e.run
	r.digest, r.deliveryBase, r.memoryKey, r.epoch = s.Digest, s.Base, s.Memory, s.Epoch
	return l.surely(ctx, func(ctx context.Context, tx *db.Tx) error {
		if s.Begun {
			_, err := e.finish(ctx, tx, s.At, s.End)
			if !errors.Is(err, ErrNoRun) {
				return err
			}
			// A run that goes on is not pruned: the database is an older one, or a new one
			// after damage.
		}
		r.epoch = 1
		o := s.End.Outcome
		r.State, r.EndedAt, r.Attempts, r.Code, r.Message, r.Permanent, r.Unchanged = o.State, s.At, o.Attempts, o.Code, o.Message, o.Permanent, o.Unchanged
		r.ExitCode, r.Output, r.LogTail, r.LogPath = s.End.Exit, o.Output, s.End.LogTail, s.End.LogPath
		values, err := r.values()
		if err != nil {
			return err
		}
		n, err := tx.Exec(ctx, insertRun+` ON CONFLICT (id) DO NOTHING`, values...)
		if err == nil && n == 0 {
			// It was recorded, by this file or by a commit whose answer was cut off.
			_, err = e.finish(ctx, tx, s.At, s.End)
			return err
		}
		if err != nil {
			return err
		}
		if o.State == run.Success {
			for _, key := range s.Claimed {
				_, err := tx.Exec(ctx, setResult+` WHERE outrider_resources.result = ''`, key, r.ID, s.At.UnixMilli())
				if err != nil {
					return err
				}
			}
		}
		return e.insertLabels(ctx, tx)
	})
}
