package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
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
		if out.ID != "34" || out.State != observe.Failed || out.Try != 2 || out.Revision != "r7" || strings.Contains(string(o.Output), `"who"`) || out.Address != "demo/retry@34" || out.Started.IsZero() {
			t.Errorf("%s: %+v", address, out.statusRun)
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
				t.Errorf("%+v", out.statusRun)
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

// TestStatusForTemplates: what a .dig file names is there, whatever happened: also where
// the server keeps no logs, nothing failed, or the failed task's own _error runs still.
func TestStatusForTemplates(t *testing.T) {
	for tasks, want := range map[string]string{
		"tasks_retry": `["+retry+r"]`,
		"tasks_ok":    `[]`,
		"its _error":  `["+err+a"]`,
		"and its end": `["+err+a"]`,
	} {
		s := statusServer(t)
		raw := recordedFile(t, "tasks_mid_err")
		switch { // as a task that has _error: itself
		case strings.HasPrefix(tasks, "tasks_"):
			raw = recordedFile(t, tasks)
		default:
			var page struct {
				Tasks []map[string]any `json:"tasks"`
			}
			if err := json.Unmarshal(raw, &page); err != nil {
				t.Fatal(err)
			}
			page.Tasks[1]["state"] = "planned"
			if tasks == "and its end" {
				page.Tasks[1]["state"] = "error"
			}
			page.Tasks[4]["parentId"], page.Tasks[4]["fullName"] = page.Tasks[1]["id"], "+err+a^error"
			raw = []byte(toJSON(t, page))
			s.instead["/api/attempts/34"] = answer(200, "application/json", attemptOf(t, "34", isRunning))
		}
		s.instead["/api/attempts/34/tasks"] = answer(200, "application/json", string(raw))
		_, o := s.status(t, "demo/retry@34")
		var got struct {
			Failed  []struct{ Name, Error string }
			LogTail *string `json:"log_tail"`
		}
		if err := o.Decode(&got); err != nil || got.LogTail == nil || got.Failed == nil {
			t.Errorf("%s: %v %+v", tasks, err, got)
			continue
		}
		names := []string{}
		for _, f := range got.Failed {
			if names = append(names, f.Name); f.Error == "" {
				t.Errorf("%s: %s has no error", tasks, f.Name)
			}
		}
		if toJSON(t, names) != want {
			t.Errorf("%s: failed %q, want %s", tasks, names, want)
		}
	}
}

// TestStatusIsNotTooLong: under py> the output becomes parameters. What failed and what
// is open is there all the same, with its groups.
func TestStatusIsNotTooLong(t *testing.T) {
	tasks := []map[string]any{}
	add := func(id int, name, parent, state, why string) {
		one := map[string]any{
			"id": strconv.Itoa(id), "fullName": name, "parentId": nil, "config": map[string]any{"sh>": "x"}, "upstreams": []string{}, "isGroup": false, "state": state,
			"startedAt": "2026-11-21T23:12:54Z", "updatedAt": "2026-11-21T23:12:55Z", "exportParams": map[string]any{}, "storeParams": map[string]any{}, "stateParams": map[string]any{}, "error": map[string]any{},
		}
		if parent != "" {
			one["parentId"] = parent
		}
		if why != "" {
			one["error"] = map[string]any{"message": why}
		}
		tasks = append(tasks, one)
	}
	add(1, "+w", "", "planned", "")
	add(2, "+w+done", "1", "success", "")
	for i := range 3000 {
		add(10+i, "+w+done+"+strconv.Itoa(i), "2", "success", "")
	}
	add(5000, "+w+g", "1", "group_error", "")
	for i := range 40 {
		add(5001+i, "+w+g+bad"+strconv.Itoa(i), "5000", "error", strings.Repeat("<", 900))
	}
	add(6000, "+w+open", "1", "running", "")
	attempts := []string{}
	for i := range 300 {
		attempts = append(attempts, attemptOf(t, strconv.Itoa(100+i), isRunning))
	}
	s := statusServer(t)
	s.instead["/api/attempts/34/tasks"] = answer(200, "application/json", toJSON(t, map[string]any{"tasks": tasks}))
	s.instead["/api/attempts/34/retries"] = answer(200, "application/json", `{"attempts":[`+strings.Join(attempts, ",")+`]}`)
	s.instead["/api/logs/34/files"] = answer(200, "application/json", `{"files":[`+handle("+w+g+bad0", "1a", 9)+`]}`)
	s.instead["/api/logs/34/files/+w+g+bad0@1a.8626@host1.log.gz"] = answer(200, "application/gzip", packed(t, strings.Repeat(strings.Repeat("\x01", 500)+"\n", 30), true))
	out, o := s.status(t, "demo/retry@34")
	if o.Err() != nil || len(o.Output) > mostStatus {
		t.Fatalf("%d bytes, %v", len(o.Output), o.Err())
	}
	said := strings.Join(out.Blind, "\n")
	for _, want := range []string{"task(s) of the attempt are left out", "older attempt(s) of the session are left out", "failed task(s) are left out"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said: %s", want, said)
		}
	}
	has := map[string]bool{"": true}
	for _, x := range out.Tasks {
		if !has[x.Parent] {
			t.Fatalf("%s stands there without %s", x.Name, x.Parent)
		}
		has[x.Name] = true
	}
	if len(out.Failed) == 0 || !has["+w+g+bad0"] || !has["+w+open"] || out.LogTail == "" || len(out.Attempts) == 0 || out.Attempts[len(out.Attempts)-1].ID != "399" {
		t.Errorf("%d failed, %d tasks, %d attempts, %d of log", len(out.Failed), len(out.Tasks), len(out.Attempts), len(out.LogTail))
	}
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
