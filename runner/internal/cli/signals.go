package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/outrider-run/outrider/runner/internal/cli/term"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// stopped gives err, which came of a stop before the run had begun, the exit code
// of that stop.
func stopped(ctx context.Context, err error) error {
	var c *run.Cause
	if err == nil || ctx.Err() == nil || !errors.As(context.Cause(ctx), &c) {
		return err
	}
	return &term.Exit{Code: run.Outcome{State: c.State, Signal: c.Signal}.Exit(0), Err: err}
}

// withSignals ends ctx at the first signal that asks the host to stop, and closes
// kill at the second: whoever presses Ctrl-C twice means it. A signal that was
// ignored when the host started (nohup, a shell's background job) stays ignored.
// SIGPIPE is taken so that a reader that went away is an error of the write and
// not the host's death.
func withSignals(ctx context.Context) (_ context.Context, kill <-chan struct{}, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ch := make(chan os.Signal, 4)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		if !signal.Ignored(s) {
			signal.Notify(ch, s)
		}
	}
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	second, done := make(chan struct{}), make(chan struct{})
	go func() {
		select {
		case s := <-ch:
			cancel(run.Signalled(s.(syscall.Signal)))
		case <-done:
			return
		}
		select {
		case <-ch:
			close(second)
		case <-done:
		}
	}()
	return ctx, second, func() {
		close(done)
		cancel(nil)
	}
}
