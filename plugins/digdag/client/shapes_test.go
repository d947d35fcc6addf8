package client_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// same compares, with times compared as instants and their offsets.
func same(t *testing.T, what string, got, want any) {
	t.Helper()
	a, errA := json.Marshal(got)
	b, errB := json.Marshal(want)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("%s:\n got %s\nwant %s", what, a, b)
	}
}

// TestShapes reads what a real server sent.
func TestShapes(t *testing.T) {
	ctx := t.Context()
	on := func(name string) *client.Client { return ask(t, serve(t, recorded(t, name))) }

	a, err := on("attempt_retried").Attempt(ctx, "34")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "an attempt", a, client.Attempt{
		ID: "34", Index: 2, Project: client.Ref{ID: "1", Name: "demo"}, Workflow: client.Ref{ID: "49", Name: "retry"},
		SessionID: "31", SessionUUID: "b7c07b4e-3540-4752-8707-28b3096bf4ec", SessionTime: at("2026-11-21T01:00:00Z"),
		RetryAttemptName: "retry1", Flags: client.Flags{Done: true}, Params: json.RawMessage(`{"who":"me"}`),
		CreatedAt: at("2026-11-21T23:16:12Z"), FinishedAt: at("2026-11-21T23:16:16Z"),
	})
	for name, want := range map[string]client.State{
		"attempt_ok_end": client.Success, "attempt_error_end": client.Failed, "attempt_killed": client.Killed,
		"attempt_running": client.Running, "attempt_cancelling": client.Running, "attempt_queued_backfill": client.Running,
	} {
		a, err := on(name).Attempt(ctx, "1")
		if err != nil || a.State() != want || a.FinishedAt.IsZero() != (want == client.Running) || a.CancelRequested != (want == client.Killed || name == "attempt_cancelling") {
			t.Errorf("%s: %s %+v, %v", name, a.State(), a, err)
		}
	}
	late := client.Flags{Done: true, Success: true, CancelRequested: true}
	if late.State() != client.Success {
		t.Errorf("a success whose cancel came late is %s", late.State())
	}
	if a, err := on("attempt_of_deleted_project").Attempt(ctx, "1"); err != nil || a.Project.Name == "" {
		t.Errorf("of a deleted project: %+v, %v", a, err)
	}

	s, err := on("session").Session(ctx, "31")
	if err != nil || s.LastAttempt.ID != "35" || s.LastAttempt.State() != client.Failed || s.LastAttempt.RetryAttemptName != "retry2" || string(s.LastAttempt.Params) != "{}" {
		t.Errorf("a session: %+v, %v", s, err)
	}

	sched, err := on("schedule_disabled").Schedule(ctx, "2")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "a schedule", sched, client.Schedule{
		ID: "2", Project: client.Ref{ID: "1", Name: "demo"}, Workflow: client.Ref{ID: "60", Name: "daily"},
		NextRunTime: at("2026-11-22T22:00:00Z"), NextScheduleTime: at("2026-11-23T00:00:00+09:00"), DisabledAt: at("2026-11-21T23:16:08Z"),
	})
	if _, offset := sched.NextScheduleTime.Zone(); offset != 9*60*60 {
		t.Errorf("the session time lost its offset: %s", sched.NextScheduleTime)
	}
	if sched, err = on("schedule").Schedule(ctx, "2"); err != nil || !sched.DisabledAt.IsZero() {
		t.Errorf("a schedule that is on: %+v, %v", sched, err)
	}

	w, err := on("workflow").Workflow(ctx, "52")
	if err != nil || w.Name != "ok" || w.Timezone != "UTC" || w.Project.Name != "demo" || w.Revision != "rev9d1c6f" || !json.Valid(w.Config) {
		t.Errorf("a workflow: %+v, %v", w, err)
	}
	st, err := on("workflow_truncated").TruncatedSessionTime(ctx, "60", at("2026-11-21T20:00:00Z"), client.TruncateDay)
	if err != nil || st.SessionTime.Format(time.RFC3339) != "2026-11-22T00:00:00+09:00" || st.Timezone != "Asia/Tokyo" {
		t.Errorf("a truncated time: %+v, %v", st, err)
	}
	p, err := on("project").Project(ctx, "1")
	if err != nil || p.Name != "demo" || !p.DeletedAt.IsZero() || p.UpdatedAt != at("2026-11-21T23:12:57Z") {
		t.Errorf("a project: %+v, %v", p, err)
	}
	revs, err := on("project_revisions").Revisions(ctx, "1")
	if err != nil || len(revs) != 3 || revs[0].Revision != "rev9d1c6f" || revs[2].Revision != "rev1" {
		t.Errorf("revisions: %+v, %v", revs, err)
	}
	retries, err := on("attempt_retries").Retries(ctx, "35")
	if err != nil || len(retries) != 3 || retries[0].Index != 1 || retries[2].Index != 3 {
		t.Errorf("retries: %+v, %v", retries, err)
	}
	if page, err := on("attempts").AttemptsPage(ctx, client.AttemptFilter{}); err != nil || len(page) < 30 {
		t.Errorf("%d attempts, %v", len(page), err)
	}
	if page, err := on("sessions").SessionsPage(ctx, client.SessionFilter{}); err != nil || len(page) == 0 || page[0].LastAttempt.ID == "" {
		t.Errorf("sessions: %+v, %v", page, err)
	}
	if all, err := on("project_workflows").Workflows(ctx, "1", ""); err != nil || len(all) < 10 {
		t.Errorf("%d workflows, %v", len(all), err)
	}
	got := ids(t, on("schedules").Schedules(ctx, client.ScheduleFilter{}), func(s client.Schedule) client.ID { return s.ID })
	if !slices.Equal(got, []client.ID{"1", "2"}) {
		t.Errorf("schedules %v", got)
	}
}

