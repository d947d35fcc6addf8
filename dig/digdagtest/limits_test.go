package digdagtest

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestLimits(t *testing.T) {
	s, dir := onOwn(t, map[string]string{
		"executor.attempt_max_run": "2", "api.max_attempts_page_size": "1", "api.max_sessions_page_size": "1",
		"server.authenticator.basic.username": "user", "server.authenticator.basic.password": "secret",
	}), t.TempDir()
	command, release := waiting(dir)
	project := s.Push(Files{"w.dig": "+a: {sh>: '" + command + "'}\n"})
	one, two := s.Start(project, "w"), s.Start(project, "w")
	if _, err := s.StartWorkflow(s.Context(), project, "w", nil); status(err) != 400 || !strings.Contains(err.Error(), `"Too many attempts running. Limit: 2, Current: 2"`) {
		t.Errorf("a third attempt: %v", err)
	}
	var page struct{ Attempts []Attempt }
	if err := s.Get(s.Context(), "/api/attempts", &page); err != nil || len(page.Attempts) != 2 || page.Attempts[0].ID != two.ID {
		t.Errorf("a page of no given size: %+v, %v", page, err)
	}
	if err := s.Get(s.Context(), "/api/attempts?page_size=2", &page); status(err) != 400 {
		t.Errorf("a page over the limit: %v", err)
	}
	release(t)
	s.Wait(one.ID)
	s.Wait(two.ID)

	for authorization, want := range map[string]struct {
		status int
		body   string
	}{
		"":                       {401, `{"message":"Missing Authorization header","status":401}`},
		"Basic dXNlcjp3cm9uZw==": {401, `{"message":"unauthorized","status":401}`},
		"Basic dXNlcjpzZWNyZXQ=": {200, `{"attempts":[`},
		"Bearer x":               {500, ``},
	} {
		r, err := http.NewRequestWithContext(s.Context(), "GET", s.URL+"/api/attempts", nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != want.status || !strings.Contains(string(body), want.body) {
			t.Errorf("%q: %d %s, want %+v", authorization, answer.StatusCode, body, want)
		}
	}
	if got, _ := call(t, s, "GET", "/api/version", "", nil); got != 200 {
		t.Errorf("the version needs a password: %d", got)
	}
}

func TestSchedules(t *testing.T) {
	s := onShared(t)
	files := Files{
		"daily.dig":  "timezone: Asia/Tokyo\nschedule: {daily>: '07:00:00'}\n+a: {echo>: '${last_session_time} ${session_time} ${next_session_date}'}\n",
		"hourly.dig": "schedule: {hourly>: '30:00'}\n+a: {echo>: a}\n",
		"plain.dig":  "+a: {echo>: a}\n",
	}
	project := s.Push(files)
	type schedule struct {
		ID                            string
		Workflow                      struct{ ID, Name string }
		NextRunTime, NextScheduleTime time.Time
		DisabledAt                    *time.Time
	}
	w, err := s.Workflow(s.Context(), project, "plain")
	if err != nil {
		t.Fatal(err)
	}
	list := func() map[string]schedule {
		var answer struct{ Schedules []schedule }
		if err := s.Get(s.Context(), "/api/projects/"+w.Project.ID+"/schedules", &answer); err != nil {
			t.Fatal(err)
		}
		byName := map[string]schedule{}
		for _, x := range answer.Schedules {
			byName[x.Workflow.Name] = x
		}
		return byName
	}
	got := list()
	tokyo, err := time.LoadLocation("Asia/Tokyo")
	if err != nil {
		t.Fatal(err)
	}
	for name, delay := range map[string]time.Duration{"daily": 7 * time.Hour, "hourly": 30 * time.Minute} {
		x := got[name]
		until := time.Until(x.NextRunTime)
		if x.NextRunTime.Sub(x.NextScheduleTime) != delay || until < -time.Second || until > 24*time.Hour {
			t.Errorf("%s: %+v", name, x)
		}
	}
	if at := got["daily"].NextScheduleTime.In(tokyo); len(got) != 2 || at.Hour() != 0 || at.Minute() != 0 || at.Second() != 0 {
		t.Errorf("%+v", got)
	}
	id := got["daily"].ID
	var off schedule
	if err := s.Send(s.Context(), http.MethodPost, "/api/schedules/"+id+"/disable", nil, &off); err != nil || off.DisabledAt == nil {
		t.Errorf("%+v, %v", off, err)
	}
	files["extra.txt"] = "x"
	delete(files, "hourly.dig")
	s.Push(files)
	if after := list(); len(after) != 1 || after["daily"].ID != id || after["daily"].DisabledAt == nil || after["daily"].Workflow.ID == got["daily"].Workflow.ID {
		t.Errorf("after a push without hourly: %+v", after)
	}
	at := time.Date(2026, 3, 4, 0, 0, 0, 0, tokyo)
	wd, err := s.Workflow(s.Context(), project, "daily")
	if err != nil {
		t.Fatal(err)
	}
	r := s.Wait(must2(t)(s.StartAttempt(s.Context(), StartRequest{WorkflowID: wd.ID, SessionTime: at})).ID)
	if got := strings.TrimSpace(r.Output("+daily+a")); got != "2026-03-03T00:00:00+09:00 2026-03-04T00:00:00+09:00 2026-03-05" {
		t.Errorf("printed %q", got)
	}
}
