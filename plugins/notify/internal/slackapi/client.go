// Package slackapi posts a message to Slack, with a bot token or to an incoming
// webhook, and says of every failure what it is, whether a retry helps and what
// to do. It does not know what a message may hold (package message does), nor
// what a component is.
package slackapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/outrider-run/outrider/plugins/notify/internal/redact"
)

// mostAnswer is what is read of an answer; a page of messages, the largest, has a few MiB.
const mostAnswer = 16 << 20

// newHTTP keeps no connection.
func newHTTP(secret string) *http.Client {
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		DisableKeepAlives: true,
	}
	return &http.Client{Transport: checked{transport, secret}}
}

// checked makes a *Fault of every answer but 200: slack-go does not look at them
// as closely. No redirect is followed thereby, on which the token would go along.
type checked struct {
	next   http.RoundTripper
	secret string
}

func (c checked) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		resp.Body = limited{io.LimitReader(resp.Body, mostAnswer), resp.Body}
		return resp, nil
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // what came counts
	_ = resp.Body.Close()
	return nil, ofStatus(resp.StatusCode, resp.Header, string(body), time.Now(), hiding(c.secret))
}

type limited struct {
	io.Reader
	io.Closer
}

// errTime is the cause of a context that ended since the time was over.
var errTime = errors.New("the time is over")

// Within calls try until it succeeds, a retry might post the message twice or
// does not help, or the time is over: a wait that would take longer is not
// begun. told is called before each wait. The error is ctx's cause or a *Fault
// without secret in it.
func Within(ctx context.Context, timeout time.Duration, secret string, told func(f *Fault, wait time.Duration), try func(ctx context.Context) error) error {
	ctx, stop := context.WithTimeoutCause(ctx, timeout, errTime)
	defer stop()
	var last *Fault
	once := func() (struct{}, error) {
		last = faultOf(ctx, try(ctx), timeout)
		switch {
		case last == nil:
			return struct{}{}, nil
		case !last.Unsent:
			return struct{}{}, backoff.Permanent(last)
		case last.Wait > 0:
			return struct{}{}, &backoff.RetryAfterError{Duration: last.Wait}
		}
		return struct{}{}, last
	}
	_, err := backoff.Retry(ctx, once, backoff.WithMaxElapsedTime(timeout),
		backoff.WithNotify(func(_ error, wait time.Duration) { told(last, wait) }))
	switch cause := context.Cause(ctx); {
	case err == nil:
		return nil
	case cause != nil && !errors.Is(cause, errTime):
		return cause
	}
	safe := *last
	safe.Text = redact.Text(last.Text, secret, server(secret))
	return &safe
}

// hiding takes a secret out of what is quoted, before that is cut: half a secret would
// not be known for one.
func hiding(secret string) func(string) string {
	return func(text string) string { return redact.Text(text, secret, server(secret)) }
}

// server is the name in a webhook's address, which may be seen; a token has none.
func server(secret string) string {
	if u, err := url.Parse(secret); err == nil {
		return u.Hostname()
	}
	return ""
}

// faultOf returns nil for nil.
func faultOf(ctx context.Context, err error, timeout time.Duration) *Fault {
	var f *Fault
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return f
	case errors.Is(context.Cause(ctx), errTime):
		return &Fault{Code: "timed_out", Text: fmt.Sprintf("Slack has not answered within %v; the message may stand there nevertheless", timeout)}
	}
	return unreachable(err)
}
