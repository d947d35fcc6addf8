package digdagtest

import (
	"net/http"
	"testing"
	"time"
)

// A workflow that a push renames is another one: its sessions stay with the old
// name, which still can be run again, and its schedule starts anew.
func TestWorkflowRenamedByAPush(t *testing.T) {
	s := onShared(t)
	text := "schedule: {daily>: '07:00:00'}\n+a: {echo>: a}\n"
	project := s.Push(Files{"old.dig": text})
	r := s.Wait(s.Start(project, "old").ID)
	before := schedulesOf(t, s, r.Project.ID)
	s.Push(Files{"new.dig": text})
	after := schedulesOf(t, s, r.Project.ID)
	if len(after) != 1 || after["new"].ID == before["old"].ID || after["new"].ID == "" {
		t.Errorf("%+v", after)
	}
	for path, want := range map[string]int{
		"/api/projects/" + r.Project.ID + "/workflows/old": 404, "/api/projects/" + r.Project.ID + "/workflows/new": 200,
		"/api/workflows/" + r.Workflow.ID: 200, "/api/schedules/" + before["old"].ID: 404,
	} {
		if got, body := call(t, s, "GET", path, "", nil); got != want {
			t.Errorf("%s: %d %s, want %d", path, got, body, want)
		}
	}
	var page struct{ Attempts []Attempt }
	if err := s.Get(s.Context(), "/api/attempts?workflow=old&project="+project, &page); err != nil || len(page.Attempts) != 1 || page.Attempts[0].Workflow.ID != r.Workflow.ID {
		t.Errorf("%+v, %v", page, err)
	}
	again := s.Wait(must2(t)(s.StartAttempt(s.Context(), StartRequest{WorkflowID: r.Workflow.ID, SessionTime: r.SessionTime, RetryAttemptName: "again"})).ID)
	if again.SessionID != r.SessionID || again.Workflow.Name != "old" || !again.Success {
		t.Errorf("%+v", again.Attempt)
	}
}

// What waits goes on waiting over a crash: polling tasks and queued attempts.
func TestWaitingOutlivesACrash(t *testing.T) {
	s := onOwn(t, nil)
	x := scheduleOf(t, s, "schedule: {daily>: '07:00:00'}\n+a: {wait>: 3s}\n+b: {echo>: b}\n")
	var answer struct{ Attempts []Attempt }
	body := map[string]any{"fromTime": x.NextScheduleTime.AddDate(0, 0, -2), "attemptName": "n", "dryRun": false}
	if err := s.Send(s.Context(), http.MethodPost, "/api/schedules/"+x.ID+"/backfill", body, &answer); err != nil || len(answer.Attempts) != 2 {
		t.Fatalf("%+v, %v", answer, err)
	}
	began := s.Until(answer.Attempts[0].ID, "+w+a", "retry_waiting")
	if err := s.Kill9(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(s.Context()); err != nil {
		t.Fatal(err)
	}
	for _, a := range answer.Attempts {
		expect(t, s.Wait(a.ID), "success", "+w success", "+w+a success", "+w+b success")
	}
	tasks, err := s.Tasks(s.Context(), answer.Attempts[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if tasks[1].StateParams["wait_start_time_millis"] != began.StateParams["wait_start_time_millis"] || tasks[1].StartedAt.Sub(*began.StartedAt) != time.Duration(0) {
		t.Errorf("%+v\n%+v", began, tasks[1])
	}
}
