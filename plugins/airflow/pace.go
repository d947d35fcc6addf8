package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/sdk"
)

// pace is how a server is looked at again and again.
type pace struct {
	Every  time.Duration `json:"every" help:"the longest time between two looks; the first ones follow each other faster" default:"15s" min:"1s"`
	Outage time.Duration `json:"outage" help:"how long the server may not answer, as while it restarts" default:"15m" min:"0s"`
}

// pauses grow from a fifteenth of the longest to the longest.
func (p pace) pauses() backoff.BackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: max(p.Every/15, time.Millisecond), MaxInterval: max(p.Every, time.Millisecond),
		Multiplier: 1.5, RandomizationFactor: 0.2,
	}
}

// watch looks at a server again and again.
type watch struct {
	pace
	run      *sdk.Run
	began    time.Time
	timeout  time.Duration // since it began, 0 for none
	answered bool          // it is an Airflow that is asked
}

var errLate = errors.New("the time to wait is over")

// until looks until that is done or fails for good, and rides out a server that does
// not answer. note says how it stands; doing begins the error. A look ends with its ctx.
func (w *watch) until(ctx context.Context, doing string, look func(ctx context.Context) (done bool, note string, err error)) error {
	pauses := w.pauses()
	pauses.Reset()
	var down time.Time
	last := "nothing was seen yet"
	late := func() error {
		return sdk.Code("timeout", fmt.Errorf("%s: %s after %s", doing, last, w.timeout))
	}
	for {
		inTime, cancel := w.inTime(ctx)
		done, note, err := look(inTime)
		cancel()
		pause := pauses.NextBackOff()
		var silent *client.Error
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("%s, while %s: %w", doing, last, context.Cause(ctx))
		case errors.Is(err, errLate):
			return late()
		case err == nil && done:
			w.answered = true
			return nil
		case err == nil:
			if !down.IsZero() {
				w.run.Log().Info("the server answers again", "after", time.Since(down).Round(time.Second))
			}
			w.answered, down, last = true, time.Time{}, note
			w.run.Alive()
		case errors.As(err, &silent) && (silent.Retryable() || w.answered && passing(silent)):
			if down.IsZero() {
				down = time.Now()
				w.run.Log().Warn("the server does not answer; waiting goes on", "for_at_most", w.Outage, "error", err)
			}
			left := w.Outage - time.Since(down)
			if left <= 0 {
				return told(doing, err)
			}
			pause = max(pause, min(silent.RetryAfter, left))
		default:
			return told(doing, err)
		}
		if w.timeout > 0 {
			left := time.Until(w.began.Add(w.timeout))
			if left <= 0 {
				return late()
			}
			pause = min(pause, left)
		}
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("%s, while %s: %w", doing, last, err)
		}
	}
}

// inTime is the context of a look: until the timeout, and for the last one, which
// begins with it, as long as two looks lie apart.
func (w *watch) inTime(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, max(time.Until(w.began.Add(w.timeout)), w.Every), errLate)
}

// passing reports whether an error of a server that has answered before is likely to
// pass: a proxy may answer for a while in the place of one that restarts, and a token
// command needs a server of its own.
func passing(e *client.Error) bool {
	return e.Code == client.CodeNotAirflow || e.Code == client.CodeBadAnswer || e.Code == client.CodeTokenCommand
}

// sleep returns early, with the cause, when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
