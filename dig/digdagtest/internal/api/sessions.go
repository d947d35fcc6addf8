package api

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/engine"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// sessions lists those of the site or of a project, newest first.
func (s *server) sessions(r *http.Request) (v any, err error) {
	below, err := queryID(r, "last_id", math.MaxInt64)
	if err != nil {
		return nil, err
	}
	size, err := pageSize(r, s.cfg.MaxSessionsPage)
	if err != nil {
		return nil, err
	}
	project := int64(0)
	if r.PathValue("id") != "" {
		if project, err = pathID(r); err != nil {
			return nil, err
		}
	}
	workflow := r.URL.Query().Get("workflow")
	s.store.View(func(st *state.State) {
		if project != 0 {
			if _, err = live(st, project); err != nil {
				return
			}
		}
		v = page("sessions", st.Sessions, below, size, func(x *state.Session) any {
			if project != 0 && (x.ProjectID != project || (workflow != "" && x.Workflow != workflow)) {
				return nil
			}
			return sessionShape(st, x)
		})
	})
	return v, err
}

func (s *server) session(r *http.Request) (v any, err error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	s.store.View(func(st *state.State) {
		x := st.Sessions[id]
		if x == nil {
			err = engine.MissingError(fmt.Sprintf("session id=%d", id))
			return
		}
		v = sessionShape(st, x)
	})
	return v, err
}

func (s *server) sessionAttempts(r *http.Request) (v any, err error) {
	if _, err := s.session(r); err != nil {
		return nil, err
	}
	id, _ := pathID(r)
	below, err := queryID(r, "last_id", math.MaxInt64)
	if err != nil {
		return nil, err
	}
	size, err := pageSize(r, s.cfg.MaxAttemptsPage)
	if err != nil {
		return nil, err
	}
	s.store.View(func(st *state.State) {
		v = page("attempts", st.Attempts, below, size, func(a *state.Attempt) any {
			if a.SessionID != id {
				return nil
			}
			return attemptShape(st, a)
		})
	})
	return v, nil
}

// logs lists the log files of an attempt: one for each delivery of a task.
func (s *server) logs(r *http.Request) (any, error) {
	if _, err := s.attempt(r); err != nil {
		return nil, err
	}
	id, _ := pathID(r)
	entries, err := os.ReadDir(s.engine.LogDir(id))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	var shapes []any
	for _, e := range entries {
		task, rest, _ := strings.Cut(e.Name(), "@")
		stamp, agent, _ := strings.Cut(rest, ".")
		seconds, err := hex.DecodeString(stamp[:8])
		info, statErr := e.Info()
		if err != nil || statErr != nil || !strings.HasPrefix(task, r.URL.Query().Get("task")) {
			continue
		}
		shapes = append(shapes, object("fileName", e.Name(), "fileSize", info.Size(), "taskName", task,
			"fileTime", instant(time.Unix(int64(binary.BigEndian.Uint32(seconds)), 0)), "agentId", strings.TrimSuffix(agent, ".log.gz"), "direct", nil))
	}
	return list("files", shapes), nil
}

func (s *server) logFile(r *http.Request) (any, error) {
	if _, err := s.attempt(r); err != nil {
		return nil, err
	}
	id, _ := pathID(r)
	data, err := os.ReadFile(filepath.Join(s.engine.LogDir(id), filepath.Base(r.PathValue("name"))))
	if os.IsNotExist(err) {
		return nil, httpError{http.StatusNotFound, "File not found: " + r.PathValue("name")}
	}
	return raw{"application/gzip", data}, err
}
