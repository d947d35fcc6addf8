package deliver

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/outrider-run/outrider/runner/internal/run"
)

const (
	firstWait = 5 * time.Second
	mostWait  = 5 * time.Minute
	// hopelessWait is between two tries of what needs a person to mend it, and the most
	// that a receiver may ask to wait.
	hopelessWait = time.Hour
)

// failure is why a row was not told.
type failure struct {
	why string
	// permanent: another try as it is will not help.
	permanent bool
	// surelyNot: the receiver has not got it.
	surelyNot bool
	// after is how long the receiver asks to wait.
	after time.Duration
}

// failureOf judges a call's outcome; nil for one that told.
func failureOf(component string, o run.Outcome) *failure {
	if o.State == run.Success || o.State == run.Skipped {
		return nil
	}
	f := &failure{why: o.Message, permanent: o.Permanent || o.Misused, after: o.RetryAfter}
	if f.why == "" {
		f.why = component + " " + string(o.State)
	}
	// Of notify.send's targets some may have been reached when others fail for good.
	f.surelyNot = o.Misused || component != notifySend && f.permanent || f.after > 0 || slices.Contains(unsent[component], o.Code)
	return f
}

// unsent are the codes of failures before the receiver has got anything.
var unsent = map[string][]string{
	slackPost:   {"unreachable", "ratelimited", "service_unavailable"},
	httpRequest: {"unreachable", "dns"},
}

// wait is how long until the next try, after so many that failed, this one not counted.
func (f *failure) wait(tries int) time.Duration {
	switch {
	case f.permanent:
		return hopelessWait
	case f.after > 0:
		return min(f.after, hopelessWait)
	}
	b := backoff.ExponentialBackOff{InitialInterval: firstWait, MaxInterval: mostWait, Multiplier: 2, RandomizationFactor: 0}
	b.Reset()
	var wait time.Duration
	for range min(tries, 20) + 1 {
		wait = b.NextBackOff()
	}
	// Spread, so that many rows do not come back in step.
	return wait - rand.N(wait/5)
}
