package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Run is one call of one component, as the component sees it.
type Run struct {
	// Start is what the host sent.
	Start *taskv1.Start
	// Log is the task's logger.
	Log hclog.Logger

	ctx  context.Context
	out  *outbox
	asks asks

	mu        sync.Mutex
	artifacts map[string]*Artifact // not yet committed, by name
}

// Progress reports how far the task is.
func (r *Run) Progress(done, total float64, note string) {
	r.out.report(&taskv1.Progress{Done: done, Total: total, Note: clean(note, 1000)})
}

// Alive reports that the task works although it has nothing to tell.
func (r *Run) Alive() { r.out.alive() }

// Checkpoint returns when the host has stored v.
func (r *Run) Checkpoint(ctx context.Context, v any) error {
	raw, err := Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the checkpoint: %w", err)
	}
	if len(raw) > protocol.MaxOutput {
		return fmt.Errorf("the checkpoint is %d bytes of JSON, the most is %d", len(raw), protocol.MaxOutput)
	}
	m := &taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Checkpoint{Checkpoint: &taskv1.Checkpoint{Value: raw}}}
	if _, err := r.ask(ctx, m); err != nil {
		return fmt.Errorf("storing the checkpoint: %w", err)
	}
	return nil
}

// Restore reads the last checkpoint into v; false without one.
func (r *Run) Restore(v any) (bool, error) {
	if len(r.Start.GetRestore()) == 0 {
		return false, nil
	}
	if err := unmarshal(r.Start.GetRestore(), v); err != nil {
		return false, fmt.Errorf("decoding the checkpoint: %w", err)
	}
	return true, nil
}

// TempDir returns the run's own folder, which the host removes.
func (r *Run) TempDir() (string, error) {
	dir := r.Start.GetTempDir()
	if dir == "" {
		return "", errors.New("the host gave no temporary folder")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("making the temporary folder: %w", err)
	}
	return dir, nil
}

// Open opens an artifact of another task of the same attempt.
func (r *Run) Open(task, name string) (*os.File, error) {
	m := &taskv1.TaskMsg{Msg: &taskv1.TaskMsg_Open{Open: &taskv1.Open{Task: valid(task), Name: valid(name)}}}
	ack, err := r.ask(r.ctx, m)
	if err != nil {
		return nil, fmt.Errorf("opening artifact %q of task %q: %w", name, task, err)
	}
	f, err := os.Open(ack.GetPath())
	if err != nil {
		return nil, fmt.Errorf("opening artifact %q of task %q: %w", name, task, err)
	}
	return f, nil
}

// ask sends m and waits for the host's answer. It does so in a cancelled run
// too, as long as ctx allows: cleaning up may need it.
func (r *Run) ask(ctx context.Context, m *taskv1.TaskMsg) (*taskv1.Ack, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	var seq uint64
	var answer chan *taskv1.Ack
	err := r.out.post(m, func(n uint64) { seq, answer = n, r.asks.add(n) })
	defer func() { r.asks.drop(seq) }()
	if err != nil {
		return nil, fmt.Errorf("sending to the host: %w", err)
	}
	select {
	case ack, ok := <-answer:
		if !ok {
			return nil, r.asks.lost()
		}
		if ack.GetError() != "" {
			return nil, errors.New(ack.GetError())
		}
		return ack, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// asks are the messages that wait for an Ack.
type asks struct {
	mu     sync.Mutex
	open   map[uint64]chan *taskv1.Ack
	closed error
}

func (a *asks) add(seq uint64) chan *taskv1.Ack {
	a.mu.Lock()
	defer a.mu.Unlock()
	ch := make(chan *taskv1.Ack, 1)
	if a.closed != nil {
		close(ch)
		return ch
	}
	if a.open == nil {
		a.open = map[uint64]chan *taskv1.Ack{}
	}
	a.open[seq] = ch
	return ch
}

func (a *asks) drop(seq uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, seq)
}

// answer passes an Ack on; one that nobody waits for any more is dropped.
func (a *asks) answer(ack *taskv1.Ack) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if ch := a.open[ack.GetSeq()]; ch != nil {
		delete(a.open, ack.GetSeq())
		ch <- ack
	}
}

// close ends every wait, now and later.
func (a *asks) close(why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed != nil {
		return
	}
	a.closed = why
	for seq, ch := range a.open {
		delete(a.open, seq)
		close(ch)
	}
}

func (a *asks) lost() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed
}

// finish removes what was begun and never committed.
func (r *Run) finish() {
	r.mu.Lock()
	open := r.artifacts
	r.artifacts = nil
	r.mu.Unlock()
	for _, a := range open {
		a.abandon("the run ended")
	}
}
