package client

import (
	"context"
	"errors"
	"iter"
)

// errLater is what is not there yet.
var errLater = errors.New("plugins/digdag/client: not written yet")

// Version is the server's, such as 0.10.5.1. It needs no authentication and says
// nothing of the server's database (GET /api/version).
func (c *Client) Version(ctx context.Context) (string, error) { return "", errLater }

// Projects are all projects that are not deleted, by id, ascending
// (GET /api/projects). The first error ends it.
func (c *Client) Projects(ctx context.Context) iter.Seq2[Project, error] {
	return func(yield func(Project, error) bool) { yield(Project{}, errLater) }
}

// Project is a project by id. A deleted one is CodeNotFound
// (GET /api/projects/{id}).
func (c *Client) Project(ctx context.Context, id ID) (Project, error) { return Project{}, errLater }

// ProjectNamed is a project by its exact name. A name that there is not is
// CodeNotFound with Near (GET /api/projects?name=).
func (c *Client) ProjectNamed(ctx context.Context, name string) (Project, error) {
	return Project{}, errLater
}

// Revisions are the newest 100 revisions of a project, the newest first; the API
// has no way to older ones (GET /api/projects/{id}/revisions).
func (c *Client) Revisions(ctx context.Context, project ID) ([]Revision, error) { return nil, errLater }
