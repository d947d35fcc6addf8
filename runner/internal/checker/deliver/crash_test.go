package deliver

import (
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// TestAReceiverThatCrashesIsAnError, and the others are told.
func TestAReceiverThatCrashesIsAnError(t *testing.T) {
	f := &fake{answer: func(c call) run.Outcome {
		if c.component == "bad.post" {
			panic("nil map")
		}
		return success(c)
	}}
	b := newBench(t, f, Receiver{Name: "bad", Component: "bad.post"}, Receiver{Name: "good", Component: "good.post"})
	b.put(event(alert.New, "bad", "a", 1), event(alert.New, "good", "b", 1))
	told, err := b.Deliver(t.Context())
	if err == nil || !strings.Contains(err.Error(), "tell bad: it crashed, which is a mistake of ours: nil map") || told.Sent != 1 || b.waits() != "bad 1" {
		t.Errorf("%+v, %v; %s waits", told, err, b.waits())
	}
}
