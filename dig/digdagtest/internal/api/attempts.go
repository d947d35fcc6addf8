package api

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/engine"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// flexibleID is an id in a request, which may be a number or a text.
type flexibleID int64

func (f *flexibleID) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(data), `"`), 10, 64)
	*f = flexibleID(n)
	return err
}

// start is the body that asks for an attempt.
type start struct {
	WorkflowID       flexibleID   `json:"workflowId"`
	SessionTime      string       `json:"sessionTime"`
	RetryAttemptName string       `json:"retryAttemptName"`
	Params           *conf.Object `json:"params"`
	Resume           *struct {
		Mode      string     `json:"mode"`
		AttemptID flexibleID `json:"attemptId"`
		From      string     `json:"from"`
	} `json:"resume"`
}

func (s *server) putAttempt(r *http.Request) (any, error) {
	request, err := parseStart(r)
	if err != nil {
		return nil, err
	}
	id, taken, err := s.engine.Submit(request)
	if err != nil {
		return nil, err
	}
	shape, err := s.attemptByID(id)
	if taken && err == nil {
		return nil, conflict{shape}
	}
	return shape, err
}

func parseStart(r *http.Request) (engine.Request, error) {
	var q engine.Request
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return q, httpError{http.StatusBadRequest, "RESTEASY003065: Cannot consume content type"}
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return q, err
	}
	var body start
	if err := json.Unmarshal(data, &body); err != nil {
		return q, engine.InvalidError(err.Error())
	}
	var lacking []string
	for _, x := range []struct {
		name  string
		lacks bool
	}{{"workflowId", body.WorkflowID == 0}, {"sessionTime", body.SessionTime == ""}, {"params", body.Params == nil}} {
		if x.lacks {
			lacking = append(lacking, x.name)
		}
	}
	if len(lacking) > 0 {
		return q, engine.InvalidError("Cannot construct instance of `io.digdag.client.api.ImmutableRestSessionAttemptRequest`, " +
			"problem: Cannot build RestSessionAttemptRequest, some of required attributes are not set [" + strings.Join(lacking, ", ") + "]")
	}
	at, err := time.Parse(time.RFC3339, body.SessionTime)
	if err != nil {
		return q, engine.InvalidError("sessionTime: " + err.Error())
	}
	q = engine.Request{WorkflowID: int64(body.WorkflowID), SessionTime: at, RetryName: body.RetryAttemptName, Params: body.Params}
	if body.Resume != nil {
		q.Resume = &engine.Resume{Attempt: int64(body.Resume.AttemptID)}
		switch {
		case body.Resume.Mode == "failed":
		case body.Resume.Mode == "from" && body.Resume.From != "":
			q.Resume.From = body.Resume.From
		default:
			return q, engine.InvalidError(fmt.Sprintf("resume: mode must be failed, or from with a task, not %q", body.Resume.Mode))
		}
	}
	return q, nil
}

func (s *server) attemptByID(id int64) (v any, err error) {
	s.store.View(func(st *state.State) {
		a := st.Attempts[id]
		if a == nil {
			err = engine.MissingError(fmt.Sprintf("session attempt id=%d", id))
			return
		}
		v = attemptShape(st, a)
	})
	return v, err
}

func (s *server) attempt(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	return s.attemptByID(id)
}

// attempts lists the newest first: the last attempt of each session, or all.
func (s *server) attempts(r *http.Request) (v any, err error) {
	below, err := queryID(r, "last_id", math.MaxInt64)
	if err != nil {
		return nil, err
	}
	size, err := pageSize(r, s.cfg.MaxAttemptsPage)
	if err != nil {
		return nil, err
	}
	q := r.URL.Query()
	all := strings.EqualFold(q.Get("include_retried"), "true")
	s.store.View(func(st *state.State) {
		var project *state.Project
		if q.Has("project") {
			if project = st.ProjectNamed(q.Get("project")); project == nil {
				err = engine.MissingError("project name=" + q.Get("project"))
				return
			}
		}
		v = page("attempts", st.Attempts, below, size, func(a *state.Attempt) any {
			session := st.Sessions[a.SessionID]
			switch {
			case !all && session.LastAttempt != a.ID, project != nil && a.ProjectID != project.ID:
				return nil
			case project != nil && q.Has("workflow") && session.Workflow != q.Get("workflow"):
				return nil
			}
			return attemptShape(st, a)
		})
	})
	return v, err
}

// page lists what shape does not leave out, newest first.
func page[T any](name string, things map[int64]T, below int64, size int, shape func(T) any) any {
	ids := state.IDs(things)
	slices.Reverse(ids)
	var shapes []any
	for _, id := range ids {
		if id >= below {
			continue
		}
		if len(shapes) >= size {
			break
		}
		if x := shape(things[id]); x != nil {
			shapes = append(shapes, x)
		}
	}
	return list(name, shapes)
}

func (s *server) retries(r *http.Request) (v any, err error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	s.store.View(func(st *state.State) {
		a := st.Attempts[id]
		if a == nil {
			err = engine.MissingError(fmt.Sprintf("session attempt id=%d", id))
			return
		}
		var shapes []any
		for _, other := range st.AttemptsOf(a.SessionID) {
			shapes = append(shapes, attemptShape(st, other))
		}
		v = list("attempts", shapes)
	})
	return v, err
}

func (s *server) tasks(r *http.Request) (any, error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	if _, err := s.attemptByID(id); err != nil {
		return nil, err
	}
	var v any
	s.store.View(func(st *state.State) {
		var shapes []any
		for _, t := range st.Tasks(id) {
			shapes = append(shapes, taskShape(t))
		}
		v = list("tasks", shapes)
	})
	return v, nil
}

func (s *server) kill(r *http.Request) (any, error) {
	shape, err := s.attempt(r) // before, as the real one answers
	if err != nil {
		return nil, err
	}
	id, _ := pathID(r)
	killed, err := s.engine.Kill(id)
	if err == nil && !killed {
		err = httpError{http.StatusConflict, "Session attempt already killed or finished"}
	}
	return shape, err
}
