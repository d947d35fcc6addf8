package client

import (
	"encoding/base64"
	"sync/atomic"

	"github.com/outrider-run/outrider/plugins/internal/rest"
)

// Options say which server to ask, and how. User and Password are for basic
// authentication: a Digdag server accepts no empty password and none with a colon.
type Options = rest.Options

// Retry is when to try again.
type Retry = rest.Retry

// Logger is where a Client tells what it does about trouble.
type Logger = rest.Logger

// Client asks a Digdag server. It may be used by several goroutines at once.
type Client struct {
	rest    *rest.Client
	options Options
	basic   string // the header of user and password, "" without
	// What the server refused to exceed, 0 as long as it has not.
	mostAttempts, mostSessions atomic.Int64
}

// New makes a client. It asks nothing yet; its error is about the options and
// names the one that is wrong.
func New(o Options) (*Client, error) {
	c := &Client{options: o}
	var err error
	c.rest, err = rest.New(rest.Dialect{
		Name: "Digdag", Example: "http://localhost:65432", Tails: []string{"/api"},
		Alien: CodeNotDigdag, Elsewhere: elsewhere, Said: saidIn, Judge: c.judge,
	}, o)
	if err != nil {
		return nil, err
	}
	if o.User != "" {
		c.basic = "Basic " + base64.StdEncoding.EncodeToString([]byte(o.User+":"+o.Password))
	}
	return c, nil
}

// Requests is how many requests were sent so far, each try counted.
func (c *Client) Requests() int { return c.rest.Requests() }

// Endpoint is the server that requests go to now, without /api.
func (c *Client) Endpoint() string { return c.rest.Endpoint() }

// Close lets idle connections go.
func (c *Client) Close() { c.rest.Close() }
