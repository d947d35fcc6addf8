package watch

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestAPassWithoutAnAnswerIsNotComplete: nothing is watched in it, and every second watcher
// is told so: who waits for pings, who asks for the last pass, who reads the metrics, and
// who comes second.
func TestAPassWithoutAnAnswerIsNotComplete(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	url, paths := pinged(t)
	b.setup.Ping = url
	b.Textfile = filepath.Join(t.TempDir(), "outrider.prom")
	down := map[string]bool{}
	for _, name := range []string{"one", "two"} {
		b.source(name, func(context.Context, source.Asked) (observe.Snapshot, error) {
			if down[name] {
				return observe.Snapshot{}, errors.New("no route to host")
			}
			return observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{}}, nil
		})
	}
	pass := func(complete bool, exit int, last time.Time) {
		t.Helper()
		s, _ := b.pass()
		if said := strings.Contains(strings.Join(s.Notes, "; "), "no source answered"); s.Complete != complete || s.Exit != exit || said == complete {
			t.Errorf("%+v", s)
		}
		l, _, err := b.store.Last(t.Context())
		if err != nil || l.Complete != complete || !l.At.Equal(b.now) || !l.CompleteAt.Equal(last) {
			t.Errorf("%+v, %v", l, err)
		}
		var stored Summary
		if err := json.Unmarshal(l.Summary, &stored); err != nil || stored.Exit != exit || stored.Complete != complete {
			t.Errorf("who comes second is told %+v, %v", stored, err)
		}
		text, err := os.ReadFile(b.Textfile)
		has := strings.Contains(string(text), "outrider_checker_last_pass_timestamp_seconds "+prom(last)+"\n")
		if err != nil || has == last.IsZero() {
			t.Errorf("want %s in\n%s", prom(last), text)
		}
		b.now = b.now.Add(time.Minute)
	}
	down["one"], down["two"] = true, true
	pass(false, ExitUnknown, time.Time{})
	down["two"] = false
	pass(true, ExitOK, noon.Add(time.Minute))
	down["two"] = true
	pass(false, ExitUnknown, noon.Add(time.Minute))
	if got := strings.Join(paths(), " "); got != "/uuid/fail /uuid /uuid/fail" {
		t.Error(got)
	}
}

// prom is a time as Prometheus writes it.
func prom(t time.Time) string {
	text, err := json.Marshal(float64(t.Unix()))
	if err != nil {
		return err.Error()
	}
	mantissa := strings.TrimRight(string(text), "0")
	return mantissa[:1] + "." + mantissa[1:] + "e+09"
}

// TestHealthSaysThatNoSourceAnswers, though passes are made.
func TestHealthSaysThatNoSourceAnswers(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	down := true
	b.source("one", func(context.Context, source.Asked) (observe.Snapshot, error) {
		if down {
			return observe.Snapshot{}, errors.New("no route to host")
		}
		return observe.Snapshot{Engine: "x", At: b.now, Runs: []observe.Run{}}, nil
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	p := NewPulse(time.Hour)
	p.at = time.Now().Add(-3 * time.Hour) // so long ago one was complete
	b.Inbox = NewInbox(b.Now)
	b.Loop(ctx, time.Hour, p, func(s Summary, err error) {
		alive := p.Alive()
		if err != nil || s.Complete == down || (alive == nil) == down || down && !strings.Contains(alive.Error(), "no source answered") {
			t.Errorf("%+v, %v; health: %v", s, err, alive)
		}
		if !down {
			stop()
			return
		}
		down = false
		if err := b.Inbox.Post(observe.Signal{Name: "early", Value: 1}, true); err != nil {
			t.Error(err)
		}
	})
	if down {
		t.Error("there was one pass alone")
	}
}
