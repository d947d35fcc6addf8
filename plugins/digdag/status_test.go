package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// statusServer answers with what was recorded of attempts of one session, demo/retry.
func statusServer(t *testing.T) *server {
	t.Helper()
	s := serve(t)
	give := func(path string, body []byte) { s.instead[path] = answer(200, "application/json", string(body)) }
	give("/api/projects", recordedFile(t, "projects_by_name"))
	give("/api/projects/1/sessions", sessionOf(t, "34"))
	give("/api/attempts/34", recordedFile(t, "attempt_retried"))
	give("/api/attempts/34/tasks", recordedFile(t, "tasks_retry"))
	give("/api/attempts/34/retries", recordedFile(t, "attempt_retries"))
	give("/api/workflows/49", []byte(`{"id":"49","name":"retry","project":{"id":"1","name":"demo"},"revision":"r7","timezone":"UTC","config":{}}`))
	give("/api/logs/34/files", []byte(`{"files":[]}`))
	return s
}

// sessionOf is a page with the session that attempt is the last of.
func sessionOf(t *testing.T, attempt string) []byte {
	t.Helper()
	var page struct {
		Sessions []map[string]any `json:"sessions"`
	}
	if err := json.Unmarshal(recordedFile(t, "sessions"), &page); err != nil {
		t.Fatal(err)
	}
	page.Sessions = page.Sessions[:1]
	page.Sessions[0]["lastAttempt"].(map[string]any)["id"] = attempt
	raw, err := json.Marshal(page)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (s *server) status(t *testing.T, address string) (out statusOutput, o sdktest.Outcome) {
	t.Helper()
	raw, err := json.Marshal(fields{"endpoint": s.URL, "address": address})
	if err != nil {
		t.Fatal(err)
	}
	if o = sdktest.RunJSON(t, statusComponent(), string(raw)); o.State == sdktest.Success {
		if err := o.Decode(&out); err != nil {
			t.Fatal(err)
		}
	}
	return out, o
}

// TestStatus: the latest session's last attempt, with its tasks and what else is of
// the session, as fields of one run.
func TestStatus(t *testing.T) {
	for _, address := range []string{"demo/retry", "digdag:demo/retry@latest", "demo/retry@34", "demo/retry@34+r"} {
		s := statusServer(t)
		out, o := s.status(t, address)
		if o.Err() != nil {
			t.Errorf("%s: %v", address, o.Err())
			continue
		}
		if out.ID != "34" || out.State != observe.Failed || out.Try != 2 || out.Revision != "r7" || string(out.Params) != `{"who":"me"}` || out.Address != "demo/retry@34" || out.Started.IsZero() {
			t.Errorf("%s: %+v", address, out.Run)
		}
		if len(out.Tasks) != 3 || out.Tasks[1].Tries != 3 || out.Tasks[1].Error == "" || out.Tasks[1].Parent != "+retry" {
			t.Errorf("%s: %+v", address, out.Tasks)
		}
		var others []string
		for _, a := range out.Attempts {
			others = append(others, a.ID)
		}
		if !slices.Equal(others, []string{"32", "35"}) || len(out.Blind) != 0 {
			t.Errorf("%s: others %v, blind %q", address, others, out.Blind)
		}
		var run observe.Run // the host renders it from that shape
		if err := o.Decode(&run); err != nil || run.ID != "34" || len(run.Tasks) != 3 {
			t.Errorf("as a run: %+v, %v", run, err)
		}
	}
}

func TestStatusFaults(t *testing.T) {
	const js = "application/json"
	refused := answer(401, js, `{"message":"Unauthorized","status":401}`)
	for _, c := range []struct {
		name, address, path string
		serve               http.HandlerFunc
		state               sdktest.State
		code, contains      string
	}{
		{"no address", "demo", "", nil, sdktest.Permanent, "bad_params", "there is no / between project and workflow"},
		{"no project", "demo/retry", "/api/projects", answer(200, js, `{"projects":[]}`), sdktest.Permanent, "not_found", "find demo/retry: "},
		{"a project like it", "dem/retry", "/api/projects", nearProjects, sdktest.Permanent, "not_found", "demo"},
		{"another workflow's attempt", "demo/other@34", "", nil, sdktest.Permanent, "not_found", "attempt 34 is of demo/retry, not of demo/other"},
		{"no such attempt", "demo/retry@99", "/api/sessions/99", answer(404, js, `{"message":"none","status":404}`), sdktest.Permanent, "not_found", "no attempt and no session of demo/retry has the id 99"},
		{"401", "demo/retry", "/api/projects", refused, sdktest.Permanent, "unauthorized", "find demo/retry: "},
		{"403", "demo/retry@34", "/api/attempts/34", answer(403, js, `{"message":"No","status":403}`), sdktest.Permanent, "forbidden", "find demo/retry@34: "},
		{"500", "demo/retry@34", "/api/attempts/34", answer(500, "text/html", "<html>"), sdktest.Failed, "server_error", "find demo/retry@34: "},
		{"cut", "demo/retry@34", "/api/attempts/34", cut, sdktest.Failed, "unreachable", "find demo/retry@34: "},
		{"401 of the tasks", "demo/retry@34", "/api/attempts/34/tasks", refused, sdktest.Permanent, "unauthorized", "look at tasks of attempt 34"},
		{"404 of the tasks", "demo/retry@34", "/api/attempts/34/tasks", answer(404, "", ""), sdktest.Success, "", "tasks of attempt 34: "},
		{"500 of the others", "demo/retry@34", "/api/attempts/34/retries", answer(500, "text/html", "<html>"), sdktest.Success, "", "the session's other attempts: "},
		{"no definition", "demo/retry@34", "/api/workflows/49", answer(404, js, `{"message":"deleted","status":404}`), sdktest.Success, "", ""},
		{"large parameters", "demo/retry@34", "/api/attempts/34", largeParams, sdktest.Success, "", "the attempt's parameters: they are 300 KiB long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := statusServer(t)
			if c.path != "" {
				s.instead[c.path] = c.serve
			}
			out, o := s.status(t, c.address)
			said := o.Error + strings.Join(out.Blind, "\n")
			if o.State != c.state || o.Code != c.code || !strings.Contains(said, c.contains) || (c.contains == "" && said != "") {
				t.Errorf("%s, code %q: %s\nwant %s, %q, %q", o.State, o.Code, said, c.state, c.code, c.contains)
			}
			if o.State == sdktest.Success && out.ID != "34" {
				t.Errorf("%+v", out.Run)
			}
		})
	}
}

