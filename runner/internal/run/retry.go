package run

import (
	"fmt"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// retryable reports whether another attempt may help after o.
func retryable(o Outcome) bool {
	if o.Permanent || o.Misused || o.Signal != 0 {
		return false
	}
	switch o.State {
	case Failed:
		return !o.Broken
	case Crashed:
		return true
	case TimedOut:
		return o.Code == CodeIdle
	}
	return false
}

// Backoff is the wait before a retry: it starts at Initial, doubles up to Max and
// is spread by half either way, so that many tasks do not retry in step.
type Backoff struct {
	Initial time.Duration
	Max     time.Duration
}

// DefaultBackoff waits about 1 s, 2 s, 4 s … up to 5 min.
func DefaultBackoff() Backoff { return Backoff{Initial: time.Second, Max: 5 * time.Minute} }

// ParseBackoff reads INITIAL or INITIAL..MAX, for example 2s..1m.
func ParseBackoff(s string) (Backoff, error) {
	b := DefaultBackoff()
	first, last, both := strings.Cut(s, "..")
	d, err := time.ParseDuration(first)
	if err != nil || d < 0 {
		return b, fmt.Errorf("backoff %q: want a wait such as 2s, or first and longest wait such as 2s..1m", s)
	}
	b.Initial = d
	if both {
		if b.Max, err = time.ParseDuration(last); err != nil || b.Max < b.Initial {
			return b, fmt.Errorf("backoff %q: the longest wait %q is no duration or below the first", s, last)
		}
	}
	b.Max = max(b.Max, b.Initial)
	return b, nil
}

type sequence struct{ b *backoff.ExponentialBackOff }

func (b Backoff) sequence() sequence {
	e := backoff.NewExponentialBackOff()
	e.InitialInterval, e.MaxInterval, e.Multiplier = b.Initial, b.Max, 2
	e.Reset()
	return sequence{e}
}

func (s sequence) next() time.Duration { return max(0, s.b.NextBackOff()) }
