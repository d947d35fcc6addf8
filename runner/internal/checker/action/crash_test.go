package action

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestAStepThatCrashesIsAnError, and is taken up again.
func TestAStepThatCrashesIsAnError(t *testing.T) {
	s := newStage(t, restart(t))
	s.step(0, scheduler())
	s.actor.Host = hostFunc(func(context.Context, string, map[string]string, string, []byte) (string, json.RawMessage, error) {
		panic("nil map")
	})
	if err := s.actor.Act(t.Context(), s.book, s.events); err == nil || !strings.Contains(err.Error(), "do restart: it crashed, which is a mistake of ours: nil map") {
		t.Error(err)
	}
	s.actor.Host = s.host
	s.pass(time.Minute, scheduler())
	s.wantCalls(run1)
}
