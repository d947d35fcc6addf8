// Package api is the double's REST side: the paths of a Digdag server, answered
// in its shapes, its words and its status codes. What a real server has and the
// double has not is answered 501, by name.
package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/engine"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// Version is the Digdag that the double answers like.
const Version = "0.10.5.1"

// Config is what a server can be told about its API.
type Config struct {
	MaxAttemptsPage, MaxSessionsPage int
	User, Password                   string // no User: no authentication
}

// server answers requests.
type server struct {
	store  *state.Store
	engine *engine.Engine
	cfg    Config
}

// Handler serves the API.
func Handler(store *state.Store, e *engine.Engine, cfg Config) http.Handler {
	s := &server{store: store, engine: e, cfg: cfg}
	mux := http.NewServeMux()
	for pattern, h := range map[string]handler{
		"GET /api/version":                               s.version,
		"GET /api/version/check":                         s.versionCheck,
		"PUT /api/projects":                              s.putProject,
		"GET /api/projects":                              s.projects,
		"GET /api/projects/{id}":                         s.project,
		"DELETE /api/projects/{id}":                      s.deleteProject,
		"GET /api/projects/{id}/revisions":               s.revisions,
		"GET /api/projects/{id}/archive":                 s.archive,
		"GET /api/projects/{id}/workflows":               s.projectWorkflows,
		"GET /api/projects/{id}/workflows/{name}":        s.projectWorkflow,
		"GET /api/projects/{id}/schedules":               s.schedules,
		"GET /api/projects/{id}/sessions":                s.sessions,
		"GET /api/workflows":                             s.workflows,
		"GET /api/workflows/{id}":                        s.workflow,
		"GET /api/schedules":                             s.schedules,
		"GET /api/schedules/{id}":                        s.schedule,
		"POST /api/schedules/{id}/disable":               s.disableSchedule,
		"POST /api/schedules/{id}/enable":                s.enableSchedule,
		"GET /api/sessions":                              s.sessions,
		"GET /api/sessions/{id}":                         s.session,
		"GET /api/sessions/{id}/attempts":                s.sessionAttempts,
		"PUT /api/attempts":                              s.putAttempt,
		"GET /api/attempts":                              s.attempts,
		"GET /api/attempts/{id}":                         s.attempt,
		"GET /api/attempts/{id}/retries":                 s.retries,
		"GET /api/attempts/{id}/tasks":                   s.tasks,
		"POST /api/attempts/{id}/kill":                   s.kill,
		"GET /api/logs/{id}/files":                       s.logs,
		"GET /api/logs/{id}/files/{name}":                s.logFile,
		"GET /api/projects/{id}/secrets":                 missing("secrets"),
		"PUT /api/projects/{id}/secrets/{key}":           missing("secrets"),
		"DELETE /api/projects/{id}/secrets/{key}":        missing("secrets"),
		"POST /api/schedules/{id}/skip":                  s.skipSchedule,
		"POST /api/schedules/{id}/backfill":              s.backfill,
		"GET /api/workflows/{id}/truncated_session_time": s.truncatedTime,
		"GET /api/project":                               missing("/api/project"),
		"GET /api/workflow":                              missing("/api/workflow"),
		"POST /double/sessions":                          s.seed,
		"GET /api/projects/{id}/workflow":                missing("/api/projects/{id}/workflow"),
	} {
		mux.Handle(pattern, s.serve(h))
	}
	return s.authenticate(bare{mux})
}

// handler answers with a value that becomes JSON, or with an error.
type handler func(*http.Request) (any, error)

// httpError is an error with a status of its own; without a message its body is
// empty.
type httpError struct {
	status  int
	message string
}

func (e httpError) Error() string { return e.message }

// errTripped is what a real server trips over: it shows its stack as a page.
var errTripped = errors.New("error processing request")

// conflict carries the attempt that is already there, which is the whole body.
type conflict struct{ attempt any }

func (conflict) Error() string { return "Session already exists" }

// raw is an answer that is not JSON.
type raw struct {
	contentType string
	data        []byte
}

