package digdagtest

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestShapesOfAnswers compares answers with recorded ones of a real server.
func TestShapesOfAnswers(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{"ok.dig": "+a: {echo>: a}\n+b: {sh>: 'echo b'}\n", "daily.dig": "timezone: Asia/Tokyo\nschedule: {daily>: '07:00:00'}\n+a: {echo>: a}\n"})
	r := s.Wait(s.Start(project, "ok").ID)
	var schedules struct{ Schedules []struct{ ID string } }
	if err := s.Get(s.Context(), "/api/projects/"+r.Project.ID+"/schedules", &schedules); err != nil || len(schedules.Schedules) != 1 {
		t.Fatalf("schedules: %+v, %v", schedules, err)
	}
	for file, path := range map[string]string{
		"version": "/api/version", "version_check": "/api/version/check?client=0.10.5", "project": "/api/projects/" + r.Project.ID,
		"project_revisions": "/api/projects/" + r.Project.ID + "/revisions", "workflow": "/api/workflows/" + r.Workflow.ID,
		"attempt_ok_end": "/api/attempts/" + r.ID, "attempts": "/api/attempts?project=" + project, "tasks_ok": "/api/attempts/" + r.ID + "/tasks",
		"sessions": "/api/sessions", "session": "/api/sessions/" + r.SessionID, "session_attempts": "/api/sessions/" + r.SessionID + "/attempts",
		"schedules": "/api/schedules", "schedule": "/api/schedules/" + schedules.Schedules[0].ID, "logs_ok": "/api/logs/" + r.ID + "/files",
	} {
		t.Run(file, func(t *testing.T) {
			var got any
			if err := s.Get(s.Context(), path, &got); err != nil {
				t.Fatal(err)
			}
			sameShape(t, file, got)
		})
	}
}

// call sends a request as it stands and gives status and body.
func call(t *testing.T, s *Tester, method, path, contentType string, body io.Reader) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func TestErrorAnswers(t *testing.T) {
	s := onShared(t)
	const empty = "(empty)"
	for _, c := range []struct {
		request, body string
		status        int
		want          string
	}{
		{"GET /api/attempts/999999", "", 404, `{"message":"Resource does not exist: session attempt id=999999","status":404}`},
		{"GET /api/attempts/999999/tasks", "", 404, `Resource does not exist`},
		{"GET /api/sessions/999999", "", 404, `{"message":"Resource does not exist: session id=999999","status":404}`},
		{"GET /api/projects/999999", "", 404, `{"message":"Resource does not exist: project id=999999","status":404}`},
		{"GET /api/schedules/999999", "", 404, `{"message":"Resource does not exist: schedule id=999999","status":404}`},
		{"GET /api/logs/999999/files", "", 404, `{"message":"Resource does not exist: session attempt id=999999","status":404}`},
		{"GET /api/attempts?project=nosuch", "", 404, `{"message":"Resource does not exist: project name=nosuch","status":404}`},
		{"GET /api/attempts/abc", "", 404, empty},
		{"GET /api/attempts?last_id=abc", "", 404, empty},
		{"GET /api/nosuch", "", 404, empty},
		{"GET /", "", 404, empty},
		{"DELETE /api/attempts", "", 405, empty},
		{"GET /api/attempts?page_size=0", "", 200, `{"attempts":[]}`},
		{"GET /api/attempts?page_size=1000", "", 400, `is Optional.of(1000), but it is larger than MAX_PAGE_SIZE: 100.`},
		{"GET /api/sessions?page_size=1000", "", 400, `larger than MAX_PAGE_SIZE: 100`},
		{"PUT /api/attempts", `{b`, 400, `"status":400`},
		{"PUT /api/attempts", `{"workflowId":"1"}`, 400, `some of required attributes are not set [sessionTime, params]`},
		{"PUT /api/attempts", `{"workflowId":"99999","sessionTime":"2026-01-01T00:00:00Z","params":{}}`, 404, `{"message":"Resource does not exist: workflow id=99999","status":404}`},
		{"POST /api/attempts/999999/kill", `{}`, 404, `Resource does not exist: session attempt id=999999`},
	} {
		method, path, _ := strings.Cut(c.request, " ")
		contentType := ""
		if c.body != "" {
			contentType = "application/json"
		}
		status, body := call(t, s, method, path, contentType, strings.NewReader(c.body))
		if status != c.status || (c.want == empty) != (body == "") || (c.want != empty && !strings.Contains(body, c.want)) {
			t.Errorf("%s %s\n got %d %s\nwant %d %s", c.request, c.body, status, body, c.status, c.want)
		}
	}
}

