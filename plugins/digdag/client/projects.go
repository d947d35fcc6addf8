package client

import (
	"context"
	"fmt"
	"iter"
	"net/url"
)

// Version is the server's, such as 0.10.5.1. It needs no authentication and says
// nothing of the server's database (GET /api/version).
func (c *Client) Version(ctx context.Context) (string, error) {
	v, err := get[version](ctx, c, read("/api/version"))
	return v.Version, err
}

// Projects are all projects that are not deleted, by id, ascending
// (GET /api/projects). The first error ends it.
func (c *Client) Projects(ctx context.Context) iter.Seq2[Project, error] {
	return all(ctx, c, paged[Project]{
		call: read("/api/projects"), name: "projects", id: func(p Project) ID { return p.ID }, size: bigPage, param: "count",
	})
}

// Project is a project by id. A deleted one is CodeNotFound
// (GET /api/projects/{id}).
func (c *Client) Project(ctx context.Context, id ID) (Project, error) {
	q := read("/api/projects/" + string(id))
	if err := c.ids(q, id); err != nil {
		return Project{}, err
	}
	return get[Project](ctx, c, q)
}

// ProjectNamed is a project by its exact name. A name that there is not is
// CodeNotFound with Near (GET /api/projects?name=).
func (c *Client) ProjectNamed(ctx context.Context, name string) (Project, error) {
	q := read("/api/projects")
	q.Query = url.Values{"name": {name}}
	found, err := listed[Project](ctx, c, q, "projects")
	if err != nil {
		return Project{}, err
	}
	if len(found) > 0 {
		return found[0], nil
	}
	// The names only help: without them the answer is the same.
	names, err := c.projectNames(ctx)
	if err != nil && ctx.Err() != nil {
		return Project{}, context.Cause(ctx)
	}
	return Project{}, c.rest.Missing(fmt.Sprintf("project %q", name), Near(name, names))
}

// Revisions are the newest 100 revisions of a project, the newest first; the API
// has no way to older ones (GET /api/projects/{id}/revisions).
func (c *Client) Revisions(ctx context.Context, project ID) ([]Revision, error) {
	q := read("/api/projects/" + string(project) + "/revisions")
	if err := c.ids(q, project); err != nil {
		return nil, err
	}
	return listed[Revision](ctx, c, q, "revisions")
}

// mostNames bounds a search for near names.
const mostNames = 10_000

func (c *Client) projectNames(ctx context.Context) (names []string, err error) {
	projects, err := collect(c.Projects(ctx), mostNames)
	for _, p := range projects {
		names = append(names, p.Name)
	}
	return names, err
}
