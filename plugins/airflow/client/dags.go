package client

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// DAG is a DAG by its id, with zone and params, which lists do not tell. One that
// Airflow knows and cannot read now has neither. A DAG that there is not is
// CodeNotFound with Near (GET /dags/{id}/details).
func (c *Client) DAG(ctx context.Context, dag string) (DAG, error) {
	q := read("dags", dag, "details")
	if err := c.inPath(q, "dag", dag); err != nil {
		return DAG{}, err
	}
	d, err := get[dagWire](ctx, c, q)
	if isCode(err, CodeNotFound) {
		if d, err = get[dagWire](ctx, c, read("dags", dag)); isCode(err, CodeNotFound) {
			return DAG{}, c.noDAG(ctx, dag)
		}
	}
	d.Zone = cmp.Or(c.options.Zone, d.Zone)
	return d, err
}

// DAGFilter picks DAGs; the zero one takes all that are there, paused ones too, stale ones not.
type DAGFilter struct {
	Pattern string // part of the id, as the server matches it (dag_id_pattern: SQL LIKE of %pattern%)
	Active  bool   // those alone that are not paused
}

// DAGs are DAGs by id, ascending (GET /dags).
func (c *Client) DAGs(ctx context.Context, f DAGFilter) iter.Seq2[DAG, error] {
	v, err := c.Version(ctx)
	if err != nil {
		return failed[DAG](err)
	}
	p := dagsPaged(v)
	if f.Pattern != "" {
		p.call.Query.Set("dag_id_pattern", f.Pattern)
	}
	if f.Active {
		p.call.Query.Set("paused", "false")
	}
	return all[dagWire](ctx, c, p)
}

// DAGsOfBrokenFiles is one page of the DAGs whose file has an import error, stale ones
// too, and how many there are, -1 where the server does not tell. Airflow 2, and 3.0,
// cannot pick them: there it is the first page of all that were ever known
// (GET /dags).
func (c *Client) DAGsOfBrokenFiles(ctx context.Context) (dags []DAG, total int, err error) {
	v, err := c.Version(ctx)
	if err != nil {
		return nil, -1, err
	}
	p := dagsPaged(v)
	if v.API == 2 {
		p.call.Query.Set("exclude_stale", "false")
		p.call.Query.Set("has_import_errors", "true")
	} else {
		p.call.Query.Set("only_active", "false")
	}
	return page[dagWire](ctx, c, p, 0)
}

// dagsPaged are the DAGs by id. That stale ones are left out is the default, and said.
func dagsPaged(v Version) paged[DAG] {
	q := read("dags")
	q.Query = url.Values{"order_by": {"dag_id"}, map[int]string{1: "only_active", 2: "exclude_stale"}[v.API]: {"true"}}
	return paged[DAG]{call: q, name: "dags", size: most, key: func(d DAG) string { return d.ID }}
}

// Pause pauses a DAG, or lets it go on (PATCH /dags/{id}).
func (c *Client) Pause(ctx context.Context, dag string, paused bool) (DAG, error) {
	q := call{Method: http.MethodPatch, Path: path("dags", dag), Body: map[string]bool{"is_paused": paused}}
	if err := c.inPath(q, "dag", dag); err != nil {
		return DAG{}, err
	}
	d, err := get[dagWire](ctx, c, q)
	return d, c.lost(ctx, err, dag, "")
}

// mostNames bounds a search for near names.
const mostNames = 1000

// noDAG is the error of a DAG that is not there. The names only help: without them the
// answer is the same.
func (c *Client) noDAG(ctx context.Context, dag string) error {
	dags, _ := collect(c.DAGs(ctx, DAGFilter{}), mostNames)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var names []string
	for _, d := range dags {
		names = append(names, d.ID)
	}
	return c.Missing(fmt.Sprintf("dag %q", dag), Near(dag, names))
}

// noRun is the error of a run that is not there, which may be so since its DAG is not.
func (c *Client) noRun(ctx context.Context, dag, run string) error {
	if _, err := get[dagWire](ctx, c, read("dags", dag)); isCode(err, CodeNotFound) {
		return c.noDAG(ctx, dag)
	}
	runs, _, _ := c.RunsPage(ctx, RunFilter{DAG: dag})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var names []string
	for _, r := range runs {
		names = append(names, r.ID)
	}
	return c.Missing(fmt.Sprintf("run %q of dag %s", run, dag), Near(run, names))
}

// lost makes of a 404 the error of the name that is not there, where that is the DAG
// or, if there is one in it, the run.
func (c *Client) lost(ctx context.Context, err error, dag, run string) error {
	if !isCode(err, CodeNotFound) {
		return err
	}
	if run == "" {
		if _, dagErr := get[dagWire](ctx, c, read("dags", dag)); isCode(dagErr, CodeNotFound) {
			return c.noDAG(ctx, dag)
		}
		return err
	}
	if _, runErr := get[runWire](ctx, c, read("dags", dag, "dagRuns", run)); isCode(runErr, CodeNotFound) {
		return c.noRun(ctx, dag, run)
	}
	return err
}

// TaskDef is a task of a DAG.
type TaskDef struct {
	ID         string
	Operator   string
	Mapped     bool
	Downstream []string // ids
}

// TaskNames are the tasks of a DAG as it is now, each before those downstream of it
// (GET /dags/{id}/tasks).
func (c *Client) TaskNames(ctx context.Context, dag string) ([]TaskDef, error) {
	q := read("dags", dag, "tasks")
	if err := c.inPath(q, "dag", dag); err != nil {
		return nil, err
	}
	a, err := c.do(ctx, q)
	if err != nil {
		return nil, c.lost(ctx, err, dag, "")
	}
	tasks, err := list[taskDefWire](c, a, "tasks")
	return sorted(tasks), err
}

// sorted puts tasks before those downstream of them, and else by id.
func sorted(tasks []TaskDef) []TaskDef {
	slices.SortFunc(tasks, func(a, b TaskDef) int { return strings.Compare(a.ID, b.ID) })
	above := map[string]int{} // how many of those upstream are not out yet
	for _, t := range tasks {
		for _, d := range t.Downstream {
			above[d]++
		}
	}
	out := make([]TaskDef, 0, len(tasks))
	for len(tasks) > 0 {
		next := slices.IndexFunc(tasks, func(t TaskDef) bool { return above[t.ID] == 0 })
		next = max(0, next) // no DAG has a circle, but an answer may
		t := tasks[next]
		for _, d := range t.Downstream {
			above[d]--
		}
		out, tasks = append(out, t), slices.Delete(tasks, next, next+1)
	}
	return out
}
