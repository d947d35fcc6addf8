package watch

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// takeTurn takes the turn away from who has it: the lock's file is gone. The return value
// gives it up.
func takeTurn(t *testing.T, url string) (end func()) {
	t.Helper()
	if err := os.Remove(strings.TrimPrefix(url, "sqlite:") + ".pass"); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	s, err := store.Open(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	turn, ok, err := s.Begin(ctx, time.Minute)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return func() {
		if err := turn.End(ctx); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestALostTurnIsTheOthersPassAndNoAlarm(t *testing.T) {
	url := dbtest.SQLite(t)
	b := newBench(t, url)
	c := &chat{}
	b.route(c)
	ping, paths := pinged(t)
	b.setup.Ping = ping
	end := func() {}
	lose := false
	b.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		if lose {
			lose = false
			end = takeTurn(t, url)
		}
		return observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{}}, nil
	})
	b.pass()
	c.told = nil // of the first pass
	for range 4 {
		lose = true
		s, err := b.Pass(t.Context())
		end()
		if err != nil || s.Exit != ExitOK || !slices.ContainsFunc(s.Notes, func(n string) bool { return strings.Contains(n, "another pass is under way") }) {
			t.Fatalf("%+v, %v", s, err)
		}
	}
	if got := strings.Join(paths(), " "); got != "/uuid" || len(c.told) > 0 {
		t.Errorf("pinged %s, told %q", got, c.told)
	}
}

func TestTheLoopGoesOnAfterALostTurn(t *testing.T) {
	url := dbtest.SQLite(t)
	b := newBench(t, url)
	b.turnFor = 20 * time.Millisecond
	var end func()
	asked := 0
	b.source("one", func(ctx context.Context, _ source.Asked) (observe.Snapshot, error) {
		if asked++; asked == 1 {
			end = takeTurn(t, url)
			<-ctx.Done() // it is found when the turn is renewed
		}
		return observe.Snapshot{Engine: "x", At: b.now}, context.Cause(ctx)
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	passes := 0
	b.Loop(ctx, time.Second, NewPulse(time.Hour), func(s Summary, err error) {
		if passes++; err != nil {
			t.Errorf("%+v, %v", s, err)
		}
		switch passes {
		case 1:
			end()
		case 2:
			if len(s.Sources) != 1 || s.Exit != ExitOK {
				t.Errorf("%+v", s)
			}
			stop()
		}
	})
	if passes != 2 {
		t.Errorf("%d passes", passes)
	}
}
