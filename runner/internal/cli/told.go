package cli

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/outrider-run/outrider/runner/internal/ledger"
)

// What a task tells while it runs, as the ledger keeps it.

// progressEvery is how often progress is recorded at most: it informs, no more.
const progressEvery = time.Second

var errUnrecorded = errors.New("this run is not recorded: the ledger could not be reached")

func (r *recorder) progress(last *time.Time, done, total float64, note string) {
	if !r.recorded || time.Since(*last) < progressEvery {
		return
	}
	*last = time.Now()
	text, err := json.Marshal(struct {
		Done  float64 `json:"done"`
		Total float64 `json:"total,omitempty"`
		Note  string  `json:"note,omitempty"`
	}{done, total, note})
	if err != nil { // not a number
		return
	}
	if r.telling.Swap(true) {
		return // the ledger is slow
	}
	go func() { // the task does not wait for it
		defer r.telling.Store(false)
		ctx, cancel := context.WithTimeout(context.Background(), progressEvery)
		defer cancel()
		_ = r.entry.Progress(ctx, text) // the next one may get through
	}()
}

func (r *recorder) checkpoint(ctx context.Context, value []byte) error {
	if !r.recorded {
		return errUnrecorded
	}
	kept := json.RawMessage(value)
	if err := r.entry.Checkpoint(ctx, kept); err != nil {
		return err
	}
	r.lastCheckpoint.Store(&kept)
	return nil
}

func (r *recorder) artifact(ctx context.Context, a ledger.Artifact) error {
	if !r.recorded {
		return nil // it is there all the same
	}
	return r.entry.Artifact(ctx, a)
}

func (r *recorder) openArtifact(ctx context.Context, task, name string) (string, error) {
	if !r.recorded {
		return "", errUnrecorded
	}
	a, err := r.entry.OpenArtifact(ctx, task, name, r.config.ArtifactsDir != "")
	return a.Path, err
}
