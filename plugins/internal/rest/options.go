package rest

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// Options say which server to ask, and how.
type Options struct {
	// Endpoints are base URLs of one engine: http://host:port, with a path if it
	// stands under one, with or without its API's path and a slash at the end;
	// without a scheme it is http. Several are servers on one database: requests go
	// to the first that answers, and stay with it as long as it does. A dead one is
	// told to Log.
	Endpoints []string
	// User and Password are for authentication, as the engine has it; no User, none.
	User, Password string
	// Headers are sent with each request. Authorization and Host may be among them.
	Headers map[string]string
	// CAFile is a file of certificates in PEM to trust beside the system's.
	CAFile string
	// Insecure trusts any certificate.
	Insecure bool
	// Timeout is for one try, the reading of the answer included. Default 30 s.
	Timeout time.Duration
	Retry   Retry
	// MaxAnswer is the longest answer that is read, in bytes, unpacked where HTTP
	// packed it. Default 64 MiB.
	MaxAnswer int64
	// MaxRequests is how many requests are sent in all, each try counted; 0 for any number.
	MaxRequests int
	// Log is told of retries and dead endpoints; nil tells nobody. An hclog.Logger
	// and a *slog.Logger both are one.
	Log Logger
	// Transport sends requests, nil for one with the above; it is then the
	// caller's to close.
	Transport http.RoundTripper
}

// Retry is when to try again.
type Retry struct {
	// Tries is how often a request is tried at most, on each endpoint. Default 4;
	// 1 never tries again.
	Tries int
	// Wait is about the first wait, which grows to MaxWait. Defaults 500 ms, 10 s.
	Wait, MaxWait time.Duration
	// Within is how long after the first try a last one may begin: a wait that would
	// end later, also one that the server asks for, is not begun. Default 2 min.
	Within time.Duration
}

// Logger is where a Client tells what it does about trouble.
type Logger interface {
	Warn(msg string, args ...any)
}

// Client asks the servers of one engine. It may be used by several goroutines at once.
type Client struct {
	dialect  Dialect
	options  Options
	bases    []string
	at       atomic.Int64 // index in bases of the one that answers
	http     *http.Client
	own      *http.Transport // nil if the caller gave one
	requests atomic.Int64
	outage   atomic.Bool // no try of a call before had an answer, and that was told
}

// New makes a client. It asks nothing yet; its error is about the options and
// names the one that is wrong.
func New(d Dialect, o Options) (*Client, error) {
	c := &Client{dialect: d, options: o}
	if len(o.Endpoints) == 0 {
		return nil, fmt.Errorf("endpoints: none given; want the URL of %s, such as %s", d.an("server"), d.Example)
	}
	for _, e := range o.Endpoints {
		base, err := d.baseOf(e)
		if err != nil {
			return nil, fmt.Errorf("endpoint: %w", err)
		}
		if !slices.Contains(c.bases, base) {
			c.bases = append(c.bases, base)
		}
	}
	if o.User == "" && o.Password != "" {
		return nil, errors.New("user: there is a password and no user")
	}
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(o.Headers[name]) {
			return nil, fmt.Errorf("headers: %.60q cannot be sent as a header", name)
		}
	}
	for name, d := range map[string]time.Duration{"timeout": o.Timeout, "retry wait": o.Retry.Wait, "retry max wait": o.Retry.MaxWait, "retry within": o.Retry.Within} {
		if d < 0 {
			return nil, fmt.Errorf("%s: %s is less than nothing", name, d)
		}
	}
	if o.Retry.Tries < 0 || o.MaxAnswer < 0 || o.MaxRequests < 0 {
		return nil, errors.New("retry tries, max answer and max requests: less than nothing")
	}
	c.options.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	c.options.MaxAnswer = cmp.Or(o.MaxAnswer, 64<<20)
	r := &c.options.Retry
	r.Tries = cmp.Or(r.Tries, 4)
	r.Wait = cmp.Or(r.Wait, 500*time.Millisecond)
	r.MaxWait = max(r.Wait, cmp.Or(r.MaxWait, 10*time.Second))
	r.Within = cmp.Or(r.Within, 2*time.Minute)
	if o.Log == nil {
		c.options.Log = silent{}
	}
	transport := o.Transport
	if transport == nil {
		var err error
		if c.own, err = transportOf(o); err != nil {
			return nil, err
		}
		transport = c.own
	}
	// A redirect is mostly to a page for people; following it would give that page
	// the password.
	c.http = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return c, nil
}

// Requests is how many requests were sent so far, each try counted.
func (c *Client) Requests() int { return int(c.requests.Load()) }

// Endpoint is the base URL that requests go to now.
func (c *Client) Endpoint() string { return c.bases[c.at.Load()] }

// Close lets idle connections go.
func (c *Client) Close() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// connectTimeout is for one connection, so that a host that swallows all leaves time
// for the next endpoint.
const connectTimeout = 10 * time.Second

func transportOf(o Options) (*http.Transport, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: connectTimeout}).DialContext
	t.TLSHandshakeTimeout = connectTimeout
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: o.Insecure} // the user's own word
	if o.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without any
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file: %s holds no certificate in PEM", o.CAFile)
	}
	t.TLSClientConfig.RootCAs = pool
	return t, nil
}

// silent is told all and says nothing.
type silent struct{}

func (silent) Warn(string, ...any) {}
