// Package run is the life of one run: its attempts, timeouts, retries and how
// it ends. What an attempt does is an Executor's; where messages go is a
// Listener's; neither a process nor a terminal is known here. Decisions are pure
// functions over outcomes (outcome.go, retry.go).
package run

import (
	"context"
	"sync"
	"time"

	"github.com/outrider-run/outrider/runner/internal/launch"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Executor makes one attempt. It returns within its stop budget after ctx ends
// and leaves no process behind. attempt counts from 1. It says that it is alive when
// the task begins, from when on that counts as idle that says nothing.
type Executor interface {
	Execute(ctx context.Context, attempt int, l Listener) Outcome
}

// Listener hears what a task says, one call at a time, in the task's order.
type Listener = launch.Events

// Spec is what a caller asks of a run.
type Spec struct {
	// Timeout bounds the whole run from the begin of its first attempt's task, retries
	// and the waits between included; 0: none.
	Timeout time.Duration
	// IdleTimeout bounds the time between two messages of an attempt; 0: none.
	IdleTimeout time.Duration
	// Retries is how many attempts may follow the first.
	Retries int
	Backoff Backoff
}

// Do runs to the end. Ending ctx cancels the run; its cause, a *Cause if it is
// one, decides the outcome. between is told of every failed attempt that another
// follows after wait.
func Do(ctx context.Context, s Spec, x Executor, l Listener, between func(o Outcome, wait time.Duration)) Outcome {
	if s.Timeout > 0 {
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		w := watch(s.Timeout, func() { cancel(timedOut(s.Timeout)) })
		defer w.stop()
		l = &begins{Listener: l, begin: sync.OnceFunc(w.begin)}
	}
	waits := s.Backoff.sequence()
	for n := 1; ; n++ {
		o := attempt(ctx, s, n, x, l)
		o.Attempts = n
		if n > s.Retries || !retryable(o) || ctx.Err() != nil {
			return o
		}
		wait := max(waits.next(), o.RetryAfter)
		between(o, wait)
		if !sleep(ctx, wait) {
			return ended(o, causeOf(ctx))
		}
	}
}

// attempt makes one attempt under the idle timeout and puts the host's own
// reason for its end above what the task made of it.
func attempt(ctx context.Context, s Spec, n int, x Executor, l Listener) Outcome {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if s.IdleTimeout > 0 {
		w := watch(s.IdleTimeout, func() { cancel(idle(s.IdleTimeout)) })
		defer w.stop()
		l = &listened{Listener: l, watch: w}
	}
	o := x.Execute(ctx, n, l)
	if c := causeOf(ctx); c != nil {
		return ended(o, c)
	}
	return o
}

// ended is the outcome of a run that the host ended for cause c while the task
// came to o. A success that came after all stays out of the exit code: who sent
// the signal must not read it as done (design, section 6).
func ended(o Outcome, c *Cause) Outcome {
	e := Outcome{State: c.State, Code: c.Code, Message: c.Reason, Signal: c.Signal, Attempts: o.Attempts, Command: o.Command}
	switch {
	case o.Command != nil:
	case o.State == Success:
		e.Message += "; the task reported success after that"
	case o.Message != "" && o.State != Cancelled:
		e.Message += "; last: " + o.Message
	}
	return e
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// idleWatch calls once when nothing was heard for a while after the begin. Timers run
// on the monotonic clock: a jump of the wall clock neither fires nor holds one.
type idleWatch struct {
	mu     sync.Mutex
	timer  *time.Timer // nil before the begin
	after  time.Duration
	silent func()
}

func watch(after time.Duration, silent func()) *idleWatch {
	return &idleWatch{after: after, silent: silent}
}

// begin is heard, and the first that counts: a plugin may print while it starts.
func (w *idleWatch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer == nil {
		w.timer = time.AfterFunc(w.after, w.silent)
	} else {
		w.timer.Reset(w.after)
	}
}

func (w *idleWatch) heard() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Reset(w.after)
	}
}

func (w *idleWatch) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
}

// begins hears that the task begins.
type begins struct {
	Listener
	begin func()
}

func (b *begins) Alive() { b.begin(); b.Listener.Alive() }

// listened resets the idle watch with every message.
type listened struct {
	Listener
	watch *idleWatch
}

func (l *listened) Log(line *taskv1.LogLine) { l.watch.heard(); l.Listener.Log(line) }
func (l *listened) Alive()                   { l.watch.begin(); l.Listener.Alive() }

func (l *listened) Progress(done, total float64, note string) {
	l.watch.heard()
	l.Listener.Progress(done, total, note)
}

func (l *listened) Checkpoint(ctx context.Context, value []byte) error {
	l.watch.heard()
	return l.Listener.Checkpoint(ctx, value)
}

func (l *listened) Artifact(ctx context.Context, a *taskv1.Artifact) error {
	l.watch.heard()
	return l.Listener.Artifact(ctx, a)
}

func (l *listened) Open(ctx context.Context, task, name string) (string, error) {
	l.watch.heard()
	return l.Listener.Open(ctx, task, name)
}
