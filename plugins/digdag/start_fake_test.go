package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// reply is one answer of a server: a body, or more.
type reply struct {
	status int // 0 is 200
	body   string
	html   bool
	handle http.HandlerFunc // instead
}

// script is what a server answers, by "GET /api/path": one after another, the last one
// for good.
type script map[string][]reply

// digdagServer is a server that answers as it was told, and knows what it was asked.
type digdagServer struct {
	*httptest.Server
	mu    sync.Mutex
	asked []asked
}

type asked struct {
	request string
	query   string
	body    string
}

func serveScript(t testing.TB, s script) *digdagServer {
	t.Helper()
	d := &digdagServer{}
	left := maps.Clone(s)
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		key := r.Method + " " + r.URL.Path
		d.mu.Lock()
		d.asked = append(d.asked, asked{key, r.URL.RawQuery, string(body)})
		list := left[key]
		if len(list) > 1 {
			left[key] = list[1:]
		}
		d.mu.Unlock()
		if len(list) == 0 {
			t.Errorf("unexpected: %s?%s %s", key, r.URL.RawQuery, body)
			list = []reply{{status: 404}}
		}
		a := list[0]
		if a.handle != nil {
			a.handle(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if a.html {
			w.Header().Set("Content-Type", "text/html")
		}
		w.WriteHeader(max(a.status, 200)) // 0 is none
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(d.Close)
	return d
}

// requests are those of a kind so far.
func (d *digdagServer) requests(key string) (list []asked) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, a := range d.asked {
		if a.request == key {
			list = append(list, a)
		}
	}
	return list
}

// on is a source of the server.
func (d *digdagServer) on() source {
	return source{Endpoint: endpoints{d.URL}, RequestTimeout: time.Minute}
}

// fast looks again at once.
var fast = pace{Every: time.Millisecond, Outage: time.Minute}

// sample is a recorded answer.
func sample(t testing.TB, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var wrapped struct{ Body json.RawMessage }
	if err := json.Unmarshal(raw, &wrapped); err == nil && wrapped.Body != nil {
		return string(wrapped.Body)
	}
	return string(raw)
}

// with is a recorded answer with some members changed.
func with(t testing.TB, name string, changes map[string]any) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(sample(t, name)), &all); err != nil {
		t.Fatal(err)
	}
	maps.Copy(all, changes)
	return toJSON(t, all)
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// decoded reads a recorded answer.
func decoded[T any](t testing.TB, name string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(sample(t, name)), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// retryFlow answers what is asked to find an attempt of demo/retry by its id.
const (
	demo     = `{"projects":[{"id":"1","name":"demo","revision":"r","createdAt":"2026-11-21T23:12:21Z","updatedAt":"2026-11-21T23:16:07Z","deletedAt":null,"archiveType":"db","archiveMd5":"x"}]}`
	notThere = `{"message":"Resource does not exist: session id=31","status":404}`
)

func workflow(name, id string) string {
	return fmt.Sprintf(`{"id":%q,"name":%q,"project":{"id":"1","name":"demo"},"revision":"r","timezone":"Asia/Tokyo","config":{"+a":{"sh>":"true"}}}`, id, name)
}

func workflowList(name, id string) string { return `{"workflows":[` + workflow(name, id) + `]}` }

// sessionJSON is session 31 of demo/retry with that last attempt.
func sessionJSON(t testing.TB, id string, flags map[string]any) string {
	last := map[string]any{
		"id": id, "retryAttemptName": nil, "done": false, "success": false, "cancelRequested": false, "params": map[string]any{},
		"createdAt": "2026-11-21T23:16:12Z", "finishedAt": nil,
	}
	maps.Copy(last, flags)
	return toJSON(t, map[string]any{
		"id": "31", "project": map[string]any{"id": "1", "name": "demo"}, "workflow": map[string]any{"name": "retry", "id": "49"},
		"sessionUuid": "b7c07b4e-3540-4752-8707-28b3096bf4ec", "sessionTime": "2026-11-21T01:00:00+00:00", "lastAttempt": last,
	})
}

// attemptOf is an attempt of that session.
func attemptOf(t testing.TB, id string, changes map[string]any) string {
	t.Helper()
	all := decoded[struct{ Attempts []map[string]any }](t, "attempt_retries").Attempts[0]
	all["id"] = id
	maps.Copy(all, changes)
	return toJSON(t, all)
}

var (
	isRunning = map[string]any{"done": false, "success": false, "status": "running", "finishedAt": nil}
	isDone    = map[string]any{"done": true, "success": true, "status": "success", "finishedAt": "2026-11-21T23:20:00Z"}
	isFailed  = map[string]any{"done": true, "success": false, "status": "error", "finishedAt": "2026-11-21T23:20:00Z"}
)

const noSessions = `{"sessions":[]}`
