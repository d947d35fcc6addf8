package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// again reports whether the client itself tries another time.
func (e *Error) again(q call) bool {
	switch e.Code {
	case CodeRateLimited:
		return true // it was turned away, not begun
	case CodeServerError, CodeUnreachable, CodeTimeout:
		return e.Status != http.StatusNotImplemented && !e.final && (!e.Sent || !q.once)
	}
	return false
}

// judge makes an error of an answer that is none of a Digdag's successes, else nil.
func (c *Client) judge(base string, q call, got *http.Response, body []byte) *Error {
	status, page := got.StatusCode, isPage(got.Header, body)
	said := saidIn(body)
	if kind := got.Header.Get("Content-Type"); said == "" && !page && (kind == "" || strings.HasPrefix(kind, "text/plain")) {
		said = oneLine(string(body[:min(len(body), 400)])) // of a proxy, mostly
	}
	e := &Error{Endpoint: base, Method: q.method, Path: q.path, Status: status}
	set := func(code, hint string) *Error {
		text := fmt.Sprintf("%d %s", status, strings.ToLower(http.StatusText(status)))
		switch {
		case said != "":
			text = fmt.Sprintf("%d: %s", status, said)
		case page:
			text += ", with a page instead of a message"
		}
		if hint != "" {
			text += "; " + hint
		}
		e.Code, e.Message = code, text
		return e
	}
	const elsewhere = "is this the base URL of a Digdag server (0.9.31 or later), with the path that it stands under?"
	switch {
	case status == http.StatusOK && page && !q.packed:
		return set(CodeNotDigdag, elsewhere)
	case status == http.StatusOK, status == http.StatusConflict && q.conflict && !page:
		return nil
	case status == http.StatusUnauthorized:
		return set(CodeUnauthorized, c.authHint())
	case status == http.StatusForbidden:
		return set(CodeForbidden, "this user may not do that")
	case status == http.StatusConflict:
		return set(CodeConflict, "")
	case status == http.StatusTooManyRequests:
		e.RetryAfter = retryAfter(got.Header, time.Now())
		return set(CodeRateLimited, "")
	case status == http.StatusBadRequest && strings.HasPrefix(said, "Too many attempts running"):
		return set(CodeTooManyAttempts, "wait until some have ended, or raise executor.attempt_max_run on the server")
	case status == http.StatusNotFound && saidIn(body) == "" && len(body) > 0:
		return set(CodeNotDigdag, elsewhere)
	case status == http.StatusNotFound && said == "":
		return set(CodeNotFound, "a Digdag server says so of an id that it cannot have; else "+elsewhere)
	case status == http.StatusNotFound:
		return set(CodeNotFound, "")
	case status == http.StatusRequestTimeout, status >= 500:
		e.RetryAfter = retryAfter(got.Header, time.Now())
		e.Sent = true
		return set(CodeServerError, c.brokenHint(status, page))
	case status == http.StatusMethodNotAllowed, status < 400:
		if to := got.Header.Get("Location"); to != "" && status >= 300 {
			return set(CodeNotDigdag, "it redirects to "+placeOf(to)+"; if that is the Digdag server, make it the endpoint")
		}
		return set(CodeNotDigdag, elsewhere)
	}
	return set(CodeBadRequest, "")
}

func (c *Client) authHint() string {
	password := c.options.Password
	switch {
	case c.options.User == "" && c.options.Headers["Authorization"] == "":
		return "set user and password"
	case c.options.User != "" && (password == "" || strings.Contains(password, ":")):
		return "a Digdag server takes no empty password and none with a colon"
	case c.options.User != "":
		return fmt.Sprintf("check user %q and the password", c.options.User)
	}
	return "check the header Authorization"
}

func (c *Client) brokenHint(status int, page bool) string {
	for name := range c.options.Headers {
		if status == http.StatusInternalServerError && page && http.CanonicalHeaderKey(name) == "Authorization" {
			return "a Digdag server with basic authentication answers so to any other kind of Authorization"
		}
	}
	if status == http.StatusInternalServerError {
		return "the server's log says more"
	}
	return ""
}

// isPage reports whether an answer is for people.
func isPage(h http.Header, body []byte) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "text/html") || strings.HasPrefix(strings.TrimLeftFunc(string(body[:min(len(body), 100)]), unicode.IsSpace), "<")
}

// saidIn is the message of an error answer in JSON, "" where there is none.
func saidIn(body []byte) string {
	var said struct{ Message *string }
	if json.Unmarshal(body, &said) != nil || said.Message == nil {
		return ""
	}
	return oneLine(*said.Message)
}

// broken makes an error of a request that got no whole answer.
func (c *Client) broken(ctx context.Context, base string, q call, err error) *Error {
	// url.Error's own text repeats the URL.
	if at, ok := errors.AsType[*url.Error](err); ok {
		err = at.Err
	}
	e := &Error{Endpoint: base, Method: q.method, Path: q.path, Code: CodeUnreachable, Sent: true, Err: err}
	var cert *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var op *net.OpError
	var name *net.DNSError
	switch {
	case errors.Is(context.Cause(ctx), errTry):
		e.Code, e.Message = CodeTimeout, fmt.Sprintf("no whole answer within %s", c.options.Timeout)
	case errors.As(err, &cert):
		e.Sent, e.final, e.Message = false, true, "its certificate is not trusted: "+cert.Err.Error()+"; name its authority in ca_file"
	case errors.As(err, &header), errors.Is(err, http.ErrSchemeMismatch):
		e.Sent, e.final, e.Message = false, true, "it speaks no TLS; is it http instead of https?"
	case errors.As(err, &name):
		e.Sent, e.Message = false, "unknown host: "+name.Error()
	case errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"):
		e.Sent, e.Message = false, "no connection: "+op.Error()+"; does the server run?"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Message = "the connection was cut before the whole answer was there"
	default:
		e.Message = "the connection broke: " + err.Error()
	}
	e.Message = oneLine(e.Message)
	return e
}

// retryAfter reads how long to wait: seconds, or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// placeOf is a URL without what may be secret in it.
func placeOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "another URL"
	}
	return oneLine((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}

// oneLine makes text of a server fit into a message.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > 400 {
		return string(runes[:400]) + "…"
	}
	return string(runes)
}
