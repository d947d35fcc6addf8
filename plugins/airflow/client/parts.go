package client

import (
	"context"
	"net/url"
)

// ImportErrors are the DAG files that cannot be read (GET /importErrors).
func (c *Client) ImportErrors(ctx context.Context) ([]ImportError, error) {
	return collect(all[importErrorWire](ctx, c, paged[ImportError]{
		call: read("importErrors"), name: "import_errors", size: most, key: func(e ImportError) string { return e.File },
	}), 0)
}

// Pools are all pools (GET /pools).
func (c *Client) Pools(ctx context.Context) ([]Pool, error) {
	return collect(all[poolWire](ctx, c, paged[Pool]{
		call: read("pools"), name: "pools", size: most, key: func(p Pool) string { return p.Name },
	}), 0)
}

// Jobs are the processes of Airflow 3 that live: schedulers, triggerers, DAG
// processors. Airflow 2 does not tell them: none (GET /jobs).
func (c *Client) Jobs(ctx context.Context) ([]Job, error) {
	v, err := c.Version(ctx)
	if err != nil || v.API == 1 {
		return nil, err
	}
	q := read("jobs")
	q.Query = url.Values{"is_alive": {"true"}, "job_state": {"running"}}
	a, err := c.do(ctx, q)
	if err != nil {
		return nil, err
	}
	return list[jobWire](c, a, "jobs")
}
