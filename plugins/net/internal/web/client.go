package web

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"code.dny.dev/ssrf"
)

// connectTimeout bounds one connection; a try has a bound of its own.
const connectTimeout = 30 * time.Second

// Client sends requests to one target.
type Client struct {
	target Target
	dialer *net.Dialer
	secure *tls.Config
	proxy  func(*http.Request) (*url.URL, error)
	hide   *strings.Replacer
}

// Open prepares a client for a target that has been validated. It reads the files
// that the target names; its error is about them.
func Open(t Target) (*Client, error) { return open(t, nil) }

// open takes the resolver of names, nil for the system's.
func open(t Target, names *net.Resolver) (*Client, error) {
	secure, err := t.tls()
	if err != nil {
		return nil, err
	}
	c := &Client{
		target: t, secure: secure, proxy: http.ProxyFromEnvironment, hide: t.hider(),
		dialer: &net.Dialer{Timeout: connectTimeout, Resolver: names},
	}
	if t.PublicOnly {
		c.proxy = refuseProxy
		if c.dialer.Control, err = t.guard(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Do sends the request once. Its error is a *Failure, but for the end of ctx, which
// is its cause, and for a body that cannot be opened. The caller closes the answer's
// body and then ends ctx, with which the connection goes; errors of reading the body
// go through Explain.
func (c *Client) Do(ctx context.Context, body *Body) (*http.Response, error) {
	r, err := c.target.request(ctx, body)
	if err != nil {
		return nil, err
	}
	var sent atomic.Bool
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { sent.Store(true) }}))
	client := &http.Client{Transport: c.transport(ctx), CheckRedirect: func(next *http.Request, before []*http.Request) error {
		if s := next.Response.StatusCode; s == http.StatusTemporaryRedirect || s == http.StatusPermanentRedirect {
			sent.Store(false)
		}
		return c.target.redirect(next, before)
	}}
	answer, err := client.Do(r)
	if err != nil {
		return nil, c.explain(ctx, err, sent.Load())
	}
	return answer, nil
}

// transport is one whose connections end with ctx: net/http's own go on with a
// handshake that nobody waits for any more.
func (c *Client) transport(ctx context.Context) *http.Transport {
	return &http.Transport{
		Proxy: c.proxy,
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			conn, err := c.dialer.DialContext(ctx, network, address)
			if err == nil {
				context.AfterFunc(ctx, func() { _ = conn.Close() })
			}
			return conn, err
		},
		TLSClientConfig:       c.secure.Clone(),
		TLSHandshakeTimeout:   connectTimeout,
		ForceAttemptHTTP2:     true,
		ExpectContinueTimeout: time.Second,
		// Nothing follows over a connection. On one that is kept, net/http would print
		// whatever a server says unasked to stderr, past what hides secrets.
		DisableKeepAlives: true,
		// The limits that callers put on a body do not count its headers.
		MaxResponseHeaderBytes: 1 << 20,
	}
}

// guard looks at every address when it is about to be connected to: later than the
// look-up, so that neither a redirect nor a name that resolves otherwise the second
// time gets round it.
func (t Target) guard() (func(network, address string, _ syscall.RawConn) error, error) {
	networks, err := t.networks()
	if err != nil {
		return nil, err
	}
	var v4, v6 []netip.Prefix
	for _, n := range networks {
		if n.Addr().Is4() {
			v4 = append(v4, n)
		} else {
			v6 = append(v6, n)
		}
	}
	return ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...)).Safe, nil
}

// errProxy is the answer to public_only where a proxy is set: which address the
// proxy connects to cannot be seen from here.
var errProxy = errors.New("a proxy is set for this URL, and through it public_only cannot be kept: add the host to NO_PROXY or leave public_only out")

func refuseProxy(r *http.Request) (*url.URL, error) {
	if u, err := http.ProxyFromEnvironment(r); u != nil || err != nil {
		return nil, errProxy
	}
	return nil, nil
}

func (t Target) tls() (*tls.Config, error) {
	config := &tls.Config{ServerName: t.ServerName, InsecureSkipVerify: t.Insecure}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: %s holds no certificate in PEM", t.CAFile)
		}
	}
	if t.ClientCert != "" {
		cert, err := os.ReadFile(t.ClientCert)
		if err != nil {
			return nil, fmt.Errorf("client_cert: %w", err)
		}
		key := cert
		if t.ClientKey.Reveal() != "" {
			key = []byte(t.ClientKey.Reveal())
		}
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("client_cert: %s and its key: %w", t.ClientCert, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
