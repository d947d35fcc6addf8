package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/outrider-run/outrider/sdk"
)

// Waiting is what all checks say about looking again.
type Waiting struct {
	Wait  *time.Duration `json:"wait" help:"Look again until all holds, for this long; without it look once. The last look begins when the time is over and may take try_timeout" min:"1ms"`
	Every time.Duration  `json:"every" help:"With wait: the time between two looks" default:"5s" min:"1ms"`
}

// until looks until a look succeeds, the wait is over, ctx ends or the error of a look
// is a backoff.Permanent, which no further look mends. It returns how often it looked.
func until[T any](ctx context.Context, run *sdk.Run, w Waiting, look func(ctx context.Context) (T, error)) (out T, looks int, err error) {
	again := steady{every: w.Every, end: time.Now()}
	if w.Wait != nil {
		again.end = again.end.Add(*w.Wait)
	}
	told := "" // a reason that stays is logged once
	var last error
	out, err = backoff.Retry(
		ctx, func() (T, error) {
			looks++
			out, err := look(ctx)
			if ctx.Err() == nil {
				last = err
			}
			return out, err
		},
		backoff.WithBackOff(again), backoff.WithMaxElapsedTime(0),
		backoff.WithNotify(func(err error, _ time.Duration) {
			run.Progress(float64(looks), 0, fmt.Sprintf("look %d: %v", looks, err))
			if told != err.Error() {
				told = err.Error()
				run.Log().Info("does not hold", "look", looks, "why", told)
			}
		}),
	)
	switch {
	case err == nil || w.Wait == nil:
	case ctx.Err() != nil && last != nil:
		err = fmt.Errorf("%w; before that: %w", context.Cause(ctx), last)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case looks > 1 && time.Until(again.end) <= 0:
		err = fmt.Errorf("not so within %v, after %d looks: %w", *w.Wait, looks, err)
	}
	return out, looks, err
}

// steady waits the same time before each look, and less before the one at the end.
type steady struct {
	every time.Duration
	end   time.Time
}

func (s steady) NextBackOff() time.Duration {
	left := time.Until(s.end)
	if left <= 0 {
		return backoff.Stop
	}
	return min(s.every, left)
}

func (steady) Reset() {}
