package alert

import (
	"slices"
	"strings"
)

// Merge adds an event to those that were not sent yet, in their order. Of what a
// receiver has not seen, only what is true now is told: a recovery takes the place of
// the news before it and keeps the notes of actions, later alerts join the first message,
// and a repeat of what was never said is dropped.
func Merge(unsent []Event, e Event) []Event {
	same := func(o Event) bool { return o.Incident == e.Incident && o.Receiver == e.Receiver && e.Incident != "" }
	if !slices.ContainsFunc(unsent, same) {
		return append(slices.Clip(unsent), e)
	}
	switch e.Kind {
	case Recovered:
		var notes []string // of what actions did, which nothing else tells
		for _, o := range unsent {
			e.Merged = e.Merged || same(o) && (o.Kind == New || o.Kind == Escalated && o.Seq <= 1)
			if same(o) && o.Kind == Acted {
				notes = append(notes, o.Note)
			}
		}
		if e.Note != "" {
			notes = append(notes, e.Note)
		}
		e.Note = strings.Join(notes, "; ")
		return append(slices.DeleteFunc(slices.Clone(unsent), same), e)
	case Repeat:
		return unsent
	case Update:
		out := slices.Clone(unsent)
		for i := len(out) - 1; i >= 0; i-- {
			if o := out[i]; same(o) && (o.Kind == New || o.Kind == Update || o.Kind == Repeat) {
				out[i] = join(o, e)
				return out
			}
		}
	}
	return append(slices.Clip(unsent), e)
}

// join puts an update into a message that was not sent.
func join(o, e Event) Event {
	alerts := slices.Clone(o.Alerts)
	more := 0
	for _, a := range e.Alerts {
		at := slices.IndexFunc(alerts, func(b Alert) bool { return b.Key == a.Key })
		if at < 0 {
			alerts, more = append(alerts, a), more+1
		} else {
			alerts[at] = a
		}
	}
	o.Total += more + e.Total - len(e.Alerts)
	o.Alerts = alerts[:min(len(alerts), maxInDigest)]
	o.Firing = e.Firing
	if o.Note == "" {
		o.Note = e.Note
	}
	return o
}
