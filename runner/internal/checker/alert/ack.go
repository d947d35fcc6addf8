package alert

import (
	"fmt"
	"time"
)

// Acknowledge notes that somebody cares for a firing alert, or for all of an incident:
// it is not repeated, and nobody else is called. The event says so in the thread.
func Acknowledge(b Book, id, by, note string, now time.Time) (Book, []Event, error) {
	s := start(b, Policy{}, now)
	keys := []string{id}
	if i, ok := s.Incidents[id]; ok {
		keys = i.Keys
	}
	for _, key := range keys {
		a, ok := s.Alerts[key]
		if !ok || a.State != Firing {
			continue
		}
		a.Ack = &Ack{By: by, At: now, Note: note}
		s.Alerts[key] = a
		s.acked[key] = true
	}
	if len(s.acked) == 0 {
		return b, nil, fmt.Errorf("acknowledge %q: no firing alert and no open incident has this key", id)
	}
	for _, id := range sorted(s.Incidents) {
		i := s.Incidents[id]
		if acked := s.among(i, s.acked); len(acked) > 0 {
			s.event(&i, Acknowledged, acked, note)
		}
	}
	return s.Book, s.events, nil
}
