package sdk

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/sdk/internal/engine"
)

// Run is the one call of a component that a function serves. Its methods may be
// used from several goroutines, but not after the function has returned.
type Run struct{ engine *engine.Run }

// Caller is who asked for the run; what is unknown is empty.
type Caller struct {
	// Engine is digdag, airflow or none.
	Engine   string
	Project  string
	Workflow string
	Task     string
	// LogicalTime is the time that the run is for: Digdag's session time,
	// Airflow's logical date.
	LogicalTime time.Time
	// Link leads to the run in the engine's own pages.
	Link string
}

// ID is the run's own.
func (r *Run) ID() string { return r.engine.Start.GetRunId() }

// Attempt counts from 1: the engine's try, or the earlier attempts with the
// same key + 1, whichever is larger.
func (r *Run) Attempt() int { return int(r.engine.Start.GetAttempt()) }

// Key is the same over all retries. Hand it downstream as idempotency key.
func (r *Run) Key() string { return r.engine.Start.GetKey() }

// Caller tells who asked for the run.
func (r *Run) Caller() Caller {
	c := r.engine.Start.GetCaller()
	at, _ := time.Parse(time.RFC3339, c.GetLogicalTime())
	return Caller{
		Engine: c.GetEngine(), Project: c.GetProject(), Workflow: c.GetWorkflow(),
		Task: c.GetTask(), LogicalTime: at, Link: c.GetLink(),
	}
}

// Log is the run's logger. What it logs arrives in order and before the result.
func (r *Run) Log() hclog.Logger { return r.engine.Log }

// Progress reports how much is done of a total, 0 if that is not known. It is
// cheap enough to be called for every row.
func (r *Run) Progress(done, total float64, note string) { r.engine.Progress(done, total, note) }

// Alive says that the task works although it has nothing to tell, for
// --idle-timeout.
func (r *Run) Alive() { r.engine.Alive() }

// Checkpoint stores v, as JSON, for the next attempt and returns when the host
// has it.
func (r *Run) Checkpoint(ctx context.Context, v any) error { return r.engine.Checkpoint(ctx, v) }

// Restore reads the last checkpoint of an earlier attempt into v. It returns
// false when there is none.
func (r *Run) Restore(v any) (bool, error) { return r.engine.Restore(v) }

// TempDir is a folder of this run's own, removed at its end.
func (r *Run) TempDir() (string, error) { return r.engine.TempDir() }

// Create begins an artifact, a file that tasks after this one can open. It is
// committed when Close has returned nil; one that was not closed is gone, at the
// run's end or when one of the same name is begun.
func (r *Run) Create(name string) (io.WriteCloser, error) {
	a, err := r.engine.Create(name)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Open opens an artifact that another task of the same attempt committed.
func (r *Run) Open(task, name string) (*os.File, error) { return r.engine.Open(task, name) }

// Fence is a number that rises with every grant of the run's claims; a resource
// that refuses a lower number than it has seen is safe from a holder that was
// paused. It is false for a run without a claim.
func (r *Run) Fence() (int64, bool) {
	if s := r.engine.Start; s != nil && s.Fence != nil {
		return s.GetFence(), true
	}
	return 0, false
}
