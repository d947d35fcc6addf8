package client

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/outrider-run/outrider/plugins/internal/rest"
)

// Options say which server to ask, and how. Of user, token and token command there is
// one at most.
type Options struct {
	// Endpoints are base URLs of one Airflow: http://host:8080, with a path if it
	// stands under one, with or without /api/v1 or /api/v2 and a slash at the end;
	// without a scheme it is http. Several are servers on one database: requests go
	// to the first that answers, and stay with it as long as it does.
	Endpoints []string
	// User and Password: basic authentication with Airflow 2, for a token of Airflow 3.
	User, Password string
	// Token is sent as Bearer. TokenCommand is a program with arguments that prints
	// one, or JSON with one as access_token, jwt_token or token; it is run again when
	// the server takes its token no more.
	Token        string
	TokenCommand []string
	// Headers are sent with each request. With an Authorization among them nothing
	// else is.
	Headers map[string]string
	// CAFile is a file of certificates in PEM to trust beside the system's.
	CAFile string
	// Insecure trusts any certificate.
	Insecure bool
	// Zone is that of the DAGs, an IANA name; "" takes the one that the server tells.
	// Airflow 3.3.2 and 2.11.2 tell UTC also of a DAG whose start_date, and so whose
	// schedule, is of another zone.
	Zone string
	// Timeout is for one try, the reading of the answer included, and for the token
	// command. Default 30 s.
	Timeout time.Duration
	Retry   Retry
	// MaxAnswer is the longest answer that is read, in bytes. Default 64 MiB.
	MaxAnswer int64
	// MaxRequests is how many requests are sent in all, each try counted; 0 for any number.
	MaxRequests int
	// Log is told of retries and dead endpoints; nil tells nobody.
	Log Logger
	// Transport sends requests, nil for one with the above; it is then the
	// caller's to close.
	Transport http.RoundTripper
}

// Retry is when to try again.
type Retry = rest.Retry

// Logger is where a Client tells what it does about trouble.
type Logger = rest.Logger

// Client asks an Airflow. It may be used by several goroutines at once.
type Client struct {
	rest    *rest.Client
	options Options
	login   login

	mu      sync.Mutex // of what follows
	version Version    // zero before it is known
	ahead   time.Duration
}

// New makes a client. It asks nothing yet; its error is about the options and
// names the one that is wrong.
func New(o Options) (*Client, error) {
	c := &Client{options: o}
	c.login = login{client: c, turn: make(chan struct{}, 1)}
	ways := 0
	for _, given := range []bool{o.User != "", o.Token != "", len(o.TokenCommand) > 0} {
		if given {
			ways++
		}
	}
	switch {
	case ways > 1:
		return nil, errors.New("user, token and token_command: more than one is given")
	case o.Token != "" && !httpguts.ValidHeaderFieldValue(o.Token):
		return nil, errors.New("token: it cannot be sent in a header")
	case len(o.TokenCommand) > 0 && o.TokenCommand[0] == "":
		return nil, errors.New("token_command: it names no program")
	}
	_, err := time.LoadLocation(o.Zone)
	if err != nil {
		return nil, fmt.Errorf("zone: %q is none; want an IANA name such as Asia/Tokyo", o.Zone)
	}
	c.rest, err = rest.New(rest.Dialect{
		Name: "Airflow", Example: "http://localhost:8080", Tails: []string{"/api/v1", "/api/v2"},
		Alien: CodeNotAirflow, Elsewhere: elsewhere, Said: saidIn, Judge: c.judge,
	}, rest.Options{
		Endpoints: o.Endpoints, User: o.User, Password: o.Password, Headers: o.Headers, CAFile: o.CAFile, Insecure: o.Insecure,
		Timeout: o.Timeout, Retry: o.Retry, MaxAnswer: o.MaxAnswer, MaxRequests: o.MaxRequests, Log: o.Log, Transport: o.Transport,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close lets idle connections go.
func (c *Client) Close() { c.rest.Close() }

// Requests is how many requests were sent so far, each try counted.
func (c *Client) Requests() int { return c.rest.Requests() }

// Endpoint is the server that requests go to now, without /api/v1 or /api/v2.
func (c *Client) Endpoint() string { return c.rest.Endpoint() }

// HasCredentials reports whether the options hold a user, a token, a token command or
// an Authorization header. A server that makes everybody an admin needs none.
func (c *Client) HasCredentials() bool {
	return c.options.User != "" || c.options.Token != "" || len(c.options.TokenCommand) > 0 || c.ownHeader()
}

// ownHeader reports whether the user brings the Authorization.
func (c *Client) ownHeader() bool {
	for name := range c.options.Headers {
		if http.CanonicalHeaderKey(name) == "Authorization" {
			return true
		}
	}
	return false
}

// Now is the server's time as its last answer told it, to a second or so; ours before
// the first.
func (c *Client) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// clock reads the server's clock off an answer.
func (c *Client) clock(a answer) {
	if at, err := http.ParseTime(a.Header.Get("Date")); err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		// The header drops the fraction of the second.
		if ahead := time.Until(at); ahead > time.Second || ahead < -2*time.Second {
			c.ahead = ahead + time.Second/2
		} else {
			c.ahead = 0
		}
	}
}

// Missing is the error of a name that is in no list; what is as `task "x" in run y`,
// and near are names that were perhaps meant.
func (c *Client) Missing(what string, near []string) *Error { return c.rest.Missing(what, near) }

func (c *Client) refuse(q call, format string, args ...any) error {
	return c.rest.Refuse(q, format, args...)
}

// inPath refuses what would name something else in a path.
func (c *Client) inPath(q call, what string, names ...string) error {
	for _, name := range names {
		switch {
		case name == "" || name == "." || name == "..":
			return c.refuse(q, "%q is no %s", name, what)
		case name == "~":
			return c.refuse(q, "~ is no %s: Airflow takes it for all", what)
		}
		for _, r := range name {
			if r == '/' {
				return c.refuse(q, "%s %q has a slash, which Airflow takes for the end of it, even as %%2F: its API cannot name that %s", what, name, what)
			}
		}
	}
	return nil
}
