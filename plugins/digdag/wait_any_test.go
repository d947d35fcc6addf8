package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

func TestJudgeSince(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2026, 11, 22, h, 0, 0, 0, time.UTC) }
	open := func(id client.ID) client.Attempt { return client.Attempt{ID: id, CreatedAt: at(1)} }
	ended := func(id client.ID, h int, success bool) client.Attempt {
		return client.Attempt{ID: id, CreatedAt: at(1), FinishedAt: at(h), Flags: client.Flags{Done: true, Success: success}}
	}
	for name, c := range map[string]struct {
		list []client.Attempt
		want verdict
		id   client.ID
	}{
		"none":                     {nil, pending, ""},
		"one before":               {[]client.Attempt{ended("7", 2, true)}, pending, ""},
		"one at that time":         {[]client.Attempt{ended("7", 3, true)}, succeeded, "7"},
		"an open one":              {[]client.Attempt{open("8"), ended("7", 2, true)}, pending, "8"},
		"a failed one":             {[]client.Attempt{ended("8", 4, false)}, failed, "8"},
		"failed, and begun again":  {[]client.Attempt{ended("9", 4, false), open("10")}, pending, "10"},
		"failed beside a slow one": {[]client.Attempt{ended("10", 4, false), open("9")}, pending, "9"},
		"a success before it":      {[]client.Attempt{ended("10", 5, false), ended("9", 4, true)}, succeeded, "9"},
	} {
		if v, a := judgeSince(candidates(c.list, at(3))); v != c.want || a.ID != c.id {
			t.Errorf("%s: %v %s, want %v %s", name, v, a.ID, c.want, c.id)
		}
	}
}

func TestWaitForASuccessSince(t *testing.T) {
	early := attemptOf(t, "32", map[string]any{"done": true, "success": true, "finishedAt": "2026-11-21T17:59:59Z"})
	late := attemptOf(t, "34", map[string]any{"done": true, "success": true, "finishedAt": "2026-11-21T18:00:00Z"})
	s := script{
		"GET /api/projects":                            {{body: demo}},
		"GET /api/projects/1/workflows":                {{body: workflowList("retry", "49")}},
		"GET /api/workflows/49/truncated_session_time": {{body: with(t, "workflow_truncated", map[string]any{"sessionTime": "2026-11-22T03:00:00+09:00"})}},
		"GET /api/attempts":                            {{body: `{"attempts":[` + early + `]}`}, {body: `{"attempts":[` + late + `,` + early + `]}`}},
	}
	p := waitParamsOf(serveScript(t, s))
	p.Address, p.Since = "demo/retry", "2026-11-22T03:00:00"
	out, o := sdktest.Run(t, wait, p)
	if o.Err() != nil || out.Run.ID != "34" {
		t.Errorf("%+v, %v", out, o.Err())
	}
	s["GET /api/attempts"] = []reply{{body: `{"attempts":[]}`}, {status: 404, body: `{"message":"Resource does not exist: project name=demo","status":404}`}}
	p.source = serveScript(t, s).on()
	if _, o := sdktest.Run(t, wait, p); o.Code != "project_deleted" {
		t.Errorf("%q %s", o.Code, o.Error)
	}
}

