package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/action"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// acts lets an action kill what runs for too long, by a host.
func (b *bench) acts(h action.Host) {
	b.t.Helper()
	match, err := alert.ParseMatchers("rule=long")
	if err != nil {
		b.t.Fatal(err)
	}
	b.setup.Host = h
	b.setup.Actions = []action.Action{{Name: "kill", Match: match, Do: []action.Step{{Component: "digdag.kill", Params: json.RawMessage(`{"address": "{{.Alert.Address}}"}`)}}}}
}

// found has the source report runs that are open for two hours, one more in each pass.
func (b *bench) found(ids ...string) {
	passes := 0
	b.source("one", func(_ context.Context, a source.Asked) (observe.Snapshot, error) {
		if len(a.Details) == 0 {
			passes = min(passes+1, len(ids))
		}
		s := observe.Snapshot{Engine: "x", At: b.now}
		for _, id := range ids[:passes] {
			r := hung()
			r.ID, r.Address, r.Session = id, "etl/daily@"+id, id
			s.Runs = append(s.Runs, r)
		}
		return s, nil
	})
}

func TestAnActionIsDoneAndToldInTheSamePass(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	told := make(chan struct{})
	h := &host{goOn: told}
	b.acts(h)
	b.Console = writer(func(p []byte) (int, error) {
		if bytes.Contains(p, []byte("CRITICAL")) {
			close(told) // the alert does not wait for the action
		}
		return b.console.Write(p)
	})
	b.found("9")
	_, text := b.pass()
	if !slices.Equal(h.runs, []string{`digdag.kill {"address":"one:etl/daily@9"}`}) || !strings.Contains(text, "01RUN") {
		t.Errorf("%q\n%s", h.runs, text)
	}
	b.now = b.now.Add(time.Minute)
	b.pass()
	if len(h.runs) != 1 {
		t.Errorf("acted again: %q", h.runs)
	}
}

type hostFunc func(ctx context.Context) (string, json.RawMessage, error)

func (f hostFunc) Run(ctx context.Context, _ string, _ map[string]string, _ string, _ []byte) (string, json.RawMessage, error) {
	return f(ctx)
}

func TestTheStatusOfACheckIsKnownBeforeItsStepsHaveEnded(t *testing.T) {
	url := dbtest.SQLite(t)
	b, second := newBench(t, url), newBench(t, url)
	ended := make(chan struct{})
	b.acts(hostFunc(func(ctx context.Context) (string, json.RawMessage, error) {
		for {
			last, known, err := b.store.Last(ctx)
			if err != nil {
				return "", nil, err
			}
			if known && last.Exit == ExitCritical {
				break
			}
		}
		if s, _ := second.pass(); s.Exit != ExitCritical {
			t.Errorf("%+v", s)
		}
		close(ended)
		return "01RUN", json.RawMessage(`{}`), nil
	}))
	b.found("9")
	_, text := b.pass()
	<-ended
	if !strings.Contains(text, "01RUN") {
		t.Error(text)
	}
}

// TestPassesAreMadeWhileAnActionIsAtWork: they find and tell, the health is good, and what
// is to be done because of them is done after it. The end waits for it.
func TestPassesAreMadeWhileAnActionIsAtWork(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	goOn := make(chan struct{})
	h := &host{goOn: goOn}
	b.acts(h)
	b.found("8", "9")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	pulse := NewPulse(time.Hour)
	passes, text := 0, ""
	b.Loop(ctx, time.Second, pulse, func(s Summary, err error) {
		if err != nil {
			t.Error(err)
		}
		text += b.console.String()
		b.console.Reset()
		switch passes++; passes {
		case 2:
			if len(s.Alerts) != 2 || !strings.Contains(text, "update: one:etl/daily@9") || pulse.Alive() != nil {
				t.Errorf("%+v\n%s", s, text)
			}
			b.now = b.now.Add(time.Minute)
		case 3:
			close(goOn)
		}
		h.mu.Lock()
		ran := len(h.runs)
		h.mu.Unlock()
		if ran == 2 {
			stop()
		}
	})
	want := []string{`digdag.kill {"address":"one:etl/daily@8"}`, `digdag.kill {"address":"one:etl/daily@9"}`}
	if !slices.Equal(h.runs, want) || !strings.Contains(text, "01RUN") {
		t.Errorf("%q\n%s", h.runs, text)
	}
}

func TestTheEndWaitsForWhatIsBeingDone(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	ctx, stop := context.WithCancel(t.Context())
	ended := false
	b.acts(hostFunc(func(acting context.Context) (string, json.RawMessage, error) {
		<-ctx.Done()
		ended = acting.Err() == nil // it has its grace
		return "01RUN", json.RawMessage(`{}`), nil
	}))
	b.found("9")
	b.Loop(ctx, time.Hour, NewPulse(time.Hour), func(Summary, error) { stop() })
	acts, err := b.store.Acts(t.Context(), noon)
	if err != nil || !ended || len(acts) != 1 || acts[0].State != action.Done {
		t.Errorf("%+v, %v", acts, err)
	}
}

func TestTheEndOfAnActionIsToldEarly(t *testing.T) {
	b := newBench(t, dbtest.SQLite(t))
	goOn := make(chan struct{})
	b.acts(&host{goOn: goOn})
	b.found("9")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	passes := 0
	b.Loop(ctx, time.Hour, NewPulse(time.Hour), func(Summary, error) {
		if passes++; passes == 1 {
			close(goOn)
			return
		}
		stop()
	})
	if passes != 2 || !strings.Contains(b.console.String(), "01RUN") {
		t.Errorf("%d passes\n%s", passes, b.console.String())
	}
}