func TestPushesThatAreRefused(t *testing.T) {
	s := onShared(t)
	packAs := func(file, text string) []byte {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		data, err := Archive(dir)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	pack := func(text string) []byte { return packAs("w.dig", text) }
	good, project := pack("+a: {echo>: a}\n"), "pushes-"+rand.Text()
	const gz = "application/gzip"
	if status, body := call(t, s, "PUT", "/api/projects?project="+project+"&revision=r1", gz, bytes.NewReader(good)); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	for _, c := range []struct {
		name, query, contentType string
		body                     io.Reader
		status                   int
		want                     string
	}{
		{"the same revision again", "project=" + project + "&revision=r1", gz, bytes.NewReader(good), 409, `"Resource already exists: revision=r1 in project id=`},
		{"no archive", "project=" + project + "&revision=r2", gz, strings.NewReader("no"), 400, `Input is not in the .gz format`},
		{"no project", "revision=r2", gz, bytes.NewReader(good), 500, `<html>`},
		{"no revision", "project=" + project, gz, bytes.NewReader(good), 400, `revision= is required`},
		{"another type", "project=" + project + "&revision=r2", "text/plain", bytes.NewReader(good), 400, `Cannot consume content type`},
		{"in chunks", "project=" + project + "&revision=r2", gz, io.MultiReader(bytes.NewReader(good)), 400, ``},
		{"no YAML", "project=" + project + "&revision=r2", gz, bytes.NewReader(pack("+a: {\n")), 400, `Validating project failed\nworkflow `},
		{"unknown key", "project=" + project + "&revision=r2", gz, bytes.NewReader(pack("nosuch: 1\n+a: {echo>: a}\n")), 400, `Workflow 'w' includes unknown keys: [nosuch]`},
		{"unknown key in a group", "project=" + project + "&revision=r2", gz, bytes.NewReader(pack("+g: {nosuch: 1, +a: {echo>: a}}\n")), 400, `contains invalid keys: 'nosuch'`},
		{"two operators", "project=" + project + "&revision=r2", gz, bytes.NewReader(pack("+a: {echo>: a, fail>: b}\n")), 400, `A task can't have more than one operator`},
		{"operator and tasks", "project=" + project + "&revision=r2", gz, bytes.NewReader(pack("+a: {echo>: a, +b: {echo>: b}}\n")), 400, `A task can't have subtasks`},
		{"_after without _parallel", "project=" + project + "&revision=r2", gz, bytes.NewReader(pack("+a: {echo>: a}\n+b: {echo>: b, _after: [+a]}\n")), 400, `option is invalid if its parent task doesn't have`},
		{"_after of nobody", "project=" + project + "&revision=r2", gz, bytes.NewReader(pack("_parallel: true\n+b: {echo>: b, _after: [+a]}\n")), 400, `Dependency task '+a' does not exist`},
		{"bad name", "project=" + project + "&revision=r2", gz, bytes.NewReader(pack("+a b: {echo>: a}\n")), 400, `must not contain character ' '`},
		{"bad workflow name", "project=" + project + "&revision=r2", gz, bytes.NewReader(packAs("a b.dig", "+a: {echo>: a}\n")), 400, `name must not contain character ' ': \"+a b\"`},
		{"a symbol at its start", "project=" + project + "&revision=r2", gz, bytes.NewReader(packAs("@ab.dig", "+a: {echo>: a}\n")), 400, `name must not include special symbols (+ ^ @ / \\ / : * ? \" < > |): \"@ab\"`},
		{"duplicate key", "project=" + project + "&revision=r2", gz, bytes.NewReader(pack("+a: {echo>: a}\n+a: {echo>: b}\n")), 400, `+a`},
	} {
		status, body := call(t, s, "PUT", "/api/projects?"+c.query, c.contentType, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: got %d %s\nwant %d %s", c.name, status, body, c.status, c.want)
		}
	}
	w, err := s.Workflow(s.Context(), project, "w")
	if err != nil || w.Revision != "r1" {
		t.Errorf("a refused push left a revision: %+v, %v", w, err)
	}
}

func TestSessionsAttemptsAndRetries(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{"w.dig": "+a: {echo>: a}\n+b: {fail>: b}\n+c: {echo>: c}\n"})
	w, err := s.Workflow(s.Context(), project, "w")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 2, 3, 4, 5, 6, 789e6, time.UTC)
	request := StartRequest{WorkflowID: w.ID, SessionTime: at}
	first := s.Wait(must2(t)(s.StartAttempt(s.Context(), request)).ID)
	if first.Status != "error" || !first.SessionTime.Equal(at.Truncate(time.Second)) {
		t.Errorf("%+v", first.Attempt)
	}
	request.SessionTime = at.Add(100 * time.Millisecond) // sessions have whole seconds
	if _, err := s.StartAttempt(s.Context(), request); status(err) != 409 || !strings.Contains(err.Error(), `"id":"`+first.ID+`"`) || strings.Contains(err.Error(), "message") {
		t.Errorf("the same session again: %v", err)
	}
	request.RetryAttemptName, request.Params = "again", map[string]any{"who": "me"}
	second := s.Wait(must2(t)(s.StartAttempt(s.Context(), request)).ID)
	if second.SessionID != first.SessionID || second.SessionUUID != first.SessionUUID || second.Index != 2 || *second.RetryAttemptName != "again" {
		t.Errorf("%+v", second.Attempt)
	}
	request.RetryAttemptName, request.Resume = "failed only", &Resume{Mode: "failed", AttemptID: second.ID}
	third := s.Wait(must2(t)(s.StartAttempt(s.Context(), request)).ID)
	expect(t, third, "error", "+w group_error", "+w+a success", "+w+b error", "+w+c blocked", "+w^failure-alert success")
	if third.Task("+w+a").StartedAt != nil || third.Output("+w+a") != "" {
		t.Error("a finished task ran again")
	}
	request.RetryAttemptName, request.Resume = "from b", &Resume{Mode: "from", AttemptID: first.ID, From: "+b"}
	fourth := s.Wait(must2(t)(s.StartAttempt(s.Context(), request)).ID)
	if fourth.Task("+w+a").StartedAt != nil || fourth.Task("+w+b").State != "error" {
		t.Errorf("%v", fourth.States())
	}

	list := func(path string) []string {
		var answer struct{ Attempts, Sessions []Attempt }
		if err := s.Get(s.Context(), path, &answer); err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, a := range append(answer.Attempts, answer.Sessions...) {
			ids = append(ids, a.ID)
		}
		return ids
	}
	all := []string{fourth.ID, third.ID, second.ID, first.ID}
	ascending := slices.Clone(all)
	slices.Reverse(ascending)
	for path, want := range map[string][]string{
		"/api/attempts?project=" + project:                                                           {fourth.ID},
		"/api/attempts?include_retried=true&project=" + project:                                      all,
		"/api/attempts?include_retried=1&project=" + project:                                         {fourth.ID},
		"/api/attempts?include_retried=true&workflow=none&project=" + project:                        nil,
		"/api/attempts?include_retried=true&page_size=2&project=" + project:                          all[:2],
		"/api/attempts?include_retried=true&page_size=2&project=" + project + "&last_id=" + third.ID: all[2:],
		"/api/sessions/" + first.SessionID + "/attempts":                                             all,
		"/api/sessions/" + first.SessionID + "/attempts?last_id=" + third.ID:                         all[2:],
		"/api/attempts/" + second.ID + "/retries":                                                    ascending,
		"/api/projects/" + first.Project.ID + "/sessions":                                            {first.SessionID},
		"/api/projects/" + first.Project.ID + "/sessions?workflow=none":                              nil,
	} {
		if got := list(path); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}

