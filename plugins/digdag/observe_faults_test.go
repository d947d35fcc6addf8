package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hang answers when the client has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// cut closes the connection in the middle of an answer.
func cut(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"attempts":[`)
	panic(http.ErrAbortHandler)
}

// huge is longer than what is read, and short on the wire.
func huge() http.HandlerFunc {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.Copy(z, io.LimitReader(blanks{}, 64<<20+1))
	_ = z.Close()
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(packed.Bytes())
	}
}

type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestObserveFaults: what the list of attempts answers, and what becomes of the pass.
func TestObserveFaults(t *testing.T) {
	const json = "application/json"
	limited := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		answer(429, "text/plain", "slow down")(w, r)
	}
	for _, c := range []struct {
		name, path, code string
		serve            http.HandlerFunc
		state            sdktest.State
		contains         string
	}{
		{"401", "/api/attempts", "unauthorized", answer(401, json, `{"message":"Unauthorized","status":401}`), sdktest.Permanent, "user and password"},
		{"403", "/api/attempts", "forbidden", answer(403, json, `{"message":"No","status":403}`), sdktest.Permanent, "No"},
		{"404", "/api/attempts", "not_found", answer(404, "", ""), sdktest.Permanent, "GET /api/attempts"},
		{"429", "/api/attempts", "rate_limited", limited, sdktest.Failed, "GET /api/attempts"},
		{"empty", "/api/attempts", "bad_answer", answer(200, json, ""), sdktest.Permanent, "the answer is empty"},
		{"not JSON", "/api/attempts", "bad_answer", answer(200, json, "{nope"), sdktest.Permanent, "not what a Digdag server sends"},
		{"JSON of another", "/api/attempts", "bad_answer", answer(200, json, `{"items":[]}`), sdktest.Permanent, "not what a Digdag server sends"},
		{"a page", "/api/attempts", "not_digdag", answer(200, "text/html", "<html>hi</html>"), sdktest.Permanent, "GET /api/attempts"},
		{"cut", "/api/attempts", "unreachable", cut, sdktest.Failed, "GET /api/attempts"},
		{"huge", "/api/attempts", "too_big", huge(), sdktest.Permanent, "longer than 64 MiB"},
		{"no number", "/api/attempts", "", answer(200, json, `{"attempts":[{"id":"9999999999999999999","sessionTime":"2026-11-21T00:00:00+00:00","params":{}}]}`), sdktest.Failed, `"9999999999999999999" is no attempt's id`},
		{"500 of the version", "/api/version", "server_error", answer(500, "text/html", "<html>oh</html>"), sdktest.Failed, "GET /api/version"},
		{"503 of the version", "/api/version", "server_error", answer(503, "", ""), sdktest.Failed, "GET /api/version"},
		{"a page for the version", "/api/version", "not_digdag", answer(200, "text/html", "<html>"), sdktest.Permanent, "GET /api/version"},
		{"401 of the schedules", "/api/schedules", "unauthorized", answer(401, json, `{"message":"Unauthorized","status":401}`), sdktest.Permanent, "GET /api/schedules"},
		{"500 of one that is open", "/api/attempts/1", "server_error", answer(500, "text/html", "<html>oh</html>"), sdktest.Failed, "attempt 1: "},
		{"401 of details", "/api/attempts/1/tasks", "unauthorized", answer(401, json, `{"message":"Unauthorized","status":401}`), sdktest.Permanent, "look at tasks of attempt 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.start(1)
			s.run(150)
			cursor := s.must(t, 1+2+1, nil).Cursor
			s.instead[c.path] = c.serve
			_, o := s.see(t, fields{"cursor": cursor, "details": []string{"1"}})
			if o.State != c.state || o.Code != c.code || !strings.Contains(o.Error, c.contains) {
				t.Errorf("%s, code %q: %s\nwant %s, %q, %q", o.State, o.Code, o.Error, c.state, c.code, c.contains)
			}
			if c.name == "429" && o.RetryAfter.Hours() != 1 {
				t.Errorf("again after %s", o.RetryAfter)
			}
			// Nothing is lost by it.
			s.mu.Lock() // a handler may not be through whose connection was cut
			delete(s.instead, c.path)
			s.mu.Unlock()
			if after, o := s.see(t, fields{"cursor": cursor}); o.Err() != nil || !slices.Equal(openOf(after), []string{"1"}) {
				t.Errorf("then: %v, %v", openOf(after), o.Err())
			}
		})
	}
}