func missing(what string) handler {
	return func(*http.Request) (any, error) {
		return nil, httpError{http.StatusNotImplemented, what + ": not in the double of Digdag"}
	}
}

func (s *server) serve(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, err := h(r)
		switch v := v.(type) {
		case raw:
			if err == nil {
				w.Header().Set("Content-Type", v.contentType)
				_, _ = w.Write(v.data) // the client's loss
				return
			}
		}
		if err != nil {
			answerError(w, err)
			return
		}
		answer(w, http.StatusOK, v)
	})
}

func answer(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		status = http.StatusInternalServerError
		body.Reset()
		body.WriteString(strconv.Quote(err.Error()))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimSuffix(body.Bytes(), []byte("\n")))
}

func answerError(w http.ResponseWriter, err error) {
	var (
		own     httpError
		taken   conflict
		absent  engine.MissingError
		blocked engine.ConflictError
		limited engine.LimitError
	)
	status := http.StatusBadRequest
	switch {
	case errors.Is(err, errTripped):
		w.Header().Set("Content-Type", "text/html;charset=UTF-8")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte("<html><head><title>ERROR</title></head><body>Error processing request</body></html>"))
		return
	case errors.As(err, &taken):
		answer(w, http.StatusConflict, taken.attempt)
		return
	case errors.As(err, &own):
		if status = own.status; own.message == "" {
			w.WriteHeader(status)
			return
		}
	case errors.As(err, &absent):
		status = http.StatusNotFound
	case errors.As(err, &blocked):
		status = http.StatusConflict
	case errors.As(err, &limited):
	}
	answer(w, status, map[string]any{"message": err.Error(), "status": status})
}

// bare takes the bodies from the mux's own errors: a real server has none.
type bare struct{ mux *http.ServeMux }

func (b bare) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, pattern := b.mux.Handler(r); pattern != "" {
		b.mux.ServeHTTP(w, r)
		return
	}
	status := http.StatusNotFound
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost, http.MethodDelete} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := b.mux.Handler(other); pattern != "" {
			status = http.StatusMethodNotAllowed
		}
	}
	w.WriteHeader(status)
}

func (s *server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reject := func(message string) {
			answer(w, http.StatusUnauthorized, map[string]any{"message": message, "status": http.StatusUnauthorized})
		}
		if s.cfg.User == "" || !strings.HasPrefix(r.URL.Path, "/api/") || r.URL.Path == "/api/version" {
			next.ServeHTTP(w, r)
			return
		}
		user, password, ok := r.BasicAuth()
		switch {
		case r.Header.Get("Authorization") == "":
			reject("Missing Authorization header")
		case !ok:
			answerError(w, errTripped)
		case user != s.cfg.User || password != s.cfg.Password:
			reject("unauthorized")
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func (s *server) version(*http.Request) (any, error) {
	return map[string]string{"version": Version}, nil
}

func (s *server) versionCheck(*http.Request) (any, error) {
	return map[string]any{"serverVersion": Version, "upgradeRecommended": false, "apiCompatible": true}, nil
}

// seed is the double's own: it makes a history.
func (s *server) seed(r *http.Request) (any, error) {
	count, err := queryID(r, "count", 0)
	if err != nil {
		return nil, err
	}
	return object(), s.engine.Seed(int(count))
}

// pathID reads the id in the path; what is no number is no resource.
func pathID(r *http.Request) (int64, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return 0, httpError{status: http.StatusNotFound}
	}
	return id, nil
}

// queryID reads a number of the query, or gives what stands for its absence.
func queryID(r *http.Request, name string, absent int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return absent, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, httpError{status: http.StatusNotFound}
	}
	return id, nil
}

// pageSize reads how much is asked for. The limit is for what is asked, not for
// what comes without asking.
func pageSize(r *http.Request, most int) (int, error) {
	n, err := queryID(r, "page_size", 100)
	if err == nil && r.URL.Query().Has("page_size") && n > int64(most) {
		err = engine.InvalidError(fmt.Sprintf("Your specified page_size is Optional.of(%d), but it is larger than MAX_PAGE_SIZE: %d. "+
			"You must specify page_size with a number which is smaller than %d.", n, most, most))
	}
	return int(n), err
}
