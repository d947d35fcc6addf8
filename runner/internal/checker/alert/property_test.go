package alert

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// thread is what a receiver sees of an incident.
type thread struct {
	seq  int
	open bool
	keys map[string]bool
}

// Whatever is found, and whenever: what fires and is not muted has been told to every
// receiver that its routes name; each incident begins once, is told in order, and ends
// once; the book before is not changed, is the same when it is read back, and keeps
// nothing for ever.
func TestStepOfAnyLife(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data, _ := ParseMatchers("workflow=~[ab]")
		late, _ := ParseMatchers("kind=late")
		p := Policy{Storm: rapid.IntRange(2, 12).Draw(t, "storm"), Routes: []Route{
			{Match: data, Receiver: "slack", Continue: true, Repeat: threshold.Duration(time.Hour), After: threshold.Duration(30 * time.Minute), Second: "boss"},
			{Receiver: "mail", GroupBy: []string{"project"}},
		}}
		kinds := []rule.Kind{rule.Running, rule.Late, rule.Stale, rule.Unreachable, rule.Failed}
		var b Book
		now := t0
		threads := map[string]*thread{}
		for range rapid.IntRange(1, 15).Draw(t, "checks") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{-10, 0, 1, 1, 30, 90}).Draw(t, "minutes")) * time.Minute)
			p.Silences = nil
			if rapid.Bool().Draw(t, "silence") {
				p.Silences = []Silence{{ID: "s", Match: late, From: now, Until: now.Add(time.Hour)}}
			}
			c := Checked{Over: map[string]string{}}
			fates := rapid.Uint64().Draw(t, "fates")
			ranks := rapid.Uint64().Draw(t, "ranks")
			for _, w := range []string{"a", "b", "c"} {
				for _, k := range kinds {
					f := find(k, w, times(1+int(ranks>>2&1)))
					f.Part = "scheduler"
					f.Severity = []rule.Severity{rule.None, rule.Warning, rule.Warning, rule.Critical}[ranks&3]
					switch fates & 3 {
					case 0:
						c.Findings = append(c.Findings, f)
					case 1, 2:
						c.Over[f.Key] = "over"
					}
					fates, ranks = fates>>2, ranks>>3
				}
			}
			before, _ := json.Marshal(b)
			next, events := Step(b, c, p, now)
			if after, _ := json.Marshal(b); string(after) != string(before) {
				t.Fatal("Step changed the book before")
			}
			var read Book
			if err := json.Unmarshal(before, &read); err != nil {
				t.Fatal(err)
			}
			again, sameEvents := Step(read, c, p, now)
			if fmt.Sprint(show(events)) != show(sameEvents) || len(again.Alerts) != len(next.Alerts) {
				t.Fatalf("%s, of the book read back %s", show(events), show(sameEvents))
			}
			for _, e := range events {
				see(t, threads, e)
			}
			for key, a := range next.Alerts {
				if a.State != Firing || a.Muted != "" || a.Frozen || a.Severity == rule.None {
					continue
				}
				for _, r := range p.routes(&a) {
					if !slices.ContainsFunc(a.Told, func(id string) bool {
						return threads[id] != nil && threads[id].open && threads[id].keys[key] && next.Incidents[id].Receiver == r.Receiver
					}) {
						t.Fatalf("%s fires, and %s does not know", key, r.Receiver)
					}
				}
			}
			for id, th := range threads {
				if _, open := next.Incidents[id]; open != th.open {
					t.Fatalf("incident %s: open %v, told as open %v", id, open, th.open)
				}
			}
			b = next
		}
		over := map[string]string{}
		for key := range b.Alerts {
			over[key] = "over"
		}
		for range 2 {
			now = now.Add(time.Hour)
			var events []Event
			b, events = Step(b, Checked{Over: over}, p, now)
			for _, e := range events {
				see(t, threads, e)
			}
		}
		for id, th := range threads {
			if th.open {
				t.Fatalf("incident %s is never over", id)
			}
		}
		if b, _ = Step(b, Checked{}, p, now.Add(30*24*time.Hour)); len(b.Alerts)+len(b.Incidents)+len(b.Acted) > 0 {
			t.Fatalf("%+v is kept for ever", b)
		}
	})
}

func see(t *rapid.T, threads map[string]*thread, e Event) {
	if e.Kind == Act {
		if len(e.Alerts) != 1 || e.Receiver != "" || e.Alerts[0].Severity != rule.None {
			t.Fatalf("an act that tells: %+v", e)
		}
		return
	}
	th := threads[e.Incident]
	begins := e.Kind == New || e.Kind == Escalated && e.Seq == 1
	switch {
	case begins && th != nil, !begins && (th == nil || !th.open):
		t.Fatalf("%s of incident %s, which is %+v", e.Kind, e.Incident, th)
	case begins:
		th = &thread{open: true, keys: map[string]bool{}}
		threads[e.Incident] = th
	}
	if th.seq++; e.Seq != th.seq {
		t.Fatalf("event %d of incident %s comes as number %d", e.Seq, e.Incident, th.seq)
	}
	for _, a := range e.Alerts {
		th.keys[a.Key] = true
		if a.Severity == rule.None && !e.Storm && e.Kind == New {
			t.Fatalf("severity none is told: %+v", a)
		}
	}
	th.open = e.Kind != Recovered
}

// Whenever the outbox is emptied, a receiver knows in the end what is true: of an
// incident that is over it was told so, and of one that fires that it does. Nobody is
// told of the end before the beginning, but in one message.
func TestMergeOfAnyOutbox(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var outbox, sent []Event
		b, now := Book{}, t0
		p := Policy{Routes: []Route{{Receiver: "slack", Repeat: threshold.Duration(time.Hour)}}}
		for range rapid.IntRange(1, 30).Draw(t, "checks") {
			now = now.Add(30 * time.Minute)
			c := Checked{Over: map[string]string{}}
			for _, w := range []string{"a", "b"} {
				for _, k := range []rule.Kind{rule.Running, rule.Failed} {
					f := find(k, w, func(f *finding.Finding) { f.Rule = "same" })
					if rapid.Bool().Draw(t, "found") {
						c.Findings = append(c.Findings, f)
					} else {
						c.Over[f.Key] = "over"
					}
				}
			}
			var events []Event
			b, events = Step(b, c, p, now)
			for _, e := range events {
				outbox = Merge(outbox, e)
			}
			n := rapid.IntRange(0, len(outbox)).Draw(t, "sent")
			sent, outbox = append(sent, outbox[:n]...), slices.Clone(outbox[n:])
		}
		sent = append(sent, outbox...)
		known := map[string]EventKind{}
		for _, e := range sent {
			was, seen := known[e.Incident]
			switch {
			case was == Recovered:
				t.Fatalf("%s after the end", e.Kind)
			case !seen && e.Kind != New && !(e.Kind == Recovered && e.Merged):
				t.Fatalf("an incident begins with %s", e.Kind)
			case seen && e.Kind == New:
				t.Fatalf("an incident begins twice")
			case seen && e.Merged:
				t.Fatal("what was told is told as if it had not been")
			}
			known[e.Incident] = e.Kind
		}
		for id, kind := range known {
			if _, open := b.Incidents[id]; open == (kind == Recovered) {
				t.Fatalf("incident %s is open: %v, and the last word is %s", id, open, kind)
			}
		}
		for id := range b.Incidents {
			if _, ok := known[id]; !ok {
				t.Fatalf("nobody was told of %s", id)
			}
		}
	})
}
