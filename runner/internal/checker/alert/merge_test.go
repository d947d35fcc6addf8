package alert

import (
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

func TestMerge(t *testing.T) {
	event := func(kind EventKind, incident string, workflows ...string) Event {
		e := Event{Kind: kind, Receiver: "slack", Incident: incident, Total: len(workflows)}
		for _, w := range workflows {
			e.Alerts = append(e.Alerts, Alert{Finding: find(rule.Failed, w)})
		}
		return e
	}
	other := event(New, "2", "z")
	for _, c := range []struct {
		name   string
		unsent []Event
		e      Event
		want   string
		merged bool
	}{
		{"nothing waits", nil, event(New, "1", "a"), "slack new failed/a", false},
		{"another incident", []Event{other}, event(Recovered, "1", "a"), "slack new failed/z; slack resolved failed/a", false},
		{"firing and resolved", []Event{event(New, "1", "a"), other}, event(Recovered, "1", "a"), "slack new failed/z; slack resolved failed/a", true},
		{"told before, then worse and over", []Event{event(Update, "1", "a")}, event(Recovered, "1", "a"), "slack resolved failed/a", false},
		{"one more", []Event{event(New, "1", "a"), other}, event(Update, "1", "b"), "slack new failed/a+failed/b; slack new failed/z", false},
		{"the same again", []Event{event(New, "1", "a")}, event(Update, "1", "a"), "slack new failed/a", false},
		{"a repeat", []Event{event(New, "1", "a")}, event(Repeat, "1", "a"), "slack new failed/a", false},
		{"a repeat of what was told", nil, event(Repeat, "1", "a"), "slack repeat failed/a", false},
		{"an acknowledgement stays", []Event{event(New, "1", "a")}, event(Acknowledged, "1", "a"), "slack new failed/a; slack acknowledged failed/a", false},
		{"acts are never merged", []Event{{Kind: Act}}, Event{Kind: Act}, "act ; act ", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := show(c.unsent)
			got := Merge(c.unsent, c.e)
			expect(t, "merged", show(got), c.want)
			expect(t, "what was given", show(c.unsent), before)
			if last := got[len(got)-1]; last.Merged != c.merged {
				t.Errorf("%+v", last)
			}
		})
	}
}
