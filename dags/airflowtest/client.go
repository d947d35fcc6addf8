package airflowtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// APIError is an answer that is not a success.
type APIError struct {
	Method, Path string
	Status       int
	Body         string
}

func (e *APIError) Error() string {
	return fmt.Sprintf("airflow: %s %s: %d: %s", e.Method, e.Path, e.Status, tail([]byte(e.Body), 1000))
}

// IsNotFound reports whether Airflow does not know what was asked for.
func IsNotFound(err error) bool { return isStatus(err, http.StatusNotFound) }

func isStatus(err error, status int) bool {
	var e *APIError
	return errors.As(err, &e) && e.Status == status
}

// permanent is err, or nil where another try may help: the server is not there,
// or SQLite was busy.
func permanent(err error) error {
	var e *APIError
	if errors.As(err, &e) && e.Status < 500 {
		return err
	}
	return nil
}

// client speaks with one server.
type client struct {
	http     *http.Client
	base     string
	version  Version
	password string

	mu    sync.Mutex
	token string
}

func newClient(s *Server) *client {
	return &client{
		// Never by way of a proxy.
		http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 8}},
		base: s.URL, version: s.Version, password: s.Password,
	}
}

func (c *client) api() string {
	if c.version == V3 {
		return "/api/v2/"
	}
	return "/api/v1/"
}

func (c *client) get(ctx context.Context, path string, out any) error {
	return c.do(ctx, http.MethodGet, c.api()+path, nil, out)
}

// change sends a request that may be repeated without harm, and does so while the
// server has trouble.
func (c *client) change(ctx context.Context, method, path string, in, out any) error {
	return poll(ctx, func() (bool, error) {
		err := c.do(ctx, method, c.api()+path, in, out)
		return err == nil, permanent(err)
	})
}

// part is what the health page says of one part of Airflow.
type part struct{ Status string }

func (c *client) health(ctx context.Context) (map[string]part, error) {
	path := "/health"
	if c.version == V3 {
		path = "/api/v2/monitor/health"
	}
	var h map[string]part
	return h, c.do(ctx, http.MethodGet, path, nil, &h)
}

// do sends one request. out is a pointer to what JSON is read into, or *string for
// the text as it is.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	auth, err := c.authorization(ctx, path)
	if err != nil {
		return err
	}
	return c.send(ctx, method, path, auth, in, out)
}

func (c *client) send(ctx context.Context, method, path, auth string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	rq, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	rq.Header.Set("Content-Type", "application/json")
	rq.Header.Set("Accept", "application/json")
	plain, isPlain := out.(*string)
	if isPlain {
		rq.Header.Set("Accept", "text/plain")
	}
	if auth != "" {
		rq.Header.Set("Authorization", auth)
	}
	rs, err := c.http.Do(rq)
	if err != nil {
		return err
	}
	defer func() { _ = rs.Body.Close() }()
	text, err := io.ReadAll(rs.Body)
	if err != nil {
		return fmt.Errorf("airflow: %s %s: %w", method, path, err)
	}
	if rs.StatusCode >= 300 {
		return &APIError{Method: method, Path: path, Status: rs.StatusCode, Body: string(text)}
	}
	if isPlain {
		*plain = string(text)
		return nil
	}
	if out == nil || len(text) == 0 {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("airflow: %s %s: %w", method, path, err)
	}
	return nil
}

// authorization is the header for a request: a token in 3, the password in 2.
func (c *client) authorization(ctx context.Context, path string) (string, error) {
	if c.version != V3 {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(User+":"+c.password)), nil
	}
	if path == "/api/v2/monitor/health" {
		return "", nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == "" {
		var answer struct {
			AccessToken string `json:"access_token"`
		}
		login := map[string]string{"username": User, "password": c.password}
		if err := c.send(ctx, http.MethodPost, "/auth/token", "", login, &answer); err != nil {
			return "", err
		}
		c.token = answer.AccessToken
	}
	return "Bearer " + c.token, nil
}

// poll asks until f says so, f fails or ctx ends: often at first, for most answers
// come at once.
func poll(ctx context.Context, f func() (bool, error)) error {
	for pause := 20 * time.Millisecond; ; pause = min(pause*3/2, time.Second) {
		if ok, err := f(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
