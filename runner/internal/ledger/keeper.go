package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// watchEvery is how often a host looks whether its run is to end.
const watchEvery = time.Second

// ErrCancelled: somebody asked for the end of the run.
var ErrCancelled = errors.New("cancelled by request")

// Keep renews the lease of a run that goes on and looks whether it is to end, until
// ctx ends. It returns why the run has to end: ErrCancelled, or ErrLost when it was
// taken for dead or could not renew in time: then budget, what a stop takes, is left
// until another may have its claims. Boot time goes on while the machine sleeps, and
// while the process is stopped.
func (e *Entry) Keep(ctx context.Context, budget time.Duration) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	confirmed := e.confirmed
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		if err := e.check(ctx, &confirmed); err != nil {
			return err
		}
		if e.l.Shared() && boottime()-confirmed > e.l.lease-budget-2*time.Second {
			return fmt.Errorf("%w: its lease could not be renewed for %s", ErrLost, (boottime() - confirmed).Round(time.Second))
		}
	}
}

// check looks once. That the ledger cannot be asked ends nothing yet.
func (e *Entry) check(ctx context.Context, confirmed *time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, RenewEvery)
	defer cancel()
	var why string
	var err error
	if sent := boottime(); e.l.Shared() && sent-*confirmed >= e.l.lease/5 {
		if why, err = e.renew(ctx); err == nil {
			*confirmed = sent
		}
	} else {
		why, err = e.Cancelled(ctx)
	}
	switch {
	case errors.Is(err, ErrLost):
		return err
	case err == nil && why != "":
		return fmt.Errorf("%w: %s", ErrCancelled, why)
	}
	return nil
}

// boottime is the time since the machine was started, sleep included.
func boottime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
