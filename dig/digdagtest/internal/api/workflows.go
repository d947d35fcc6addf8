package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/engine"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

func (s *server) projectWorkflows(r *http.Request) (any, error) {
	return s.withProject(r, func(st *state.State, p *state.Project) (any, error) {
		q := r.URL.Query()
		rev, err := revisionOf(st, p, q.Get("revision"))
		if err != nil {
			return nil, err
		}
		var shapes []any
		for _, w := range st.WorkflowsOf(rev.ID) {
			if !q.Has("name") || w.Name == q.Get("name") {
				shapes = append(shapes, workflowShape(st, w))
			}
		}
		return list("workflows", shapes), nil
	})
}

func (s *server) projectWorkflow(r *http.Request) (any, error) {
	return s.withProject(r, func(st *state.State, p *state.Project) (any, error) {
		rev, err := revisionOf(st, p, r.URL.Query().Get("revision"))
		if err != nil {
			return nil, err
		}
		name := r.PathValue("name")
		for _, w := range st.WorkflowsOf(rev.ID) {
			if w.Name == name {
				return workflowShape(st, w), nil
			}
		}
		return nil, engine.MissingError(fmt.Sprintf("workflow name=%s in the latest revision of project id=%d", name, p.ID))
	})
}

// workflows lists those of the newest revisions of all living projects.
func (s *server) workflows(r *http.Request) (any, error) {
	last, err := queryID(r, "last_id", 0)
	if err != nil {
		return nil, err
	}
	count, err := queryID(r, "count", 100)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	pattern, withProject := q.Get("name_pattern"), strings.EqualFold(q.Get("search_project_name"), "true")
	descending := q.Get("order") == "desc"
	if order := q.Get("order"); order != "" && order != "asc" && !descending {
		return nil, engine.InvalidError("parameter 'order' must be either 'asc' or 'desc'")
	}
	var shapes []any
	s.store.View(func(st *state.State) {
		ids := state.IDs(st.Workflows)
		if descending {
			slices.Reverse(ids)
		}
		for _, id := range ids {
			w := st.Workflows[id]
			newest := st.LatestRevision(w.ProjectID).ID == w.RevisionID && st.Projects[w.ProjectID].DeletedAt == nil
			further := last == 0 || (descending && id < last) || (!descending && id > last)
			named := strings.Contains(w.Name, pattern) || (withProject && strings.Contains(st.Projects[w.ProjectID].Name, pattern))
			if newest && further && int64(len(shapes)) < count && named {
				shapes = append(shapes, workflowShape(st, w))
			}
		}
	})
	return list("workflows", shapes), nil
}

func (s *server) workflow(r *http.Request) (v any, err error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	s.store.View(func(st *state.State) {
		w := st.Workflows[id]
		if w == nil {
			err = engine.MissingError(fmt.Sprintf("workflow id=%d", id))
			return
		}
		v = workflowShape(st, w)
	})
	return v, err
}

// truncatedTime computes a session time in the zone and schedule of a workflow.
func (s *server) truncatedTime(r *http.Request) (v any, err error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	if !q.Has("session_time") {
		return nil, engine.InvalidError("session_time= is required")
	}
	mode := q.Get("mode")
	if !slices.Contains([]string{"", "day", "hour", "schedule", "next_schedule"}, mode) {
		return nil, httpError{status: http.StatusNotFound}
	}
	s.store.View(func(st *state.State) {
		w := st.Workflows[id]
		if w == nil {
			err = engine.MissingError(fmt.Sprintf("workflow id=%d", id))
			return
		}
		at, timeErr := localTime(q.Get("session_time"), w.TimeZone)
		if timeErr != nil {
			err = httpError{status: http.StatusNotFound}
			return
		}
		if at, err = engine.SessionTime(w, at, mode); err == nil {
			v = object("project", idAndName(st, w.ProjectID), "revision", st.Revisions[w.RevisionID].Name,
				"sessionTime", zoned(at, w.TimeZone), "timezone", w.TimeZone)
		}
	})
	return v, err
}
