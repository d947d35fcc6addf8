package main

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// server answers as a Digdag server does, from what is in memory. It notes what it is
// asked, and instead is what is served for a path instead.
type server struct {
	*httptest.Server
	mu         sync.Mutex
	attempts   *memory
	schedules  int
	tasks      map[string]string // answers, by attempt
	logs       map[string]string // by attempt, of the task +w+a
	instead    map[string]http.HandlerFunc
	asked      []string
	definition int
	// before is done before a request is looked at.
	before func(*http.Request)
	// workflows are those of the newest revisions.
	workflows []client.Workflow
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{attempts: newMemory(attemptsPage), tasks: map[string]string{}, logs: map[string]string{}, instead: map[string]http.HandlerFunc{}}
	s.attempts.now = time.Now().UTC().Truncate(time.Second)
	s.push("r1", "{}")
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// push gives the workflow w of the project p a new revision, with this config.
func (s *server) push(revision, config string) {
	s.definition++
	w := client.Ref{ID: client.ID(strconv.Itoa(s.definition)), Name: "w"}
	s.attempts.workflow = w
	s.workflows = []client.Workflow{{ID: w.ID, Name: w.Name, Project: client.Ref{ID: "1", Name: "p"}, Revision: revision, Config: json.RawMessage(config)}}
}

// start makes attempts that run, and gives the last one's id.
func (s *server) start(count int) (last int64) {
	for range count {
		last = s.attempts.give()
		s.attempts.commit(last)
	}
	return last
}

// run makes attempts that have ended.
func (s *server) run(count int) {
	for range count {
		s.attempts.end(s.start(1))
	}
}

func orNull(at time.Time) any {
	if at.IsZero() {
		return nil
	}
	return at.Format(time.RFC3339)
}

func onTheWire(a client.Attempt) map[string]any {
	return map[string]any{
		"status": a.State(), "id": a.ID, "index": a.Index, "project": a.Project, "workflow": a.Workflow, "sessionId": a.SessionID, "sessionUuid": a.SessionUUID,
		"sessionTime": a.SessionTime.Format("2006-01-02T15:04:05-07:00"), "retryAttemptName": nil, "done": a.Done, "success": a.Success, "cancelRequested": a.CancelRequested,
		"params": a.Params, "createdAt": a.CreatedAt.Format(time.RFC3339), "finishedAt": orNull(a.FinishedAt),
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.before != nil {
		s.before(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, r.URL.Path)
	if other := s.instead[r.URL.Path]; other != nil {
		other(w, r)
		return
	}
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/api/"), "/")
	answer := map[string]any{}
	before := client.ID(r.URL.Query().Get("last_id"))
	switch {
	case parts[0] == "version":
		answer["version"] = "0.10.5.1"
	case parts[0] == "schedules":
		last, _ := strconv.Atoi(string(before))
		list := []any{}
		for n := last + 1; n <= s.schedules && len(list) < 100; n++ {
			list = append(list, map[string]any{
				"id": strconv.Itoa(n), "project": client.Ref{ID: "1", Name: "p"}, "workflow": s.attempts.workflow,
				"nextRunTime": "9999-01-01T00:00:00Z", "nextScheduleTime": "9999-01-01T00:00:00+00:00", "disabledAt": nil,
			})
		}
		answer["schedules"] = list
	case parts[0] == "workflows" || r.URL.Path == "/api/projects/1/workflows":
		list := []any{}
		for _, w := range s.workflows {
			if w.ID.Compare(before) > 0 {
				list = append(list, map[string]any{"id": w.ID, "name": w.Name, "project": w.Project, "revision": w.Revision, "timezone": "UTC", "config": w.Config})
			}
		}
		answer["workflows"] = list
	case parts[0] == "attempts" && len(parts) == 1:
		page, err := s.attempts.AttemptsPage(r.Context(), client.AttemptFilter{Before: before, IncludeRetried: r.URL.Query().Get("include_retried") == "true"})
		if err != nil {
			http.Error(w, err.Error(), http.StatusTeapot)
			return
		}
		list := []any{}
		for _, a := range page {
			list = append(list, onTheWire(a))
		}
		answer["attempts"] = list
	case parts[0] == "attempts" && len(parts) == 2:
		a, err := s.attempts.Attempt(r.Context(), client.ID(parts[1]))
		if err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintf(w, `{"message":"Resource does not exist: session attempt id=%s","status":404}`, parts[1])
			return
		}
		answer = onTheWire(a)
	case parts[0] == "attempts" && parts[2] == "tasks" && s.tasks[parts[1]] != "":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, s.tasks[parts[1]])
		return
	case parts[0] == "attempts" && parts[2] == "tasks":
		answer["tasks"] = []any{}
	case parts[0] == "logs" && len(parts) == 3:
		list := []any{}
		if text, ok := s.logs[parts[1]]; ok {
			list = append(list, map[string]any{"fileName": "a.log.gz", "fileSize": len(text), "taskName": "+w+a", "fileTime": "2026-11-21T00:00:00Z", "agentId": "1@h", "direct": nil})
		}
		answer["files"] = list
	case parts[0] == "logs":
		w.Header().Set("Content-Type", "application/gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, s.logs[parts[1]])
		_ = z.Close()
		return
	default:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

type fields map[string]any

// see makes a pass of the component, with the parameters beside the endpoint.
func (s *server) see(t *testing.T, params fields, options ...sdktest.Option) (out observe.Snapshot, o sdktest.Outcome) {
	t.Helper()
	all := fields{"endpoint": s.URL}
	for k, v := range params {
		all[k] = v
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if o = sdktest.RunJSON(t, observeComponent(), string(raw), options...); o.State == sdktest.Success {
		if err := o.Decode(&out); err != nil {
			t.Fatal(err)
		}
	}
	return out, o
}

// must is see that succeeds, and checks what it asked. Without a cursor that is the
// workflows too.
func (s *server) must(t *testing.T, requests int, params fields) observe.Snapshot {
	t.Helper()
	before := len(s.asked)
	out, o := s.see(t, params)
	if o.Err() != nil {
		t.Fatal(o.Err())
	}
	if params["cursor"] == nil {
		requests++
	}
	if asked := s.asked[before:]; len(asked) != requests || out.Requests != requests {
		t.Errorf("%d requests, told as %d, want %d: %v", len(asked), out.Requests, requests, asked)
	}
	return out
}

func openOf(s observe.Snapshot) (ids []string) {
	for _, r := range s.Runs {
		if !r.State.Ended() {
			ids = append(ids, r.ID)
		}
	}
	return ids
}
