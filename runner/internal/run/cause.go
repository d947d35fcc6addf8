package run

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

// Cause is why the host itself ends a run; it travels as the cause of a context.
type Cause struct {
	State  State
	Code   string
	Reason string
	Signal syscall.Signal
}

func (c *Cause) Error() string { return c.Reason }

// Signalled is the cause of a run that a signal to the host ends.
func Signalled(sig syscall.Signal) *Cause {
	return &Cause{State: Cancelled, Code: CodeCancelled, Reason: "the host was sent " + signalName(sig), Signal: sig}
}

// Orphaned is the cause of a run whose engine is gone.
func Orphaned(why error) *Cause {
	return &Cause{State: Cancelled, Code: CodeOrphaned, Reason: "orphaned: " + why.Error()}
}

func timedOut(d time.Duration) *Cause {
	return &Cause{State: TimedOut, Code: CodeTimeout, Reason: fmt.Sprintf("ran into its timeout of %s", d)}
}

func idle(d time.Duration) *Cause {
	return &Cause{State: TimedOut, Code: CodeIdle, Reason: fmt.Sprintf("sent no message for %s (idle timeout)", d)}
}

// causeOf returns why ctx ended, nil while it has not.
func causeOf(ctx context.Context) *Cause {
	if ctx.Err() == nil {
		return nil
	}
	var c *Cause
	if errors.As(context.Cause(ctx), &c) {
		return c
	}
	return &Cause{State: Cancelled, Code: CodeCancelled, Reason: context.Cause(ctx).Error()}
}

// OutcomeOf is the outcome of a run that was stopped before it had begun.
func OutcomeOf(ctx context.Context) Outcome { return ended(Outcome{}, causeOf(ctx)) }

func signalName(sig syscall.Signal) string {
	switch sig {
	case syscall.SIGINT:
		return "SIGINT"
	case syscall.SIGTERM:
		return "SIGTERM"
	case syscall.SIGHUP:
		return "SIGHUP"
	case syscall.SIGQUIT:
		return "SIGQUIT"
	}
	return sig.String()
}
