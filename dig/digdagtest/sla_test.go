package digdagtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMissedSLA(t *testing.T) {
	s, dir := onShared(t), t.TempDir()
	for _, c := range []struct {
		sla, status string
		tasks       []string
	}{
		{"{duration: '00:00:01', +told: {sh>: 'echo told'}}", "success", []string{
			"+w success", "+w+a success", "+w+b success", "+w^sla^alert success", "+w^sla success", "+w^sla+told success",
		}},
		{"{duration: '00:00:01', alert: false, fail: true}", "error", []string{
			"+w group_error", "+w+a success", "+w+b success", "+w^sla^fail error", "+w^sla success", "+w^failure-alert success",
		}},
		{"{duration: '00:00:01', _command: late, _type: echo}", "success", []string{
			"+w success", "+w+a success", "+w+b success", "+w^sla^alert success", "+w^sla success",
		}},
	} {
		command, release := waiting(dir)
		a := s.Start(s.Push(Files{"w.dig": fmt.Sprintf("sla: %s\n+a: {sh>: '%s'}\n+b: {echo>: after}\n", c.sla, command)}), "w")
		s.Until(a.ID, "+w^sla", "success") // while +a runs on
		if running := s.Until(a.ID, "+w+a", "running"); running.CancelRequested {
			t.Errorf("%s: %+v", c.sla, running)
		}
		release(t)
		r := s.Wait(a.ID)
		expect(t, r, c.status, c.tasks...)
		if c.status == "error" && r.Task("+w^sla^fail").Error.Message != "SLA violation" {
			t.Errorf("%+v", r.Task("+w^sla^fail"))
		}
		removeFile(t, filepath.Join(dir, "release"))
	}
}

func TestSLAThatIsKept(t *testing.T) {
	s := onShared(t)
	for _, sla := range []string{"{duration: '00:10:00'}", "{duration: '0:10'}"} {
		expect(t, s.Run("sla: "+sla+"\n+a: {echo>: a}\n"), "success", "+w success", "+w+a success")
	}
	// A time that is past is meant for tomorrow.
	past := time.Now().UTC().Add(-time.Hour).Format("15:04")
	expect(t, s.Run("sla: {time: '"+past+"'}\n+a: {wait>: 1s}\n"), "success", "+w success", "+w+a success")
	for _, sla := range []string{"{time: '10:00', duration: '00:10'}", "{duration: soon}", "{duration: '10'}"} {
		_, err := s.StartWorkflow(s.Context(), s.Push(Files{"w.dig": "sla: " + sla + "\n+a: {echo>: a}\n"}), "w", nil)
		if status(err) != 400 || !strings.Contains(err.Error(), "SLA ") {
			t.Errorf("%s: %v", sla, err)
		}
	}
}

// An sla: with a time counts from the scheduled time and in the workflow's zone.
func TestSLAOfATime(t *testing.T) {
	s, dir := onShared(t), t.TempDir()
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	command, release := waiting(dir)
	at := time.Now().In(tokyo).Add(2 * time.Second).Format("15:04:05")
	a := s.Start(s.Push(Files{"w.dig": fmt.Sprintf("timezone: Asia/Tokyo\nsla: {time: '%s'}\n+a: {sh>: '%s'}\n", at, command)}), "w")
	s.Until(a.ID, "+w^sla^alert", "success")
	release(t)
	s.Wait(a.ID)
}

func TestNotifications(t *testing.T) {
	got := make(chan string, 10)
	headers := make(chan http.Header, 10)
	failures := 1
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		if failures--; failures >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		got <- string(body)
		headers <- r.Header
	}))
	defer receiver.Close()
	s := onOwn(t, map[string]string{
		"notification.type": "http", "notification.http.url": receiver.URL, "notification.http.headers.X-Who": "me",
		"notification.min_retry_wait": "10", "executor.task_ttl": "2s", "executor.attempt_ttl": "1h", "executor.ttl_reaping_interval": "1s",
	})
	dir := t.TempDir()
	command, release := waiting(dir)
	project := s.Push(Files{
		"fail.dig":  "+a: {fail>: no}\n",
		"notes.dig": "timezone: Asia/Tokyo\n+a: {notify>: 'my message'}\n",
		"late.dig":  fmt.Sprintf("+a: {sh>: '%s'}\n", command),
	})
	next := func() (map[string]any, string) {
		select {
		case text := <-got:
			var n map[string]any
			if err := json.Unmarshal([]byte(text), &n); err != nil {
				t.Fatal(err)
			}
			return n, text
		case <-s.Context().Done():
			t.Fatal("no notification came")
		}
		return nil, ""
	}
	check := func(a Attempt, want map[string]any) {
		t.Helper()
		n, text := next()
		sameShape(t, "notification", n)
		for k, v := range want {
			if fmt.Sprint(n[k]) != fmt.Sprint(v) {
				t.Errorf("%s is %v, want %v", k, n[k], v)
			}
		}
		if fmt.Sprint(n["attempt_id"]) != a.ID || n["project_name"] != project || n["site_id"] != 0.0 {
			t.Errorf("%s", text)
		}
		if h := <-headers; h.Get("X-Who") != "me" || h.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", h)
		}
	}
	a := s.Start(project, "fail")
	check(a, map[string]any{"message": "Workflow session attempt failed", "task_name": "+fail^failure-alert", "workflow_name": "fail", "timezone": "UTC"})
	a = s.Start(project, "notes")
	check(a, map[string]any{
		"message": "my message", "task_name": "+notes+a", "timezone": "Asia/Tokyo", "session_uuid": a.SessionUUID,
		"session_time": a.SessionTime.In(time.FixedZone("", 9*3600)).Format(time.RFC3339),
	})
	a = s.Start(project, "late")
	check(a, map[string]any{
		"message": "Task execution timeout: " + s.Until(a.ID, "+late+a", "running").ID, "task_name": nil, "timezone": nil, "session_uuid": nil, "session_time": nil,
	})
	if late := must2(t)(s.Attempt(s.Context(), a.ID)); !late.CancelRequested || late.Done {
		t.Errorf("%+v", late)
	}
	release(t)
	expect(t, s.Wait(a.ID), "killed", "+late canceled", "+late+a canceled")
}