func nearProjects(w http.ResponseWriter, r *http.Request) {
	body := `{"projects":[{"id":"1","name":"demo","revision":"r"}]}`
	if r.URL.Query().Get("name") != "" {
		body = `{"projects":[]}`
	}
	answer(200, "application/json", body)(w, r)
}

func largeParams(w http.ResponseWriter, r *http.Request) {
	body := `{"id":"34","index":1,"project":{"id":"1","name":"demo"},"workflow":{"id":"49","name":"retry"},"sessionId":"31","sessionTime":"2026-11-21T00:00:00Z","done":true,"params":{"x":"` +
		strings.Repeat("x", 300<<10-8) + `"}}`
	answer(200, "application/json", body)(w, r)
}

func TestStatusConforms(t *testing.T) {
	s := statusServer(t)
	secret := `, "user": "u", "password": "correct horse"}`
	sdktest.Conform(
		t, statusComponent(),
		sdktest.Case{Params: `{"endpoint": "` + s.URL + `", "address": "demo/retry"` + secret},
		sdktest.Case{Params: `{"endpoint": "` + s.URL + `", "address": "demo/retry@99"` + secret},
	)
	sdktest.Build(t, ".").Conform(t, "digdag.status", sdktest.Case{Params: `{"endpoint": "` + s.URL + `", "address": "demo/retry"` + secret})
}
