package alert

import (
	"slices"
	"time"
)

// AddNote tells what an action did about alerts: once in the thread of each incident that
// told of them. Over are events of the same pass, of which those of recoveries lead to the
// threads of incidents that it closed. Who was not told of the alerts is not told of this.
func AddNote(b Book, keys []string, note string, over []Event, now time.Time) (Book, []Event) {
	s := start(b, Policy{}, now)
	in := map[string][]string{} // keys by incident
	for _, key := range keys {
		for _, id := range s.Alerts[key].Told {
			in[id] = append(in[id], key)
		}
	}
	for _, id := range sorted(in) {
		if i, open := s.Incidents[id]; open {
			s.event(&i, Acted, in[id], note)
		} else if e, ok := last(over, id); ok {
			i := Incident{ID: id, Receiver: e.Receiver, Channel: e.Channel, Seq: e.Seq}
			s.event(&i, Acted, in[id], note)
			delete(s.Incidents, id)
		}
	}
	return s.Book, s.events
}

// last is the last of an incident's events.
func last(events []Event, id string) (Event, bool) {
	for _, e := range slices.Backward(events) {
		if e.Incident == id {
			return e, true
		}
	}
	return Event{}, false
}

// Escalate tells a receiver in a thread of its own that an action did not help, unless it
// is told of the alert already. Where the alert fires yet, it is told of its end too.
func Escalate(b Book, key, receiver, note string, now time.Time) (Book, []Event) {
	s := start(b, Policy{}, now)
	a, known := s.Alerts[key]
	if s.toldTo(a, receiver) {
		return b, nil
	}
	i := Incident{ID: s.incidentID(receiver, "action"), Receiver: receiver, Group: "action", Opened: now}
	var keys []string
	if known {
		keys = []string{key}
	}
	if a.State == Firing {
		s.add(&i, keys)
	}
	s.event(&i, Escalated, keys, note)
	if a.State != Firing {
		delete(s.Incidents, i.ID)
	}
	return s.Book, s.events
}
