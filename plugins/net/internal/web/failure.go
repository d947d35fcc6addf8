package web

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"code.dny.dev/ssrf"
)

// Failure is a request that got no whole answer.
type Failure struct {
	// Code is stable: timeout, dns, unreachable, connection, incomplete, tls,
	// bad_certificate, bad_encoding, private_address, proxy, bad_redirect or
	// too_many_redirects.
	Code string
	// Retry says that another try may go better.
	Retry bool
	// Sent says that the server may have got the request, and done what it asks.
	// After a redirect with another status than 307 and 308 it has: those alone hand
	// on the request as it is (RFC 9110, 15.4).
	Sent bool
	Err  error
}

func (f *Failure) Error() string { return f.Err.Error() }

func (f *Failure) Unwrap() error { return f.Err }

// ErrTry, as the cause that ends a context, is a try's own timeout: a Failure, and
// not the end of the whole.
var ErrTry = errors.New("no complete answer in time")

// Explain makes a Failure of an error of reading an answer, in a text that holds no
// secret. When ctx has ended for another reason than ErrTry it returns that.
func (c *Client) Explain(ctx context.Context, err error) error { return c.explain(ctx, err, true) }

func (c *Client) explain(ctx context.Context, err error, sent bool) error {
	// A connection keeps to ctx's deadline by a clock of its own, and may be first.
	if end, ok := ctx.Deadline(); ok && !time.Now().Before(end) {
		<-ctx.Done()
	}
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), ErrTry) {
		return context.Cause(ctx)
	}
	// url.Error's own text is the URL with its query.
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	f := classify(err)
	if cause := context.Cause(ctx); cause != nil {
		f = Failure{Code: "timeout", Retry: true, Err: cause}
	}
	f.Sent = sent
	f.Err = errors.New(c.Hide(f.Err.Error()))
	return &f
}

// classify leaves out Sent, which no error tells.
func classify(err error) Failure {
	var given *Failure
	var cert *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	var corrupt flate.CorruptInputError
	var name *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &given):
		return *given
	case errors.Is(err, ssrf.ErrProhibitedIP), errors.Is(err, ssrf.ErrProhibitedNetwork):
		return Failure{Code: "private_address", Err: fmt.Errorf("public_only: %w", err)}
	case errors.Is(err, errProxy):
		return Failure{Code: "proxy", Err: err}
	case errors.As(err, &cert):
		return Failure{Code: "bad_certificate", Err: err}
	case errors.As(err, &header), errors.Is(err, http.ErrSchemeMismatch), errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error"):
		return Failure{Code: "tls", Err: err}
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.As(err, &corrupt):
		return Failure{Code: "bad_encoding", Err: fmt.Errorf("the answer says that it is gzip and is not: %w", err)}
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return Failure{Code: "incomplete", Retry: true, Err: errors.New("the server closed the connection before its answer was complete")}
	case errors.As(err, &name):
		return Failure{Code: "dns", Retry: true, Err: err}
	case errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect"):
		return Failure{Code: "unreachable", Retry: true, Err: err}
	}
	return Failure{Code: "connection", Retry: true, Err: err}
}

// Hide takes the target's secrets out of a text that a server had a part in: it may
// have said back what it was sent, in one of several forms. Whole and, of a header
// such as "Bearer x", its credential alone.
func (c *Client) Hide(text string) string { return c.hide.Replace(text) }

func (t Target) hider() *strings.Replacer {
	var all []string
	for _, secret := range t.SecretHeaders {
		forms := []string{secret.Reveal()}
		if _, credential, ok := strings.Cut(secret.Reveal(), " "); ok {
			forms = append(forms, credential)
			if plain, err := base64.StdEncoding.DecodeString(credential); err == nil { // Basic
				_, password, _ := strings.Cut(string(plain), ":")
				forms = append(forms, string(plain), password)
			}
		}
		for _, form := range forms {
			// Shorter ones would make any text unreadable.
			if len(form) < 6 {
				continue
			}
			quoted, _ := json.Marshal(form)
			all = append(
				all, form, string(quoted[1:len(quoted)-1]), url.QueryEscape(form), url.PathEscape(form),
				base64.StdEncoding.EncodeToString([]byte(form)), base64.URLEncoding.EncodeToString([]byte(form)),
			)
		}
	}
	// The longest first: a part of it may be a secret too.
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, f := range all {
		pairs = append(pairs, f, "[secret]")
	}
	return strings.NewReplacer(pairs...)
}
