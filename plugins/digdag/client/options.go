package client

import (
	"net/http"
	"time"
)

// Options say which server to ask, and how.
type Options struct {
	// Endpoints are base URLs of one Digdag: http://host:65432, with a path if it
	// stands under one, with or without /api and a slash at the end; without a
	// scheme it is http. Several are servers on one database: requests go to the
	// first that answers, and stay with it as long as it does. A dead one is told
	// to Log.
	Endpoints []string
	// User and Password are for basic authentication; no User, no authentication.
	// A Digdag server accepts no empty password and none with a colon.
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
	// MaxAnswer is the longest answer that is read, unpacked, in bytes. Default
	// 64 MiB. Log files count as they are, packed.
	MaxAnswer int64
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
	// Within is the most that all tries and waits of a request may take; a wait
	// that would end later, also one that the server asks for, is not begun.
	// Default 2 min.
	Within time.Duration
}

// Logger is where a Client tells what it does about trouble.
type Logger interface {
	Warn(msg string, args ...any)
}

// Client asks a Digdag server. It may be used by several goroutines at once.
type Client struct {
	options Options
}

// New makes a client. It asks nothing yet; its error is about the options and
// names the one that is wrong.
func New(o Options) (*Client, error) { return &Client{options: o}, errLater }

// Requests is how many requests were sent so far, each try counted.
func (c *Client) Requests() int { return 0 }

// Endpoint is the server that requests go to now, without /api.
func (c *Client) Endpoint() string { return "" }

// Close lets idle connections go.
func (c *Client) Close() {}
