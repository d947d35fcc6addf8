package digdagtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// StartRequest is what an attempt is asked for with.
type StartRequest struct {
	WorkflowID       string         `json:"workflowId"`
	SessionTime      time.Time      `json:"sessionTime"`
	RetryAttemptName string         `json:"retryAttemptName,omitempty"`
	Resume           *Resume        `json:"resume,omitempty"`
	Params           map[string]any `json:"params"`
}

// Resume names an earlier attempt whose finished tasks are not run again.
type Resume struct {
	Mode      string `json:"mode"` // failed, or from
	AttemptID string `json:"attemptId"`
	From      string `json:"from,omitempty"`
}

// StartAttempt asks for an attempt, whatever it is.
func (s *Server) StartAttempt(ctx context.Context, r StartRequest) (Attempt, error) {
	if r.Params == nil {
		r.Params = map[string]any{}
	}
	var a Attempt
	err := s.Send(ctx, http.MethodPut, "/api/attempts", r, &a)
	return a, err
}

// StartWorkflow starts a workflow of a project in a session of its own: at the
// current second, or at the next that is free, for sessions have whole seconds.
func (s *Server) StartWorkflow(ctx context.Context, project, workflow string, params map[string]any) (Attempt, error) {
	w, err := s.Workflow(ctx, project, workflow)
	if err != nil {
		return Attempt{}, err
	}
	r := StartRequest{WorkflowID: w.ID, SessionTime: time.Now().UTC().Truncate(time.Second), Params: params}
	for {
		a, err := s.StartAttempt(ctx, r)
		var taken *StatusError
		if !errors.As(err, &taken) || taken.Status != http.StatusConflict {
			return a, err
		}
		r.SessionTime = r.SessionTime.Add(time.Second)
	}
}

// Attempt reads an attempt.
func (s *Server) Attempt(ctx context.Context, id string) (Attempt, error) {
	var a Attempt
	err := s.Get(ctx, "/api/attempts/"+id, &a)
	return a, err
}

// WaitAttempt waits until an attempt is done.
func (s *Server) WaitAttempt(ctx context.Context, id string) (a Attempt, err error) {
	waitErr := poll(ctx, 20*time.Millisecond, func() (bool, error) {
		a, err = s.Attempt(ctx, id)
		return a.Done, err
	})
	if waitErr != nil {
		return a, fmt.Errorf("wait for attempt %s: %w", id, waitErr)
	}
	return a, nil
}

// Tasks lists the tasks of an attempt, by id.
func (s *Server) Tasks(ctx context.Context, attempt string) ([]Task, error) {
	var list struct{ Tasks []Task }
	err := s.Get(ctx, "/api/attempts/"+attempt+"/tasks", &list)
	return list.Tasks, err
}

// WaitTask waits until the newest task of that full name satisfies ok.
func (s *Server) WaitTask(ctx context.Context, attempt, fullName string, ok func(Task) bool) (found Task, err error) {
	err = poll(ctx, 20*time.Millisecond, func() (bool, error) {
		tasks, err := s.Tasks(ctx, attempt)
		there := false
		for _, t := range tasks {
			if t.FullName == fullName {
				found, there = t, true
			}
		}
		return there && ok(found), err
	})
	if err != nil {
		return found, fmt.Errorf("wait for task %s of attempt %s, which is %q: %w", fullName, attempt, found.State, err)
	}
	return found, nil
}

// Kill asks for the end of an attempt. No process of it hears of that.
func (s *Server) Kill(ctx context.Context, attempt string) error {
	return s.Send(ctx, http.MethodPost, "/api/attempts/"+attempt+"/kill", struct{}{}, nil)
}
