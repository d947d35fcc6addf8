package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// renamed serves the workflows of a project, in which a push gave retry another name;
// before it has answered so often it has not.
func renamed(before int) reply {
	return reply{handle: func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		name := r.URL.Query().Get("name")
		if before--; before < 0 && name == "retry" {
			_, _ = io.WriteString(w, `{"workflows":[]}`)
			return
		} else if before < 0 {
			name = "retry2"
		}
		_, _ = io.WriteString(w, workflowList(name, "49"))
	}}
}

// TestWaitForWhatIsRenamed: an attempt outlives its workflow's name, and is followed
// through a retry too; one that is not there yet will not come any more.
func TestWaitForWhatIsRenamed(t *testing.T) {
	nameless := func(text string) string {
		out := strings.Replace(text, `{"id":"49","name":"retry"}`, `{"id":null,"name":"retry"}`, 1)
		if out == text {
			t.Fatal(text)
		}
		return out
	}
	s := retrySession(t, sessionJSON(t, "32", nil), nameless(sessionJSON(t, "32", nil)), nameless(sessionJSON(t, "32", isFailed)), nameless(sessionJSON(t, "34", isDone)))
	p := waitParamsOf(serveScript(t, s))
	p.Grace = time.Hour
	if out, o := sdktest.Run(t, wait, p); o.Err() != nil || out.Run.ID != "34" || out.Run.Workflow != "retry" {
		t.Errorf("%+v, %v", out, o.Err())
	}

	for name, c := range map[string]struct{ address, since string }{
		"a session": {"demo/retry@2026-11-21T10:00:00+09:00", ""},
		"a success": {"demo/retry", "2026-11-22T03:00:00"},
	} {
		s := script{
			"GET /api/projects":                            {{body: demo}},
			"GET /api/projects/1/workflows":                {renamed(2)},
			"GET /api/projects/1/sessions":                 {{body: noSessions}},
			"GET /api/workflows/49/truncated_session_time": {{body: with(t, "workflow_truncated", nil)}},
			"GET /api/attempts":                            {{body: `{"attempts":[]}`}},
		}
		p := waitParamsOf(serveScript(t, s))
		p.Address, p.Since = c.address, c.since
		if _, o := sdktest.Run(t, wait, p); o.State != sdktest.Permanent || o.Code != "not_found" || !strings.Contains(o.Error, "near: retry2") {
			t.Errorf("%s: %s %q %s", name, o.State, o.Code, o.Error)
		}
	}
}

// TestWaitForARenamedProject: pushed under another name, and the old one deleted.
func TestWaitForARenamedProject(t *testing.T) {
	s := script{
		"GET /api/projects": {{body: demo}, {handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Query().Get("name") != "" {
				_, _ = io.WriteString(w, `{"projects":[]}`)
				return
			}
			_, _ = io.WriteString(w, strings.Replace(demo, `"demo"`, `"demo2"`, 1))
		}}},
		"GET /api/projects/1/workflows": {{body: workflowList("retry", "49")}},
		"GET /api/projects/1/sessions":  {{body: noSessions}},
	}
	p := waitParamsOf(serveScript(t, s))
	p.Address = "demo/retry@2026-11-21T10:00:00+09:00"
	if _, o := sdktest.Run(t, wait, p); o.State != sdktest.Permanent || o.Code != "not_found" || !strings.Contains(o.Error, "near: demo2") {
		t.Errorf("%s %q %s", o.State, o.Code, o.Error)
	}
}

// TestStatusOfWhatIsRenamed: by the old name there is what ran under it, and else what
// the name may be now.
func TestStatusOfWhatIsRenamed(t *testing.T) {
	js := func(body string) http.HandlerFunc { return answer(200, "application/json", body) }
	s := statusServer(t)
	s.instead["/api/attempts/34"] = js(attemptOf(t, "34", map[string]any{"workflow": map[string]any{"id": nil, "name": "retry"}}))
	if out, o := s.status(t, "demo/retry"); o.Err() != nil || out.ID != "34" || out.Revision != "" || out.Address != "demo/retry@34" || len(out.Blind) != 0 {
		t.Errorf("%+v, %v", out, o.Err())
	}

	s = statusServer(t)
	s.instead["/api/projects/1/sessions"] = js(noSessions)
	s.instead["/api/projects/1/workflows"] = renamed(0).handle
	if _, o := s.status(t, "demo/retry"); o.Code != "not_found" || !strings.Contains(o.Error, "near: retry2") {
		t.Errorf("%q %s", o.Code, o.Error)
	}

	s = statusServer(t)
	s.instead["/api/attempts/34"] = js(attemptOf(t, "34", map[string]any{"project": map[string]any{"id": "1", "name": "demo2"}}))
	if _, o := s.status(t, "demo/retry@34"); o.Code != "not_found" || !strings.Contains(o.Error, "attempt 34 is of demo2/retry, not of demo/retry") {
		t.Errorf("%q %s", o.Code, o.Error)
	}
}
