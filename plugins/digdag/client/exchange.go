package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/dustin/go-humanize"
)

// call is a request with all its tries.
type call struct {
	method string
	path   string // from /api on, escaped
	query  url.Values
	body   any // nil for none
	// packed expects gzip, not JSON.
	packed bool
	// once says that doing it twice is not as good as once.
	once bool
	// conflict takes a 409 for an answer.
	conflict bool
}

// answer is what the server says, whole.
type answer struct {
	status int
	body   []byte
	// unsure says that an earlier try may have done what was asked.
	unsure bool
	tries  int
	base   string
}

var errTry = errors.New("the time for one try is over")

// asked lets backoff see how long the server wants to be left alone.
type asked struct {
	fault *Error
	wait  *backoff.RetryAfterError
}

func (a asked) Error() string { return a.fault.Error() }

func (a asked) Unwrap() []error { return []error{a.fault, a.wait} }

// do tries until there is an answer, or no other try may help or is allowed. Its
// error is an *Error or the cause of ctx's end.
func (c *Client) do(ctx context.Context, q call) (answer, error) {
	var body []byte
	if q.body != nil {
		var err error
		if body, err = json.Marshal(q.body); err != nil {
			return answer{}, c.refuse(q, "the request cannot be written as JSON: %v", err)
		}
	}
	tries, unsure := 0, false
	round := func() (a answer, err error) {
		for range c.bases {
			at := c.at.Load()
			tries++
			var fault *Error
			a, fault = c.try(ctx, c.bases[at], q, body)
			if fault == nil {
				return a, nil
			}
			fault.Tries = tries
			if err = fault; ctx.Err() != nil || !fault.again(q) {
				return a, backoff.Permanent(err)
			}
			unsure = unsure || fault.Sent
			if fault.RetryAfter > 0 {
				err = asked{fault, &backoff.RetryAfterError{Duration: fault.RetryAfter}}
			}
			if fault.Code == CodeRateLimited || len(c.bases) == 1 {
				return a, err
			}
			next := (at + 1) % int64(len(c.bases))
			if c.at.CompareAndSwap(at, next) {
				c.options.Log.Warn("a Digdag endpoint does not answer, going on with the next", "endpoint", c.bases[at], "next", c.bases[next], "why", fault.Message)
			}
		}
		return a, err
	}
	r := c.options.Retry
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = r.Wait, r.MaxWait
	a, err := backoff.Retry(
		ctx, round,
		backoff.WithBackOff(pause), backoff.WithMaxTries(uint(r.Tries)), backoff.WithMaxElapsedTime(r.Within),
		backoff.WithNotify(func(err error, wait time.Duration) {
			c.options.Log.Warn("asking Digdag again", "wait", wait.Round(time.Millisecond).String(), "why", err.Error())
		}),
	)
	if err != nil && ctx.Err() != nil {
		return answer{}, context.Cause(ctx)
	}
	var fault *Error
	if errors.As(err, &fault) {
		return answer{}, fault
	}
	a.unsure, a.tries = unsure, tries
	return a, err
}

// try is one of them.
func (c *Client) try(ctx context.Context, base string, q call, body []byte) (answer, *Error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.Timeout, errTry)
	defer cancel()
	r, err := c.request(ctx, base, q, body)
	if err != nil {
		return answer{}, &Error{Endpoint: base, Method: q.method, Path: q.path, Code: CodeBadRequest, Message: oneLine(err.Error()), Err: err}
	}
	c.requests.Add(1)
	got, err := c.http.Do(r)
	if err != nil {
		return answer{}, c.broken(ctx, base, q, err)
	}
	defer func() { _ = got.Body.Close() }()
	most := c.options.MaxAnswer
	if got.StatusCode != http.StatusOK && got.StatusCode != http.StatusConflict {
		most = min(most, mostError)
	}
	data, err := io.ReadAll(io.LimitReader(got.Body, most+1))
	a := answer{status: got.StatusCode, body: data, base: base}
	over := int64(len(data)) > most
	if fault := c.judge(base, q, got, data); fault != nil {
		return a, fault // whatever of its body has come
	}
	switch {
	case over:
		return a, &Error{
			Endpoint: base, Method: q.method, Path: q.path, Status: got.StatusCode, Code: CodeTooBig, Sent: true,
			Message: fmt.Sprintf("the answer is longer than %s, the most that is read (max answer)", humanize.IBytes(uint64(most))),
		}
	case err != nil:
		return a, c.broken(ctx, base, q, err)
	}
	return a, nil
}

// mostError is what is read of an answer that is an error.
const mostError = 64 << 10

func (c *Client) request(ctx context.Context, base string, q call, body []byte) (*http.Request, error) {
	target := base + q.path
	if len(q.query) > 0 {
		target += "?" + q.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "outrider")
	r.Header.Set("Accept", "application/json")
	if q.packed {
		r.Header.Set("Accept", "application/gzip")
	}
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.options.User != "" {
		r.SetBasicAuth(c.options.User, c.options.Password)
	}
	for name, value := range c.options.Headers {
		r.Header.Set(name, value)
		if http.CanonicalHeaderKey(name) == "Host" {
			r.Host = value
		}
	}
	return r, nil
}

// refuse is the error of a request that is not sent.
func (c *Client) refuse(q call, format string, args ...any) *Error {
	return &Error{Endpoint: c.Endpoint(), Method: q.method, Path: q.path, Code: CodeBadRequest, Message: oneLine(fmt.Sprintf(format, args...))}
}