func TestDeletedProject(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{"w.dig": "+a: {echo>: a}\n"})
	r := s.Wait(s.Start(project, "w").ID)
	var answer Project
	if err := s.Send(s.Context(), http.MethodDelete, "/api/projects/"+r.Project.ID, nil, &answer); err != nil || answer.DeletedAt != nil {
		t.Errorf("%+v, %v", answer, err)
	}
	for path, want := range map[string]int{
		"/api/projects/" + r.Project.ID: 404, "/api/projects/" + r.Project.ID + "/workflows": 404, "/api/projects/" + r.Project.ID + "/sessions": 404,
		"/api/attempts?project=" + project: 404, "/api/attempts/" + r.ID: 200, "/api/attempts/" + r.ID + "/tasks": 200,
	} {
		if got, body := call(t, s, "GET", path, "", nil); got != want {
			t.Errorf("%s: %d %s, want %d", path, got, body, want)
		}
	}
	if _, body := call(t, s, "GET", "/api/projects/"+r.Project.ID, "", nil); !strings.Contains(body, "is already deleted at ") {
		t.Errorf("%s", body)
	}
	if again := s.Start(s.Push(Files{"w.dig": "+a: {echo>: a}\n"}), "w"); again.Project.ID == r.Project.ID || again.Project.Name != project {
		t.Errorf("a project of the same name is %+v", again.Project)
	}
}
