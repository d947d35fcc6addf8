package watch

import (
	"context"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestTheStatusOfASlowWatchIsGoodForTwoOfItsIntervals, whatever the settings of who asks say.
func TestTheStatusOfASlowWatchIsGoodForTwoOfItsIntervals(t *testing.T) {
	url := dbtest.SQLite(t)
	slow, second := newBench(t, url), newBench(t, url)
	passes, during := 0, func() {}
	slow.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		during()
		return observe.Snapshot{Engine: "x", At: noon}, nil
	})
	second.setup.Askers = slow.setup.Askers
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	during = func() {
		if passes == 0 {
			return
		}
		for after, want := range map[time.Duration]int{20 * time.Minute: ExitOK, 20*time.Minute + time.Second: ExitUnknown} {
			second.now = noon.Add(after)
			if s, _ := second.pass(); s.Exit != want {
				t.Errorf("after %s: %+v", after, s)
			}
		}
		stop()
	}
	slow.Inbox = NewInbox(slow.Now)
	slow.Loop(ctx, 10*time.Minute, NewPulse(time.Hour), func(_ Summary, err error) {
		if err != nil {
			t.Error(err)
		}
		if passes++; passes == 1 {
			if err := slow.Inbox.Post(observe.Signal{Name: "early", Value: 1}, true); err != nil {
				t.Error(err)
			}
		}
	})
	if passes != 2 {
		t.Errorf("%d passes", passes)
	}
}
