package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// Notify says where the server sends its notifications: to an address or to a
// shell command, or, when it has neither, nowhere.
type Notify struct {
	URL, Method  string
	Headers      http.Header
	Command      string
	Retries      uint
	MinWait, Max time.Duration
}

// notification is what is sent: numbers are numbers here, and times lose their
// fraction.
type notification struct {
	Timestamp   string  `json:"timestamp"`
	Message     string  `json:"message"`
	SiteID      int64   `json:"site_id"`
	ProjectID   int64   `json:"project_id"`
	ProjectName string  `json:"project_name"`
	Workflow    string  `json:"workflow_name"`
	Revision    string  `json:"revision"`
	AttemptID   int64   `json:"attempt_id"`
	SessionID   int64   `json:"session_id"`
	TaskName    *string `json:"task_name"`
	TimeZone    *string `json:"timezone"`
	SessionUUID *string `json:"session_uuid"`
	SessionTime *string `json:"session_time"`
	WorkflowID  int64   `json:"workflow_definition_id"`
}

// note is a notification about an attempt.
func note(st *state.State, a *state.Attempt, now time.Time, message string) notification {
	session, w := st.Sessions[a.SessionID], st.Workflows[a.WorkflowID]
	n := notification{
		Timestamp: now.UTC().Format("2006-01-02T15:04:05Z"), Message: message, ProjectID: a.ProjectID, ProjectName: st.Projects[a.ProjectID].Name,
		Workflow: session.Workflow, Revision: st.Revisions[w.RevisionID].Name, AttemptID: a.ID, SessionID: a.SessionID, WorkflowID: w.ID,
		TimeZone: &a.TimeZone, SessionUUID: &session.UUID,
	}
	if zone, err := time.LoadLocation(a.TimeZone); err == nil {
		at := FormatTime(session.Time, zone)
		n.SessionTime = &at
	}
	return n
}

// notify sends until somebody takes it, or not any more.
func (e *Engine) notify(n notification) error {
	to := e.cfg.Notify
	if to.URL == "" && to.Command == "" {
		return nil
	}
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	send := to.post
	if to.Command != "" {
		send = to.shell
	}
	wait := &backoff.ExponentialBackOff{InitialInterval: to.MinWait, MaxInterval: to.Max, Multiplier: 2}
	_, err = backoff.Retry(e.context, func() (struct{}, error) { return struct{}{}, send(e.context, data) },
		backoff.WithBackOff(wait), backoff.WithMaxTries(to.Retries+1), backoff.WithMaxElapsedTime(0))
	if err != nil {
		err = fmt.Errorf("send a notification: %w", err)
	}
	return err
}

func (to Notify) post(ctx context.Context, data []byte) error {
	r, err := http.NewRequestWithContext(ctx, to.Method, to.URL, bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header = to.Headers.Clone()
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", to.URL, answer.Status)
	}
	return nil
}

func (to Notify) shell(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", to.Command)
	cmd.Stdin = bytes.NewReader(data)
	return cmd.Run()
}
