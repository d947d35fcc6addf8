package rest

import (
	"context"
	"crypto/tls"
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
func (e *Error) again(q Call) bool {
	switch e.Code {
	case CodeRateLimited:
		return true // it was turned away, not begun
	case CodeServerError, CodeUnreachable, CodeTimeout:
		return e.Status != http.StatusNotImplemented && !e.final && (!e.Sent || !q.Once)
	}
	return false
}

// judge makes an error of an answer that is none of the engine's successes, else nil.
func (c *Client) judge(a Answer) *Error {
	v := c.dialect.Judge(a)
	if v.Code == "" {
		return nil
	}
	said := a.Said
	if kind := a.Header.Get("Content-Type"); said == "" && !a.Page && (kind == "" || strings.HasPrefix(kind, "text/plain")) {
		said = OneLine(string(a.Body[:min(len(a.Body), 400)])) // of a proxy, mostly
	}
	text := fmt.Sprintf("%d %s", a.Status, strings.ToLower(http.StatusText(a.Status)))
	switch {
	case said != "":
		text = fmt.Sprintf("%d: %s", a.Status, said)
	case a.Page:
		text += ", with a page instead of a message"
	}
	if v.Hint != "" {
		text += "; " + v.Hint
	}
	e := c.fault(a.Base, a.Call, v.Code)
	e.Status, e.Message, e.later = a.Status, text, v.Later
	if v.Code == CodeServerError || v.Code == CodeRateLimited {
		e.RetryAfter = retryAfter(a.Header, time.Now())
		e.Sent = v.Code == CodeServerError
	}
	return e
}

// isPage reports whether an answer is for people.
func isPage(h http.Header, body []byte) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "text/html") || strings.HasPrefix(strings.TrimLeftFunc(string(body[:min(len(body), 100)]), unicode.IsSpace), "<")
}

// broken makes an error of a request that got no whole answer.
func (c *Client) broken(ctx context.Context, base string, q Call, err error) *Error {
	// url.Error's own text repeats the URL.
	if at, ok := errors.AsType[*url.Error](err); ok {
		err = at.Err
	}
	e := c.fault(base, q, CodeUnreachable)
	e.Sent, e.Err = true, err
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
	e.Message = OneLine(e.Message)
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
	return OneLine((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String())
}

// OneLine makes text of a server fit into a message: printable, and not too long.
func OneLine(text string) string {
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
