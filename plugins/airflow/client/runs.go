package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Run is a run by its id. One that there is not is CodeNotFound with Near, and so is
// its DAG (GET /dags/{id}/dagRuns/{run}).
func (c *Client) Run(ctx context.Context, dag, run string) (DAGRun, error) {
	q := read("dags", dag, "dagRuns", run)
	if err := c.names(q, dag, run); err != nil {
		return DAGRun{}, err
	}
	r, err := get[runWire](ctx, c, q)
	if isCode(err, CodeNotFound) {
		return DAGRun{}, c.noRun(ctx, dag, run)
	}
	return r, err
}

func (c *Client) names(q call, dag, run string) error {
	if err := c.inPath(q, "dag", dag); err != nil {
		return err
	}
	return c.inPath(q, "run", run)
}

// RunFilter picks runs of one DAG, or of all ("" is ~).
type RunFilter struct {
	DAG         string
	States      []string  // queued, running, success, failed; none is all
	EndedSince  time.Time // end_date_gte, to the microsecond
	LogicalFrom time.Time // logical_date_gte
	LogicalTo   time.Time // logical_date_lte, inclusive
	// OrderBy is a field with - for descending, as the API of the server's version names
	// it: "" is the newest first, by -run_after in Airflow 3; in Airflow 2 by
	// -execution_date of one DAG, and of all by -id, the order in which they came, since
	// many share a date.
	OrderBy string
	Limit   int // of a page, 100 at most and by default
	Offset  int // of RunsPage: how many to leave out
}

// Runs goes through all pages (GET /dags/{id}/dagRuns).
func (c *Client) Runs(ctx context.Context, f RunFilter) iter.Seq2[DAGRun, error] {
	p, err := c.runs(ctx, f)
	if err != nil {
		return failed[DAGRun](err)
	}
	return all[runWire](ctx, c, p)
}

// RunsPage is one page, and how many there are in all (-1 where the server does not tell).
func (c *Client) RunsPage(ctx context.Context, f RunFilter) ([]DAGRun, int, error) {
	p, err := c.runs(ctx, f)
	if err != nil {
		return nil, -1, err
	}
	return page[runWire](ctx, c, p, f.Offset)
}

// runStates are all that either version knows. v1 answers others with an empty list.
var runStates = []string{"queued", "running", "success", "failed"}

func (c *Client) runs(ctx context.Context, f RunFilter) (paged[DAGRun], error) {
	p := paged[DAGRun]{name: "dag_runs", size: f.Limit, key: func(r DAGRun) string { return r.DAG + "\x00" + r.ID }}
	v, err := c.Version(ctx)
	if err != nil {
		return p, err
	}
	order := f.OrderBy
	switch {
	case order != "":
	case v.API == 2:
		order = "-run_after"
	case f.DAG == "":
		order = "-id"
	default:
		order = "-execution_date"
	}
	dag := "~"
	if f.DAG != "" {
		dag = f.DAG
	}
	p.call = call{Method: http.MethodGet, Path: "/dags/~/dagRuns", Query: url.Values{"order_by": {order}}}
	if f.DAG != "" {
		if err := c.inPath(p.call, "dag", dag); err != nil {
			return p, err
		}
		p.call.Path = path("dags", dag, "dagRuns")
	}
	if p.size == 0 || p.size > most {
		p.size = most
	}
	if p.size < 0 || f.Offset < 0 {
		return p, c.refuse(p.call, "a page of %d from %d on", f.Limit, f.Offset)
	}
	if err := c.states(p.call, f.States, runStates); err != nil {
		return p, err
	}
	if len(f.States) > 0 {
		p.call.Query["state"] = f.States
	}
	for name, at := range map[string]time.Time{"end_date_gte": f.EndedSince, v.logical("_gte"): f.LogicalFrom, v.logical("_lte"): f.LogicalTo} {
		if !at.IsZero() {
			p.call.Query.Set(name, instant(at))
		}
	}
	return p, nil
}

// logical is the name of a filter by logical date.
func (v Version) logical(bound string) string {
	if v.API == 1 {
		return "execution_date" + bound
	}
	return "logical_date" + bound
}

// instant writes a moment as requests have it. Airflow keeps microseconds.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// states refuses what is no state.
func (c *Client) states(q call, given, known []string) error {
	for _, s := range given {
		if !slices.Contains(known, s) {
			text := fmt.Sprintf("%q is no state; want one of %s", s, strings.Join(known, ", "))
			if near := Near(s, known); len(near) > 0 {
				text += "; near: " + strings.Join(near, ", ")
			}
			return c.refuse(q, "%s", text)
		}
	}
	return nil
}

// Trigger is what a run is started with.
type Trigger struct {
	DAG, ID string          // ID "" lets the server name it
	Logical time.Time       // zero for none (Airflow 3) or now (Airflow 2)
	Conf    json.RawMessage // an object; nil for none
	Note    string
}

// usualID is what a server takes for the id of a run unless it is set otherwise
// ([scheduler] allowed_run_id_pattern).
var usualID = regexp.MustCompile(`^[A-Za-z0-9_.~:+-]+$`)

