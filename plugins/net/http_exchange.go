package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/outrider-run/outrider/plugins/net/internal/web"
	"github.com/outrider-run/outrider/sdk"
)

// longestPause caps the growing wait between tries.
const longestPause = time.Minute

// exchange is a request with all its tries.
type exchange struct {
	run      *sdk.Run
	params   requestParams
	client   *web.Client
	body     *web.Body
	expected web.Statuses
	tries    int
}

var errTotal = errors.New("the time for all tries is over")

// do tries until there is an answer, or no other try may help or is allowed.
func (x *exchange) do(ctx context.Context) (requestOutput, error) {
	p := x.params
	whole, cancel := context.WithTimeoutCause(ctx, p.Timeout, errTotal)
	defer cancel()
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = p.RetryWait, max(p.RetryWait, longestPause)
	var last error
	out, err := backoff.Retry(whole, func() (requestOutput, error) {
		x.tries++
		out, err := x.try(whole)
		if err != nil && !errors.Is(err, errTotal) {
			last = err
		}
		if err != nil && !x.repeats(err) {
			err = backoff.Permanent(err)
		}
		return out, err
	},
		backoff.WithBackOff(pause),
		backoff.WithMaxTries(uint(p.Retries+1)),
		backoff.WithMaxElapsedTime(p.Timeout),
		backoff.WithNotify(func(err error, wait time.Duration) {
			x.run.Log().Warn("trying again", "try", x.tries, "wait", wait.Round(time.Millisecond).String(), "why", err.Error())
		}),
	)
	switch {
	case err == nil:
		out.Tries = x.tries
		return out, nil
	case ctx.Err() != nil:
		return requestOutput{}, context.Cause(ctx)
	}
	return requestOutput{}, x.verdict(err, last)
}

// try is one of them.
func (x *exchange) try(ctx context.Context) (requestOutput, error) {
	p := x.params
	ctx, cancel := context.WithTimeoutCause(ctx, p.TryTimeout, fmt.Errorf("%w: a try may take %s", web.ErrTry, p.TryTimeout))
	defer cancel()
	answer, err := x.client.Do(ctx, x.body)
	if err != nil {
		return requestOutput{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	if !x.expected.Has(answer.StatusCode) {
		return requestOutput{}, x.refused(ctx, answer)
	}
	return x.take(ctx, answer)
}

// repeats reports whether another try may mend an error, and does not do twice what
// is to be done once.
func (x *exchange) repeats(err error) bool {
	mends, done := judged(err)
	return mends && (!done || mayRepeat(x.params))
}

// judged reports whether another try may mend an error, and whether the server may
// have done what was asked all the same. With 429 it has refused to (RFC 6585, 4).
func judged(err error) (mends, done bool) {
	if s, ok := errors.AsType[*statusError](err); ok {
		return s.retry(), s.status != http.StatusTooManyRequests
	}
	if f, ok := errors.AsType[*web.Failure](err); ok {
		return f.Retry, f.Sent
	}
	return false, false
}

// statusError is an answer with a status that was not expected.
type statusError struct {
	status int
	text   string
	// asked is what Retry-After says, nil for nothing. A field of backoff's own
	// type lets it find the wait.
	asked *backoff.RetryAfterError
}

func (e *statusError) Error() string { return e.text }

func (e *statusError) Unwrap() error {
	if e.asked == nil {
		return nil
	}
	return e.asked
}

func (e *statusError) retry() bool {
	return e.status == http.StatusTooManyRequests || e.status >= 500
}

// refused makes the error of such an answer, with what the server says of it.
func (x *exchange) refused(ctx context.Context, answer *http.Response) error {
	e := &statusError{status: answer.StatusCode}
	if wait, ok := sdk.RetryAfterHeader(answer.Header, time.Now()); ok && e.retry() {
		e.asked = &backoff.RetryAfterError{Duration: wait}
	}
	e.text = fmt.Sprintf("the answer is %d %s, want %s", e.status, http.StatusText(e.status), x.params.Expect)
	if said := x.client.Excerpt(answer.Body); said != "" {
		e.text += fmt.Sprintf("; it says %q", said)
	}
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), web.ErrTry) {
		return context.Cause(ctx)
	}
	return e
}

// mayRepeat reports whether doing it twice is as good as once: the idempotent
// methods (RFC 9110, 9.2.2), and whatever has a key by which the server knows that
// it is the same.
func mayRepeat(p requestParams) bool {
	idempotent := []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete}
	return slices.Contains(idempotent, p.Method) || p.IdempotencyHeader != "" || p.Sends("Idempotency-Key")
}

// verdict says of the last try's error what it means to the run, and what was done.
func (x *exchange) verdict(err, last error) error {
	code, text, permanent := "", "", false
	if errors.Is(err, errTotal) {
		code, err = "timeout", fmt.Errorf("no answer within %s", x.params.Timeout)
		if last != nil {
			err = fmt.Errorf("%w; the last try: %w", err, last)
		}
	}
	if s, ok := errors.AsType[*statusError](err); ok {
		permanent, code = !s.retry(), cmp.Or(code, fmt.Sprintf("http_%d", s.status))
	} else if f, ok := errors.AsType[*web.Failure](err); ok {
		permanent, code = !f.Retry, cmp.Or(code, f.Code)
	}
	if x.tries > 1 {
		text = fmt.Sprintf(" (after %d tries)", x.tries)
	}
	if mends, _ := judged(err); mends && !x.repeats(err) {
		text += "; the server may have done it all the same, so it was not tried again: where the server knows idempotency keys, set idempotency_header"
	}
	err = fmt.Errorf("%s %s: %w%s", x.params.Method, x.params.Place(), err, text)
	if code != "" {
		err = sdk.Code(code, err)
	}
	if asked, ok := errors.AsType[*backoff.RetryAfterError](err); ok {
		err = sdk.RetryAfter(asked.Duration, err)
	}
	if permanent {
		err = sdk.Permanent(err)
	}
	return err
}
