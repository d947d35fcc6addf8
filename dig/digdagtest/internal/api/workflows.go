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
	if q.Get("search_project_name") == "true" {
		return missing("search_project_name")(r)
	}
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
			if newest && further && int64(len(shapes)) < count && strings.Contains(w.Name, q.Get("name_pattern")) {
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

func (s *server) schedules(r *http.Request) (v any, err error) {
	after, err := queryID(r, "last_id", 0)
	if err != nil {
		return nil, err
	}
	project := int64(0)
	if r.PathValue("id") != "" {
		if project, err = pathID(r); err != nil {
			return nil, err
		}
	}
	s.store.View(func(st *state.State) {
		if project != 0 {
			if _, err = live(st, project); err != nil {
				return
			}
		}
		var shapes []any
		for _, id := range state.IDs(st.Schedules) {
			sc := st.Schedules[id]
			if sc.Workflow == "" || st.Projects[sc.ProjectID].DeletedAt != nil || id <= after || len(shapes) == 100 ||
				(project != 0 && sc.ProjectID != project) || (r.URL.Query().Has("workflow") && r.URL.Query().Get("workflow") != sc.Workflow) {
				continue
			}
			shapes = append(shapes, scheduleShape(st, sc, false))
		}
		v = list("schedules", shapes)
	})
	return v, err
}

func (s *server) schedule(r *http.Request) (any, error) { return s.oneSchedule(r, false) }

func (s *server) oneSchedule(r *http.Request, summary bool) (v any, err error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	s.store.View(func(st *state.State) {
		sc := st.Schedules[id]
		if sc == nil || sc.Workflow == "" {
			err = engine.MissingError(fmt.Sprintf("schedule id=%d", id))
			return
		}
		if _, err = live(st, sc.ProjectID); err == nil {
			v = scheduleShape(st, sc, summary)
		}
	})
	return v, err
}

func (s *server) disableSchedule(r *http.Request) (any, error) { return s.setDisabled(r, true) }

func (s *server) enableSchedule(r *http.Request) (any, error) {
	if r.ContentLength > 2 {
		return nil, httpError{http.StatusNotImplemented, "skipSchedule and nextTime: not in the double of Digdag"}
	}
	return s.setDisabled(r, false)
}

func (s *server) setDisabled(r *http.Request, off bool) (any, error) {
	if _, err := s.oneSchedule(r, true); err != nil {
		return nil, err
	}
	id, _ := pathID(r)
	if err := s.engine.DisableSchedule(id, off); err != nil {
		return nil, err
	}
	return s.oneSchedule(r, true)
}
