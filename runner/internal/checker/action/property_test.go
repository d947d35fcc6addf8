package action

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// began is one beginning of an action, as its first step saw it.
type began struct {
	action, alert, event string
	at                   time.Time
}

// TestProperties: whatever fires, ends, is acknowledged, fails, helps or is killed in any
// order, with two checkers that act at once: no action begins twice for an event, more
// often than it may, or before its cooldown is over; who is told of nothing is not told of
// actions; and nothing is left open when all is over.
func TestProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := &stage{t: t, records: &records{}, host: &host{}, now: t0}
		s.policy = alert.Policy{Routes: []alert.Route{{Receiver: "team"}}}
		actions := drawActions(r, t)
		var all []began
		do := hostFunc(func(ctx context.Context, key string, labels map[string]string, component string, _ []byte) (string, json.RawMessage, error) {
			s.host.mu.Lock()
			defer s.host.mu.Unlock()
			if ctx.Err() != nil {
				return "", nil, ctx.Err()
			}
			if _, known := s.host.done[key]; known {
				return "r", json.RawMessage(`{}`), nil
			}
			if s.host.done == nil {
				s.host.done = map[string]json.RawMessage{}
			}
			s.host.done[key] = nil
			all = append(all, began{labels["action"], labels["alert"], key, s.now})
			return "r", json.RawMessage(`{}`), nil
		})
		firing := map[string]bool{}
		for range rapid.IntRange(1, 40).Draw(r, "passes") {
			for _, key := range []string{"a", "b", "none"} {
				if rapid.Bool().Draw(r, "turn "+key) {
					firing[key] = !firing[key]
				}
			}
			s.step(rapid.SampledFrom([]time.Duration{time.Minute, 7 * time.Minute, time.Hour}).Draw(r, "later"), findings(firing)...)
			if rapid.Bool().Draw(r, "ack") {
				if b, _, err := alert.Acknowledge(s.book, "prod|stale|a", "ada", "", s.now); err == nil {
					s.book = b
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			if rapid.Bool().Draw(r, "killed") {
				cancel()
			}
			book, events := s.book, s.events
			done := make(chan error, 2)
			for range 2 {
				a := Actor{Actions: actions, Records: s.records, Host: do, Now: func() time.Time { return s.now }}
				go func() { done <- a.Act(ctx, book, events) }()
			}
			for range 2 {
				if err := <-done; err != nil {
					r.Fatal(err)
				}
			}
			cancel()
		}
		check(r, actions, all, s.acts)
		for _, e := range s.told {
			for _, a := range e.Alerts {
				if a.Severity == rule.None && e.Kind != alert.Escalated && e.Receiver != "boss" {
					r.Fatalf("%s is told of %s", e.Receiver, a.Key)
				}
			}
		}
		for range 2 { // all is over
			s.step(time.Hour)
			s.actor = Actor{Actions: actions, Records: s.records, Host: do, Now: func() time.Time { return s.now }}
			s.act()
		}
		for _, a := range s.acts {
			if a.State == Running || a.State == Verifying || a.State == WaitingAck {
				r.Fatalf("it is left open: %+v", a)
			}
		}
	})
}

func drawActions(r *rapid.T, t *testing.T) (all []Action) {
	for i := range rapid.IntRange(1, 2).Draw(r, "actions") {
		all = append(all, restart(t, func(a *Action) {
			a.Name = fmt.Sprint("act", i)
			a.Cooldown = rapid.SampledFrom([]time.Duration{0, 15 * time.Minute, 3 * time.Hour}).Draw(r, "cooldown")
			a.Window = rapid.SampledFrom([]time.Duration{time.Hour, 24 * time.Hour}).Draw(r, "window")
			a.AtMost = rapid.IntRange(0, 3).Draw(r, "at most")
			a.Verify = rapid.SampledFrom([]time.Duration{0, 3 * time.Minute}).Draw(r, "verify")
			a.NeedsAck = rapid.Bool().Draw(r, "needs ack")
			a.Escalate = rapid.SampledFrom([]string{"", "boss"}).Draw(r, "escalate")
		}))
	}
	return all
}

func findings(firing map[string]bool) (all []finding.Finding) {
	for _, key := range []string{"a", "b", "none"} {
		if firing[key] {
			all = append(all, scheduler(func(f *finding.Finding) {
				f.Key = "prod|stale|" + key
				if key == "none" {
					f.Severity = rule.None
				}
			}))
		}
	}
	return all
}

func check(r *rapid.T, actions []Action, all []began, acts []Act) {
	seen := map[string]bool{}
	for _, a := range acts {
		if id := a.Action + " " + a.EventKey; seen[id] {
			r.Fatalf("two records of %s", id)
		} else {
			seen[id] = true
		}
	}
	for i, one := range all {
		a := actions[slices.IndexFunc(actions, func(a Action) bool { return a.Name == one.action })]
		act := acts[slices.IndexFunc(acts, func(x Act) bool { return x.Action == one.action && onceKey(x, 0) == one.event })]
		same, within := 0, 0
		for _, other := range all[:i] {
			if other.action != one.action {
				continue
			}
			if other.event == one.event {
				same++
			}
			before := acts[slices.IndexFunc(acts, func(x Act) bool { return x.Action == other.action && onceKey(x, 0) == other.event })]
			if gap := act.At.Sub(before.At); gap >= 0 && gap < a.Window {
				within++
			}
			if other.alert == one.alert && act.At.Sub(before.At).Abs() < a.Cooldown {
				r.Fatalf("%s began %s after it had begun for the same alert", one.action, act.At.Sub(before.At))
			}
		}
		if same > 0 {
			r.Fatalf("%s was done twice for %s", one.action, one.event)
		}
		if a.AtMost > 0 && within >= a.AtMost {
			r.Fatalf("%s began %d times within %s", one.action, within+1, a.Window)
		}
	}
}
