package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"
)

// Version detects the server's version, once; it needs no credentials
// (GET /api/v2/version, else /api/v1/version).
func (c *Client) Version(ctx context.Context) (Version, error) {
	c.mu.Lock()
	known := c.version
	c.mu.Unlock()
	if known.API != 0 {
		return known, nil
	}
	v, err := c.detect(ctx)
	if err == nil {
		c.mu.Lock()
		c.version = v
		c.mu.Unlock()
	}
	return v, err
}

func (c *Client) detect(ctx context.Context) (Version, error) {
	v, first := c.versionOf(ctx, "/api/v2/version", 2)
	if first == nil || ctx.Err() != nil || retryable(first) {
		return v, first
	}
	v, err := c.versionOf(ctx, "/api/v1/version", 1)
	if err == nil || ctx.Err() != nil || retryable(err) {
		return v, err
	}
	// The first answer says more of a proxy's login; an Airflow 3 says that v1 is gone.
	return Version{}, first
}

func (c *Client) versionOf(ctx context.Context, at string, api int) (Version, error) {
	q := call{Method: http.MethodGet, Path: at}
	a, err := c.open(ctx, q)
	if err != nil {
		return Version{}, err
	}
	var v struct{ Version string }
	if err := json.Unmarshal(a.Body, &v); err != nil || v.Version == "" {
		return Version{}, c.rest.Bad(a, err)
	}
	return Version{Version: v.Version, API: api}, nil
}

// open asks for what needs no login. A token that is at hand goes along, for a managed
// Airflow has a gate of its own; one that cannot be had is not missed.
func (c *Client) open(ctx context.Context, q call) (answer, error) {
	if c.options.Token != "" || len(c.options.TokenCommand) > 0 {
		q.Authorization, _ = c.login.header(ctx, 0, "")
	}
	a, err := c.rest.Do(ctx, q)
	if isCode(err, CodeUnauthorized) && len(c.options.TokenCommand) > 0 {
		if again, _ := c.login.header(ctx, 0, q.Authorization); again != q.Authorization {
			q.Authorization = again
			a, err = c.rest.Do(ctx, q)
		}
	}
	if err == nil {
		c.clock(a)
	}
	return a, err
}

// Health needs no credentials. Its order is metadatabase, scheduler, triggerer,
// dag_processor (GET /api/v2/monitor/health, /api/v1/health).
func (c *Client) Health(ctx context.Context) ([]Part, error) {
	v, err := c.Version(ctx)
	if err != nil {
		return nil, err
	}
	q := call{Method: http.MethodGet, Path: "/api/v2/monitor/health"}
	if v.API == 1 {
		q.Path = "/api/v1/health"
	}
	a, err := c.open(ctx, q)
	if err != nil {
		return nil, err
	}
	var all map[string]struct {
		Status    *string
		Scheduler time.Time `json:"latest_scheduler_heartbeat"`
		Triggerer time.Time `json:"latest_triggerer_heartbeat"`
		Processor time.Time `json:"latest_dag_processor_heartbeat"`
	}
	if err := json.Unmarshal(a.Body, &all); err != nil {
		return nil, c.rest.Bad(a, err)
	}
	var parts []Part
	for _, name := range []string{"metadatabase", "scheduler", "triggerer", "dag_processor"} {
		got, ok := all[name]
		if !ok {
			if name == "metadatabase" || name == "scheduler" {
				return nil, c.rest.Bad(a, errors.New("no "+name+" in it"))
			}
			continue // before 2.6
		}
		p := Part{Name: name, Heartbeat: map[string]time.Time{"scheduler": got.Scheduler, "triggerer": got.Triggerer, "dag_processor": got.Processor}[name]}
		if got.Status != nil {
			p.Status = *got.Status
		}
		parts = append(parts, p)
	}
	return parts, nil
}
