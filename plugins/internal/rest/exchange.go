package rest

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

// Call is a request with all its tries.
type Call struct {
	Method string
	Path   string // from the base URL on, escaped
	Query  url.Values
	Body   any // nil for none
	// Accept is what is wanted, "" for JSON.
	Accept string
	// Authorization is the header, "" for none. One among Options.Headers goes before.
	Authorization string
	// Once says that doing it twice is not as good as once.
	Once bool
	// Conflict takes a 409 for an answer.
	Conflict bool
}

// Answer is what the server says, whole.
type Answer struct {
	Call   Call // what it is to
	Status int
	Header http.Header
	Body   []byte
	// Said is the message in its JSON, Page that it is for people.
	Said string
	Page bool
	// Unsure says that an earlier try may have done what was asked.
	Unsure bool
	Tries  int
	Base   string // URL of the server
}

var errTry = errors.New("the time for one try is over")

// asked lets backoff see how long the server wants to be left alone.
type asked struct {
	fault *Error
	wait  *backoff.RetryAfterError
}

func (a asked) Error() string { return a.fault.Error() }

func (a asked) Unwrap() []error { return []error{a.fault, a.wait} }

// Do tries until there is an answer, or no other try may help or is allowed. Its
// error is an *Error or the cause of ctx's end.
func (c *Client) Do(ctx context.Context, q Call) (Answer, error) {
	var body []byte
	if q.Body != nil {
		var err error
		if body, err = json.Marshal(q.Body); err != nil {
			return Answer{}, c.Refuse(q, "the request cannot be written as JSON: %v", err)
		}
	}
	tries, unsure := 0, false
	round := func() (a Answer, err error) {
		for range c.bases {
			at := c.at.Load()
			tries++
			var fault *Error
			a, fault = c.try(ctx, c.bases[at], q, body)
			if fault == nil {
				c.outage.Store(false)
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
				c.options.Log.Warn(c.dialect.an("endpoint")+" does not answer, going on with the next", "endpoint", c.bases[at], "next", c.bases[next], "why", fault.Message)
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
			if c.outage.Load() {
				return // who follows a server asks it for as long as it is down
			}
			c.options.Log.Warn("asking "+c.dialect.Name+" again", "wait", wait.Round(time.Millisecond).String(), "why", err.Error())
		}),
	)
	if err != nil && ctx.Err() != nil {
		return Answer{}, context.Cause(ctx)
	}
	var fault *Error
	if errors.As(err, &fault) {
		if fault.Retryable() {
			c.outage.Store(true)
		}
		return Answer{}, fault
	}
	a.Unsure, a.Tries = unsure, tries
	return a, err
}

// try is one of them.
func (c *Client) try(ctx context.Context, base string, q Call, body []byte) (Answer, *Error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.Timeout, errTry)
	defer cancel()
	r, err := c.request(ctx, base, q, body)
	if err != nil {
		e := c.fault(base, q, CodeBadRequest)
		e.Message, e.Err = OneLine(err.Error()), err
		return Answer{}, e
	}
	if most := int64(c.options.MaxRequests); c.requests.Add(1) > most && most > 0 {
		c.requests.Add(-1)
		e := c.fault(base, q, CodeSpent)
		e.Message = fmt.Sprintf("%d requests are sent, and no more may be (requests)", most)
		return Answer{}, e
	}
	got, err := c.http.Do(r)
	if err != nil {
		return Answer{}, c.broken(ctx, base, q, err)
	}
	defer func() { _ = got.Body.Close() }()
	most := c.options.MaxAnswer
	if got.StatusCode >= 300 && got.StatusCode != http.StatusConflict {
		most = min(most, mostError)
	}
	data, err := io.ReadAll(io.LimitReader(got.Body, most+1))
	a := Answer{Call: q, Status: got.StatusCode, Header: got.Header, Body: data, Page: isPage(got.Header, data), Base: base}
	over := int64(len(data)) > most
	if a.Status != http.StatusOK {
		a.Said = c.dialect.Said(data)
	}
	if fault := c.judge(a); fault != nil {
		return a, fault // whatever of its body has come
	}
	switch {
	case over:
		return a, c.Fault(a, CodeTooBig, "the answer is longer than %s, the most that is read (max answer)", humanize.IBytes(uint64(most)))
	case err != nil:
		return a, c.broken(ctx, base, q, err)
	}
	return a, nil
}

// mostError is what is read of an answer that is an error.
const mostError = 64 << 10

func (c *Client) request(ctx context.Context, base string, q Call, body []byte) (*http.Request, error) {
	target := base + q.Path
	if len(q.Query) > 0 {
		target += "?" + q.Query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "outrider")
	r.Header.Set("Accept", "application/json")
	if q.Accept != "" {
		r.Header.Set("Accept", q.Accept)
	}
	if q.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.Authorization != "" {
		r.Header.Set("Authorization", q.Authorization)
	}
	for name, value := range c.options.Headers {
		r.Header.Set(name, value)
		if http.CanonicalHeaderKey(name) == "Host" {
			r.Host = value
		}
	}
	return r, nil
}