// Trigger starts a run. With an ID that is there already, existed is true and the run
// is that one. CodeConflict is another run with that logical date: its id is in Near
// (POST /dags/{id}/dagRuns).
func (c *Client) Trigger(ctx context.Context, t Trigger) (r DAGRun, existed bool, err error) {
	q := call{Method: http.MethodPost, Path: path("dags", t.DAG, "dagRuns"), Conflict: true, Once: t.ID == ""}
	if err := c.inPath(q, "dag", t.DAG); err != nil {
		return DAGRun{}, false, err
	}
	if t.ID != "" {
		if err := c.inPath(q, "run", t.ID); err != nil {
			return DAGRun{}, false, err
		}
	}
	if t.Conf != nil && (!json.Valid(t.Conf) || string(objectOf(t.Conf)) != string(t.Conf)) {
		return DAGRun{}, false, c.refuse(q, "the conf is no JSON object")
	}
	v, err := c.Version(ctx)
	if err != nil {
		return DAGRun{}, false, err
	}
	body := map[string]any{}
	if v.API == 2 {
		body["logical_date"] = nil // it has to be there; Airflow 2 refuses null
	}
	for name, value := range map[string]string{"dag_run_id": t.ID, "note": t.Note} {
		if value != "" {
			body[name] = value
		}
	}
	if !t.Logical.IsZero() {
		body["logical_date"] = instant(t.Logical)
	}
	if t.Conf != nil {
		body["conf"] = t.Conf
	}
	q.Body = body
	// Airflow 2 answers 500 to an id that it does not allow.
	odd := v.API == 1 && t.ID != "" && !usualID.MatchString(t.ID)
	q.Once = q.Once || odd
	a, err := c.do(ctx, q)
	if e, ok := errors.AsType[*Error](err); odd && ok && e.Status == http.StatusInternalServerError {
		refused := *e
		refused.Code, refused.Message = CodeBadRequest, fmt.Sprintf("500, as Airflow 2 answers to a run id that it does not allow: %q has more than letters, digits and _.~:+- in it ([scheduler] allowed_run_id_pattern)", t.ID)
		return DAGRun{}, false, &refused
	}
	switch {
	case isCode(err, CodeNotFound):
		d, dagErr := get[dagWire](ctx, c, read("dags", t.DAG))
		if isCode(dagErr, CodeNotFound) {
			return DAGRun{}, false, c.noDAG(ctx, t.DAG)
		}
		if d.Stale {
			return DAGRun{}, false, c.Missing(fmt.Sprintf("file that holds dag %q now, so that it starts no runs,", t.DAG), nil)
		}
		return DAGRun{}, false, err
	case err != nil:
		return DAGRun{}, false, err
	case a.Status != http.StatusConflict:
		r, err = one[runWire](c, a)
		return r, false, err
	}
	if t.ID != "" {
		// A try that got no answer was most likely the one that made it.
		if r, err = get[runWire](ctx, c, read("dags", t.DAG, "dagRuns", t.ID)); !isCode(err, CodeNotFound) {
			return r, err == nil && !a.Unsure, err
		}
	}
	return DAGRun{}, false, c.taken(ctx, a, t)
}

// taken is the error of a 409 that is not about the id.
func (c *Client) taken(ctx context.Context, a answer, t Trigger) error {
	e := c.rest.Fault(a, CodeConflict, "%d: %s", a.Status, a.Said)
	if t.Logical.IsZero() {
		return e
	}
	runs, _, err := c.RunsPage(ctx, RunFilter{DAG: t.DAG, LogicalFrom: t.Logical, LogicalTo: t.Logical})
	if err == nil && len(runs) > 0 {
		e.Near = []string{runs[0].ID}
		e.Message = fmt.Sprintf("%d: run %s has the logical date %s already", a.Status, runs[0].ID, t.Logical.Format(time.RFC3339))
	}
	return e
}

// SetRun marks a run success, failed or queued. Of a failed one Airflow ends the tasks
// that run (PATCH /dags/{id}/dagRuns/{run}).
func (c *Client) SetRun(ctx context.Context, dag, run, state string) (DAGRun, error) {
	q := call{Method: http.MethodPatch, Path: path("dags", dag, "dagRuns", run), Body: map[string]string{"state": state}}
	if err := c.names(q, dag, run); err != nil {
		return DAGRun{}, err
	}
	if err := c.states(q, []string{state}, []string{"success", "failed", "queued"}); err != nil {
		return DAGRun{}, err
	}
	r, err := get[runWire](ctx, c, q)
	return r, c.lost(ctx, err, dag, run)
}

// Link is where a person sees a run, or a task of it (task "" for the run).
func (c *Client) Link(dag, run, task string, mapIndex int) string {
	c.mu.Lock()
	api := c.version.API
	c.mu.Unlock()
	if api == 1 {
		q := url.Values{"dag_run_id": {run}}
		if task != "" {
			q.Set("task_id", task)
			q.Set("tab", "logs")
		}
		if mapIndex >= 0 && task != "" {
			q.Set("map_index", strconv.Itoa(mapIndex))
		}
		return c.Endpoint() + path("dags", dag, "grid") + "?" + q.Encode()
	}
	link := c.Endpoint() + path("dags", dag, "runs", run)
	if task != "" {
		link += path("tasks", task)
	}
	if mapIndex >= 0 && task != "" {
		link += path("mapped", strconv.Itoa(mapIndex))
	}
	return link
}
