package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// grace is how long a pass may go on when it is to stop: less than the ten seconds
	// that containers are given.
	grace = 8 * time.Second
	// earliest is how soon after another a pass is made because of an event.
	earliest = 5 * time.Second
)

// graceful is a context that ends some time after ctx does.
func graceful(ctx context.Context) (context.Context, func()) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(grace)
		defer t.Stop()
		select {
		case <-t.C:
			cancel(context.Cause(ctx))
		case <-late.Done():
		}
	})
	return late, func() {
		stop()
		cancel(nil)
	}
}

// Pulse knows when the last pass ended, by a clock that nobody sets.
type Pulse struct {
	mu    sync.Mutex
	at    time.Time
	every time.Duration
	err   error
}

// NewPulse begins to wait for the first pass.
func NewPulse(every time.Duration) *Pulse { return &Pulse{at: time.Now(), every: every} }

func (p *Pulse) beat(every time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.every, p.err = every, err
	if err == nil {
		p.at = time.Now()
	}
}

// lives notes that a pass is stored, though people may be told of it slowly, or that a
// long look goes on.
func (p *Pulse) lives() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = time.Now()
}

// Alive says why passes are not made, or no source answers, nil where the last in which one
// did is younger than two intervals.
func (p *Pulse) Alive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	age := time.Since(p.at)
	switch {
	case age <= 2*p.every:
		return nil
	case p.err != nil:
		return fmt.Errorf("no complete pass for %s: %w", age.Round(time.Second), p.err)
	}
	return fmt.Errorf("no complete pass for %s", age.Round(time.Second))
}

// Loop makes passes until ctx ends, one every so often, or as often as the settings say
// where every is 0; and an early one when an event is posted or an action has ended. The
// pass under way is made to its end. After each of them done is told what it came to.
func (w *Watcher) Loop(ctx context.Context, every time.Duration, pulse *Pulse, done func(Summary, error)) {
	w.every, w.pulse, w.wake = every, pulse, make(chan struct{}, 1)
	defer w.idle()
	var come <-chan struct{}
	if w.Inbox != nil {
		come = w.Inbox.Come()
	}
	for ctx.Err() == nil {
		began := time.Now()
		s, err := w.Pass(ctx)
		interval := every
		if interval == 0 && w.last != nil {
			interval = w.last.Interval
		}
		if interval == 0 {
			interval = time.Minute
		}
		if ctx.Err() != nil && errors.Is(err, ErrStopped) {
			return
		}
		pulse.beat(interval, cmp.Or(err, stale(s, w.Now(), s.interval(interval)), s.incomplete()))
		done(s, err)
		if !rest(ctx, began, interval, come, w.wake) {
			return
		}
	}
}

// stale says that what is known is too old: the pass was left to another checker, which
// makes none.
func stale(s Summary, now time.Time, interval time.Duration) error {
	if now.Sub(s.At).Abs() <= 2*interval+time.Duration(s.Took*float64(time.Second)) {
		return nil
	}
	return errors.New("another checker has begun a pass, and does not end it")
}

// rest waits for the next pass; false when there is to be none.
func rest(ctx context.Context, began time.Time, interval time.Duration, come, wake <-chan struct{}) bool {
	next := time.NewTimer(time.Until(began.Add(interval)))
	defer next.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-next.C:
		return true
	case <-come:
	case <-wake:
	}
	soon := time.NewTimer(min(time.Until(began.Add(earliest)), time.Until(began.Add(interval))))
	defer soon.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-soon.C:
		return true
	}
}