// pagesOf serves attempts, the newest first, a hundred at once.
func pagesOf(list []string, ids []int) reply {
	return reply{handle: func(w http.ResponseWriter, r *http.Request) {
		first := 0
		if last := r.URL.Query().Get("last_id"); last != "" {
			for first < len(ids) && fmt.Sprint(ids[first]) != last {
				first++
			}
			first++
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"attempts":[`+strings.Join(list[min(first, len(list)):min(first+100, len(list))], ",")+`]}`)
	}}
}

// TestWaitSinceBehindManyOpen: a success is seen behind the 300 open attempts that a
// backfill made after it, of the whole and of a task.
func TestWaitSinceBehindManyOpen(t *testing.T) {
	for _, c := range []struct {
		task     string
		requests int
	}{{"", 4}, {"+a", 4}} {
		s := script{
			"GET /api/projects":                            {{body: demo}},
			"GET /api/projects/1/workflows":                {{body: workflowList("ok", "49")}},
			"GET /api/projects/1/sessions":                 {{body: noSessions}},
			"GET /api/workflows/49/truncated_session_time": {{body: with(t, "workflow_truncated", map[string]any{"sessionTime": "2026-11-22T03:00:00+09:00"})}},
			"GET /api/attempts/34/tasks":                   {{body: sample(t, "tasks_ok")}},
		}
		ok := map[string]any{"workflow": map[string]any{"name": "ok", "id": "49"}}
		var list []string
		var ids []int
		for id := 700; id > 400; id-- {
			open := map[string]any{"createdAt": "2026-11-21T19:00:00Z"}
			maps.Copy(open, ok)
			maps.Copy(open, isRunning)
			list, ids = append(list, attemptOf(t, fmt.Sprint(id), open)), append(ids, id)
			s[fmt.Sprintf("GET /api/attempts/%d/tasks", id)] = []reply{{body: `{"tasks":[]}`}}
		}
		maps.Copy(ok, map[string]any{"done": true, "success": true, "createdAt": "2026-11-21T18:30:00Z", "finishedAt": "2026-11-21T18:40:00Z"})
		list, ids = append(list, attemptOf(t, "34", ok)), append(ids, 34)
		s["GET /api/attempts"] = []reply{pagesOf(list, ids)}
		d := serveScript(t, s)
		p := waitParamsOf(d)
		p.Address, p.Since = "demo/ok"+c.task, "2026-11-22T03:00:00"
		if c.task != "" {
			p.Since = "2026-11-01T03:00:00" // the recorded tasks are older
			s["GET /api/workflows/49/truncated_session_time"][0].body = with(t, "workflow_truncated", map[string]any{"sessionTime": "2026-11-01T03:00:00+09:00"})
		}
		out, o := sdktest.Run(t, wait, p)
		if o.Err() != nil || out.Run.ID != "34" || len(d.requests("GET /api/attempts")) != c.requests || c.task != "" && out.Task.Name != "+ok+a" {
			t.Errorf("%q: %+v, %d pages, %v", c.task, out, len(d.requests("GET /api/attempts")), o.Err())
		}
	}
}

// TestWaitSinceBesideASlowOne: the newest failed, and the one before it succeeds yet.
func TestWaitSinceBesideASlowOne(t *testing.T) {
	of := func(id string, state map[string]any) string {
		change := map[string]any{"createdAt": "2026-11-21T18:30:00Z", "workflow": map[string]any{"name": "ok", "id": "49"}}
		maps.Copy(change, state)
		return attemptOf(t, id, change)
	}
	for _, task := range []string{"", "+b"} {
		running := strings.Replace(sample(t, "tasks_ok"), `"success"`, `"running"`, -1)
		s := script{
			"GET /api/projects":                            {{body: demo}},
			"GET /api/projects/1/workflows":                {{body: workflowList("ok", "49")}},
			"GET /api/projects/1/sessions":                 {{body: noSessions}},
			"GET /api/workflows/49/truncated_session_time": {{body: with(t, "workflow_truncated", map[string]any{"sessionTime": "2026-11-01T03:00:00+09:00"})}},
			"GET /api/attempts": {
				{body: `{"attempts":[` + of("36", isFailed) + `,` + of("34", isRunning) + `]}`},
				{body: `{"attempts":[` + of("36", isFailed) + `,` + of("34", isDone) + `]}`},
			},
			"GET /api/attempts/36/tasks": {{body: strings.Replace(sample(t, "tasks_ok"), `"success"`, `"error"`, -1)}},
			"GET /api/attempts/34/tasks": {{body: running}, {body: sample(t, "tasks_ok")}},
		}
		p := waitParamsOf(serveScript(t, s))
		p.Address, p.Since = "demo/ok"+task, "2026-11-01T03:00:00"
		if out, o := sdktest.Run(t, wait, p); o.Err() != nil || out.Run.ID != "34" {
			t.Errorf("%q: %+v, %v", task, out, o.Err())
		}
		// When that has failed too, it is a failure.
		s["GET /api/attempts"] = []reply{{body: `{"attempts":[` + of("36", isFailed) + `,` + of("34", isFailed) + `]}`}}
		s["GET /api/attempts/34/tasks"] = s["GET /api/attempts/36/tasks"]
		p.source = serveScript(t, s).on()
		if _, o := sdktest.Run(t, wait, p); o.Code != "attempt_failed" && o.Code != "task_failed" || !strings.Contains(o.Error, "attempt 36") {
			t.Errorf("%q: %q %s", task, o.Code, o.Error)
		}
	}
}

// TestSince: a time of day is the last one that has passed, also where a clock is set.
func TestSince(t *testing.T) {
	york, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, now, want string }{
		{"03:00", "2026-06-01T04:00:00-04:00", "2026-06-01T03:00:00-04:00"},
		{"03:00", "2026-06-01T02:00:00-04:00", "2026-05-31T03:00:00-04:00"},
		{"03:00:30", "2026-06-01T03:00:30-04:00", "2026-06-01T03:00:30-04:00"},
		{"03:00", "2026-03-08T08:00:00-04:00", "2026-03-08T03:00:00-04:00"},
		{"02:30", "2026-03-08T08:00:00-04:00", "2026-03-08T03:30:00-04:00"}, // skipped by the clock
		{"01:30", "2026-11-01T08:00:00-05:00", "2026-11-01T01:30:00-04:00"}, // shown twice: the first
		{"22:00", "2026-11-01T08:00:00-05:00", "2026-10-31T22:00:00-04:00"},
		{"today", "2026-03-08T08:00:00-04:00", "2026-03-08T00:00:00-05:00"},
		{"2026-03-08T12:00:00", "2026-03-09T08:00:00-04:00", "2026-03-08T12:00:00-04:00"},
		{"2026-03-08T12:00:00+09:00", "2026-03-09T08:00:00-04:00", "2026-03-08T12:00:00+09:00"},
		{"90m", "2026-03-08T03:30:00-04:00", "2026-03-08T01:00:00-05:00"},
	} {
		now, _ := time.Parse(time.RFC3339, c.now)
		want, _ := time.Parse(time.RFC3339, c.want)
		s, err := parseSince(c.text)
		if got := s.in(york, now); err != nil || !got.Equal(want) {
			t.Errorf("%s at %s: %s, %v; want %s", c.text, c.now, got, err, want)
		}
	}
	for _, text := range []string{"", "3", "25:00", "-1h", "0s", "latest", "yesterday", "2026-02-30", "03:00+task", "17"} {
		if s, err := parseSince(text); err == nil || !strings.Contains(err.Error(), "want a duration") {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
}