// TestObserveSickDatabase: a server that tells its version and lists nothing has
// trouble behind it, which is reported; the cursor stays where it was.
func TestObserveSickDatabase(t *testing.T) {
	for name, serveIt := range map[string]http.HandlerFunc{
		"500 HTML": answer(500, "text/html", "<html><body>Internal Server Error</body></html>"),
		"503":      answer(503, "text/plain", "no"), "slow": hang,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			s.start(1)
			cursor := s.must(t, 3, nil).Cursor
			s.instead["/api/attempts"] = serveIt
			out, o := s.see(t, fields{"cursor": cursor, "request_timeout": "200ms"})
			if o.Err() != nil || len(out.Runs) != 0 || string(out.Cursor) != string(cursor) {
				t.Fatalf("%v, %+v", o.Err(), out)
			}
			health := map[string]bool{}
			for _, h := range out.Health {
				health[h.Name] = h.OK
			}
			if !health["api"] || health["database"] || len(out.Blind) != 2 || !strings.HasPrefix(out.Blind[0], "runs: Digdag at ") {
				t.Errorf("%+v, %q", out.Health, out.Blind)
			}
		})
	}
	t.Run("of schedules alone", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		s.start(1)
		s.instead["/api/schedules"] = answer(500, "text/html", "<html>")
		out, o := s.see(t, nil)
		if o.Err() != nil || len(out.Runs) != 1 || len(out.Blind) != 1 || !strings.HasPrefix(out.Blind[0], "schedules: ") {
			t.Errorf("%v, %+v", o.Err(), out)
		}
	})
}

func TestObserveAnotherEndpoint(t *testing.T) {
	s := serve(t)
	s.start(1)
	out, o := s.see(t, fields{"endpoint": []string{"http://127.0.0.1:1", s.URL}})
	if o.Err() != nil || len(out.Runs) != 1 || out.Runs[0].Link != s.URL+"/attempts/1" {
		t.Fatalf("%v, %+v", o.Err(), out.Runs)
	}
	want := observe.Health{Name: "endpoint http://127.0.0.1:1", Note: "it failed, and " + s.URL + " was asked"}
	if !slices.Contains(out.Health, want) {
		t.Errorf("%+v", out.Health)
	}
	if !slices.ContainsFunc(o.Logs, func(l sdktest.Line) bool { return strings.Contains(l.Message, "does not answer") }) {
		t.Errorf("%+v", o.Logs)
	}
	if out, o = s.see(t, nil); o.Err() != nil || slices.ContainsFunc(out.Health, func(h observe.Health) bool { return !h.OK }) {
		t.Errorf("%v, %+v", o.Err(), out.Health)
	}
}

func TestObserveRefuses(t *testing.T) {
	s := serve(t)
	for name, c := range map[string]struct {
		params   fields
		contains string
	}{
		"no id":          {fields{"details": []string{"1/tasks"}}, `details: "1/tasks" is no attempt's id`},
		"no cursor":      {fields{"cursor": "1"}, "cursor: it is not one that digdag.observe returned; leave it out to begin anew"},
		"another's":      {fields{"cursor": fields{"high": 3}}, "cursor: it is of version 0, and this is 1"},
		"a damaged one":  {fields{"cursor": fields{"v": 1, "high": 3}}, "cursor: it is damaged"},
		"no URL":         {fields{"endpoint": "ftp://x"}, "endpoint"},
		"no limit":       {fields{"limit": 0}, "limit"},
		"no endpoint":    {fields{"endpoint": ""}, "which Digdag?"},
		"a password":     {fields{"password": "hushhush"}, "there is a password and no user"},
		"half a history": {fields{"history_from": "yesterday"}, "history_from"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OUTRIDER_DIGDAG_ENDPOINT", "")
			if _, o := s.see(t, c.params); o.State != sdktest.Permanent || !strings.Contains(o.Error, c.contains) {
				t.Errorf("%s: %s", o.State, o.Error)
			}
		})
	}
	if len(s.asked) != 0 {
		t.Errorf("asked %v", s.asked)
	}
}

// TestObserveEnds: cancelled while the server does not answer.
func TestObserveEnds(t *testing.T) {
	s := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.instead["/api/attempts"] = func(w http.ResponseWriter, r *http.Request) {
		cancel()
		hang(w, r)
	}
	if _, o := s.see(t, nil, sdktest.Context(ctx)); o.State != sdktest.Cancelled {
		t.Errorf("%s: %s", o.State, o.Error)
	}
}

func TestObserveConforms(t *testing.T) {
	s := serve(t)
	s.start(1)
	s.run(120)
	s.schedules = 3
	s.tasks["1"] = string(recordedFile(t, "tasks_mid_rw"))
	hangs, refuses := serve(t), serve(t)
	hangs.instead["/api/attempts"] = hang
	refuses.instead["/api/attempts"] = answer(401, "application/json", `{"message":"Unauthorized","status":401}`)
	secret := `, "user": "u", "password": "correct horse", "secret_headers": {"X-Key": "battery staple"}}`
	cases := []sdktest.Case{
		{Params: `{"endpoint": "` + s.URL + `", "details": ["1"]` + secret},
		{Params: `{"endpoint": "` + hangs.URL + `"` + secret},
		{Params: `{"endpoint": ["` + refuses.URL + `"]` + secret},
	}
	sdktest.Conform(t, observeComponent(), cases...)
	sdktest.Build(t, ".").Conform(t, "digdag.observe", cases[0])
}
