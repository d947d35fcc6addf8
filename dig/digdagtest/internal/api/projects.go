package api

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/engine"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

func (s *server) putProject(r *http.Request) (any, error) {
	if r.Header.Get("Content-Type") != "application/gzip" {
		return nil, httpError{http.StatusBadRequest, "RESTEASY003065: Cannot consume content type"}
	}
	name, revision := r.URL.Query().Get("project"), r.URL.Query().Get("revision")
	from := time.Now()
	if text := r.URL.Query().Get("schedule_from"); text != "" {
		var err error
		if from, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, httpError{status: http.StatusNotFound}
		}
	}
	for _, key := range []string{"clear_schedule", "clear_schedule_all"} {
		if r.URL.Query().Has(key) {
			return missing(key)(r)
		}
	}
	switch {
	case !r.URL.Query().Has("project"):
		return nil, errTripped
	case name == "":
		return nil, engine.InvalidError("project= is required")
	case revision == "":
		return nil, engine.InvalidError("revision= is required")
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	defs, err := dig.LoadArchive(data)
	if err != nil {
		return nil, err
	}
	if r.ContentLength != int64(len(data)) {
		return nil, engine.InvalidError("Content-Length header doesn't match with uploaded data size")
	}
	if err := checkProjectName(name); err != nil {
		return nil, err
	}
	var shape any
	_, err = s.engine.Push(name, revision, defs, data, md5Text(data), from)
	if err != nil {
		var taken engine.TakenError
		if errors.As(err, &taken) {
			return nil, httpError{http.StatusConflict, taken.Error()}
		}
		return nil, err
	}
	s.store.View(func(st *state.State) { shape = projectShape(st, st.ProjectNamed(name)) })
	return shape, nil
}

func md5Text(data []byte) string {
	sum := md5.Sum(data)
	return base64.StdEncoding.EncodeToString(sum[:])
}

var badName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9+^@/\\:*?"<>|]`) })

func checkProjectName(name string) error {
	if badName().MatchString(name) || strings.HasSuffix(name, ".dig") || len(name) > 255 {
		return engine.InvalidError(fmt.Sprintf("Validating project failed\nname must not start with a digit or symbol, end with .dig or be long %q", name))
	}
	return nil
}

// live finds a project that is not deleted.
func live(st *state.State, id int64) (*state.Project, error) {
	p := st.Projects[id]
	switch {
	case p == nil:
		return nil, engine.MissingError(fmt.Sprintf("project id=%d", id))
	case p.DeletedAt != nil:
		return nil, httpError{http.StatusNotFound, fmt.Sprintf("Project id=%d is already deleted at %s", id, instant(*p.DeletedAt))}
	}
	return p, nil
}

func (s *server) projects(r *http.Request) (any, error) {
	after, err := queryID(r, "last_id", 0)
	if err != nil {
		return nil, err
	}
	count, err := queryID(r, "count", 100)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	var shapes []any
	s.store.View(func(st *state.State) {
		for _, id := range state.IDs(st.Projects) {
			p := st.Projects[id]
			if p.DeletedAt == nil && id > after && int64(len(shapes)) < count &&
				(!q.Has("name") || p.Name == q.Get("name")) && strings.Contains(p.Name, q.Get("name_pattern")) {
				shapes = append(shapes, projectShape(st, p))
			}
		}
	})
	return list("projects", shapes), nil
}

func (s *server) project(r *http.Request) (any, error) {
	return s.withProject(r, func(st *state.State, p *state.Project) (any, error) { return projectShape(st, p), nil })
}

// withProject answers from a project that is there.
func (s *server) withProject(r *http.Request, f func(*state.State, *state.Project) (any, error)) (v any, err error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	s.store.View(func(st *state.State) {
		var p *state.Project
		if p, err = live(st, id); err == nil {
			v, err = f(st, p)
		}
	})
	return v, err
}

func (s *server) deleteProject(r *http.Request) (any, error) {
	shape, err := s.project(r) // before, as the real one answers
	if err != nil {
		return nil, err
	}
	id, _ := pathID(r)
	return shape, s.engine.DeleteProject(id)
}

func (s *server) revisions(r *http.Request) (any, error) {
	return s.withProject(r, func(st *state.State, p *state.Project) (any, error) {
		var shapes []any
		ids := state.IDs(st.Revisions)
		slices.Reverse(ids)
		for _, id := range ids {
			if rev := st.Revisions[id]; rev.ProjectID == p.ID {
				shapes = append(shapes, object("revision", rev.Name, "createdAt", instant(rev.CreatedAt),
					"archiveType", "db", "archiveMd5", rev.MD5, "userInfo", object()))
			}
		}
		return list("revisions", shapes), nil
	})
}

func (s *server) archive(r *http.Request) (any, error) {
	var revision int64
	_, err := s.withProject(r, func(st *state.State, p *state.Project) (any, error) {
		rev, err := revisionOf(st, p, r.URL.Query().Get("revision"))
		if err == nil {
			revision = rev.ID
		}
		return nil, err
	})
	if err != nil {
		return nil, err
	}
	data, err := s.store.Archive(revision)
	return raw{"application/gzip", data}, err
}

func revisionOf(st *state.State, p *state.Project, name string) (*state.Revision, error) {
	if name == "" {
		return st.LatestRevision(p.ID), nil
	}
	for _, rev := range st.Revisions {
		if rev.ProjectID == p.ID && rev.Name == name {
			return rev, nil
		}
	}
	return nil, engine.MissingError("revision=" + name + " in project id=" + idText(p.ID))
}
