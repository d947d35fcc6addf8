package digdagtest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Seed gives the server that many ended sessions, evenly over the workflows of
// all projects, for tests and benchmarks of long histories. The double writes
// them down, at once. A real server must run them all, some tens a second: have
// workflows that end quickly, and settle for fewer.
func (s *Server) Seed(ctx context.Context, sessions int) error {
	if !s.Real {
		err := s.client.do(ctx, http.MethodPost, fmt.Sprintf("/double/sessions?count=%d", sessions), "", nil, nil)
		if err != nil {
			return fmt.Errorf("seed %d sessions: %w", sessions, err)
		}
		return nil
	}
	var list struct{ Workflows []Workflow }
	if err := s.Get(ctx, "/api/workflows?count=100000", &list); err != nil {
		return fmt.Errorf("seed %d sessions: %w", sessions, err)
	}
	if len(list.Workflows) == 0 {
		return fmt.Errorf("seed %d sessions: no workflow is there to seed sessions of", sessions)
	}
	last := map[string]bool{}
	for i := range sessions {
		w := list.Workflows[i%len(list.Workflows)]
		a, err := s.startWhenThereIsRoom(ctx, StartRequest{WorkflowID: w.ID, SessionTime: time.Unix(0, 0).UTC().Add(time.Duration(i) * time.Minute)})
		if err != nil {
			return fmt.Errorf("seed %d sessions: %w", sessions, err)
		}
		last[a.ID] = true
	}
	for id := range last {
		if _, err := s.WaitAttempt(ctx, id); err != nil {
			return fmt.Errorf("seed %d sessions: %w", sessions, err)
		}
	}
	return nil
}

// startWhenThereIsRoom waits while as many attempts run as may run.
func (s *Server) startWhenThereIsRoom(ctx context.Context, r StartRequest) (a Attempt, err error) {
	waitErr := poll(ctx, 50*time.Millisecond, func() (bool, error) {
		a, err = s.StartAttempt(ctx, r)
		var full *StatusError
		if errors.As(err, &full) && strings.Contains(full.Body, "Too many attempts running") {
			return false, nil
		}
		return err == nil, err
	})
	return a, waitErr
}