func TestTaskShapes(t *testing.T) {
	on := func(name string) []client.Task {
		t.Helper()
		tasks, err := ask(t, serve(t, recorded(t, name))).Tasks(t.Context(), "1")
		if err != nil {
			t.Fatal(err)
		}
		return tasks
	}
	if tasks := on("tasks_queued_backfill"); len(tasks) != 0 {
		t.Errorf("a queued attempt has %v", tasks)
	}
	root, waiting := on("tasks_mid_rw")[0], on("tasks_mid_rw")[1]
	if root.ParentID != "" || !root.IsGroup || root.State != client.TaskPlanned || !root.StartedAt.IsZero() || root.State.Done() {
		t.Errorf("the root is %+v", root)
	}
	if waiting.ParentID != root.ID || waiting.State != client.TaskRetryWaiting || waiting.RetryAt != at("2026-11-21T23:27:57Z") || string(waiting.StateParams) == "{}" {
		t.Errorf("a task that waits for its retry is %+v", waiting)
	}
	tasks := on("tasks_error")
	if bad := tasks[1]; bad.State != client.TaskFailed || !bad.State.Done() || bad.Error.Message != "Command failed with code 3 (runtime)" || bad.Error.Stacktrace == "" {
		t.Errorf("a failed task is %+v", bad)
	}
	count := map[string]int{}
	for _, x := range on("tasks_gretry") {
		count[x.FullName]++
	}
	if len(count) == len(on("tasks_gretry")) {
		t.Errorf("a group's retry left no name twice: %v", count)
	}
	// What operators put into an error may be anything.
	odd := serve(t, reply{body: `{"tasks":[{"id":7,"fullName":"+w","parentId":null,"config":null,"state":"error","error":{"message":{"a":1},"stacktrace":null}}]}`})
	got, err := ask(t, odd).Tasks(t.Context(), "1")
	if err != nil || got[0].ID != "7" || got[0].Error != (client.TaskError{Message: `{"a":1}`}) || string(got[0].Config) != "{}" || string(got[0].StoreParams) != "{}" {
		t.Errorf("an odd task is %+v, %v", got, err)
	}
}

func TestIDs(t *testing.T) {
	for _, c := range []struct {
		a, b client.ID
		want int
	}{{"9", "10", -1}, {"10", "9", 1}, {"7", "7", 0}, {"007", "7", 0}, {"", "1", -1}, {"9223372036854775807", "9223372036854775806", 1}} {
		if got := c.a.Compare(c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
	for text, want := range map[string]client.ID{`"7"`: "7", `7`: "7", `null`: ""} {
		id := client.ID("old")
		if err := json.Unmarshal([]byte(text), &id); err != nil || id != want {
			t.Errorf("%s: %q, %v", text, id, err)
		}
	}
	for _, text := range []string{`""`, `"x"`, `-1`, `1.5`, `1e3`, `{}`, `true`, `"12345678901234567890"`} {
		var id client.ID
		if err := json.Unmarshal([]byte(text), &id); err == nil {
			t.Errorf("%s is taken for %q", text, id)
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// FuzzAnswers: whatever a server sends is an error or has all that it must have.
func FuzzAnswers(f *testing.F) {
	for _, name := range []string{
		"attempt_retried", "attempts_page2", "tasks_mid_rw", "tasks_queued_backfill", "session", "schedule", "projects_by_name",
		"schedule_backfill", "workflow", "workflow_truncated", "logs_redelivered", "version", "error_409_attempt_exists",
	} {
		f.Add([]byte(recorded(f, name).body))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newClient(t, client.Options{Endpoints: []string{"digdag"}, Transport: transport(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(data))}, nil
		})})
		ctx := t.Context()
		check := func(name string, v any, err error, fine bool) {
			if err == nil && !fine || err != nil && !reflect.ValueOf(v).IsZero() {
				t.Errorf("%s of %q is %+v, %v", name, data, v, err)
			}
		}
		object := func(all ...json.RawMessage) bool {
			return !slices.ContainsFunc(all, func(m json.RawMessage) bool { return !json.Valid(m) || string(m) == "null" })
		}
		a, err := c.Attempt(ctx, "7")
		check("an attempt", a, err, a.ID.Valid() && !a.SessionTime.IsZero() && object(a.Params))
		tasks, err := c.Tasks(ctx, "7")
		check("tasks", tasks, err, !slices.ContainsFunc(tasks, func(x client.Task) bool {
			return !x.ID.Valid() || x.FullName == "" || x.State == "" || !object(x.Config, x.ExportParams, x.StoreParams, x.StateParams)
		}))
		s, err := c.Session(ctx, "7")
		check("a session", s, err, s.ID.Valid() && object(s.LastAttempt.Params))
		w, err := c.Workflow(ctx, "7")
		check("a workflow", w, err, w.ID.Valid() && w.Name != "" && object(w.Config))
		files, err := c.LogFiles(ctx, "7", "")
		check("log files", files, err, !slices.ContainsFunc(files, func(x client.LogFile) bool { return x.Name == "" }))
		b, err := c.Backfill(ctx, "7", client.BackfillRequest{FromTime: time.Unix(1, 0), AttemptName: "a"})
		check("a backfill", b, err, b.ID.Valid())
		started, err := c.Start(ctx, client.StartRequest{Workflow: "7", SessionTime: time.Unix(1, 0)})
		check("a start", started, err, started.Attempt.ID.Valid())
	})
}
