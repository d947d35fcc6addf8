package alert

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// maxInDigest is how many alerts of a storm are told one by one.
const maxInDigest = 20

// storm is the group of a digest.
const storm = "storm"

// tell opens incidents for alerts of which nobody was told, or adds them to open ones.
func (s *step) tell() {
	type place struct {
		route Route
		key   string
	}
	by := map[string][]place{} // by receiver
	for _, key := range sorted(s.Alerts) {
		a := s.Alerts[key]
		if a.State != Firing || a.Muted != "" || a.Frozen || a.Severity == rule.None {
			continue
		}
		for _, r := range s.policy.routes(&a) {
			if !s.toldTo(a, r.Receiver) {
				by[r.Receiver] = append(by[r.Receiver], place{r, key})
			}
		}
	}
	for _, receiver := range sorted(by) {
		isStorm := len(by[receiver]) > cmp.Or(s.policy.Storm, defaultStorm)
		groups := map[string][]string{}
		routes := map[string]Route{}
		for _, p := range by[receiver] {
			a := s.Alerts[p.key]
			group := p.route.group(&a)
			if isStorm {
				group = storm
			}
			groups[group] = append(groups[group], p.key)
			if _, ok := routes[group]; !ok {
				routes[group] = p.route
			}
		}
		for _, group := range sorted(groups) {
			s.join(routes[group], receiver, group, groups[group])
		}
	}
}

// toldTo reports whether a receiver knows of an alert: an open incident of it holds it.
func (s *step) toldTo(a Alert, receiver string) bool {
	return slices.ContainsFunc(a.Told, func(id string) bool {
		i, open := s.Incidents[id]
		return open && i.Receiver == receiver
	})
}

// join tells of alerts in the group's incident.
func (s *step) join(r Route, receiver, group string, keys []string) {
	for _, id := range sorted(s.Incidents) {
		if i := s.Incidents[id]; i.Receiver == receiver && i.Group == group {
			s.add(&i, keys)
			s.event(&i, Update, keys, "")
			return
		}
	}
	first := s.Alerts[keys[0]]
	i := Incident{
		ID: s.incidentID(receiver, group), Receiver: receiver, Group: group,
		Opened: s.now, Storm: group == storm, Repeat: r.repeat(), After: r.After, Second: r.Second,
	}
	if !i.Storm {
		i.Channel = first.Channel
	}
	s.add(&i, keys)
	s.event(&i, New, keys, "")
}

func (s *step) incidentID(receiver, group string) string {
	s.Serial++
	return strings.Join([]string{receiver, group, strconv.FormatInt(s.now.UnixMilli(), 10), strconv.Itoa(s.Serial)}, "|")
}

func (s *step) add(i *Incident, keys []string) {
	for _, key := range keys {
		a := s.Alerts[key]
		a.Told = append(slices.Clip(slices.DeleteFunc(slices.Clone(a.Told), func(id string) bool { _, open := s.Incidents[id]; return !open })), i.ID)
		s.Alerts[key] = a
		if !slices.Contains(i.Keys, key) {
			i.Keys = append(slices.Clip(i.Keys), key)
		}
	}
}

// event adds an event to an incident, and puts the incident back.
func (s *step) event(i *Incident, kind EventKind, keys []string, note string) *Event {
	i.Seq++
	i.Last = s.now
	e := Event{
		Kind: kind, Receiver: i.Receiver, Channel: i.Channel, Incident: i.ID, Seq: i.Seq, At: s.now,
		Total: len(keys), Storm: i.Storm, Firing: s.firing(*i), Note: note,
	}
	for _, key := range keys {
		e.Alerts = append(e.Alerts, s.Alerts[key])
	}
	slices.SortStableFunc(e.Alerts, func(a, b Alert) int {
		return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), a.Since.Compare(b.Since))
	})
	e.Alerts = e.Alerts[:min(len(e.Alerts), maxInDigest)]
	s.Incidents[i.ID] = *i
	s.events = append(s.events, e)
	return &s.events[len(s.events)-1]
}

func (s *step) firing(i Incident) (n int) {
	for _, key := range i.Keys {
		if s.Alerts[key].State == Firing {
			n++
		}
	}
	return n
}

// follow tells what became of open incidents: worse, acknowledged, recovered, still so.
func (s *step) follow() {
	for _, id := range sorted(s.Incidents) {
		i := s.Incidents[id]
		if i.Opened.Equal(s.now) && i.Seq == 1 {
			if acked := s.among(i, s.acked); len(acked) > 0 {
				s.event(&i, Acknowledged, acked, "")
			}
			continue
		}
		if s.firing(i) == 0 {
			s.recovered(i)
			continue
		}
		if over := s.among(i, s.resolved); len(over) > 0 && !i.Storm {
			s.event(&i, Update, over, "")
		}
		if worse := s.among(i, s.worse); len(worse) > 0 {
			s.event(&i, Update, worse, "it got worse")
		}
		if acked := s.among(i, s.acked); len(acked) > 0 {
			s.event(&i, Acknowledged, acked, "")
		}
		s.again(i)
	}
}

func (s *step) among(i Incident, set map[string]bool) (keys []string) {
	for _, key := range i.Keys {
		if set[key] {
			keys = append(keys, key)
		}
	}
	return keys
}

// recovered tells that an incident is over, and forgets it.
func (s *step) recovered(i Incident) {
	keys := slices.DeleteFunc(slices.Clone(i.Keys), func(key string) bool { return s.Alerts[key].State != Resolved })
	e := s.event(&i, Recovered, keys, "")
	var since, until time.Time
	for _, key := range keys {
		a := s.Alerts[key]
		from := a.Seen
		if !a.Since.IsZero() && a.Since.Before(from) {
			from = a.Since
		}
		if since.IsZero() || from.Before(since) {
			since = from
		}
		if a.Resolved.After(until) {
			until = a.Resolved
		}
		e.Missed = append(e.Missed, s.missedBy(a)...)
	}
	e.Missed = compactMissed(e.Missed)
	e.Downtime = threshold.Duration(max(0, until.Sub(since)))
	delete(s.Incidents, i.ID)
}

// missedBy are the due runs that never started because of an alert.
func (s *step) missedBy(a Alert) (all []finding.Missed) {
	if a.Kind == rule.Missing {
		all = s.stillMissed(a.Missed)
	}
	prefix := ""
	switch a.Kind {
	case rule.Late, rule.Missing, rule.Broken, rule.Disabled:
		prefix = a.Source + ":" + nameOf(a)
	case rule.Unhealthy, rule.Stale, rule.Unreachable, rule.Stalled:
		prefix = a.Source + ":"
	default:
		return nil
	}
	for _, m := range s.missed {
		whole := m.Address == prefix || strings.HasSuffix(prefix, ":") && strings.HasPrefix(m.Address, prefix)
		if whole && !m.At.Before(a.Since) && !m.At.After(s.now) {
			all = append(all, m)
		}
	}
	return all
}

// stillMissed are those of due runs that did not come after all: nobody is to start again
// what has run.
func (s *step) stillMissed(was []finding.Missed) (all []finding.Missed) {
	for _, m := range was {
		if slices.ContainsFunc(s.missed, func(o finding.Missed) bool { return o.Address == m.Address && o.At.Equal(m.At) }) {
			all = append(all, m)
		}
	}
	return all
}

func nameOf(a Alert) string {
	if a.Project == "" {
		return a.Workflow
	}
	return a.Project + "/" + a.Workflow
}

func compactMissed(all []finding.Missed) []finding.Missed {
	slices.SortFunc(all, func(a, b finding.Missed) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Address, b.Address))
	})
	return slices.CompactFunc(all, func(a, b finding.Missed) bool { return a.Address == b.Address && a.At.Equal(b.At) })
}

// again repeats what still fires, and tells the second receiver, where nobody cares.
func (s *step) again(i Incident) {
	var open []string
	for _, key := range i.Keys {
		if a := s.Alerts[key]; a.State == Firing && a.Ack == nil && a.Muted == "" && !a.Frozen {
			open = append(open, key)
		}
	}
	if len(open) == 0 {
		return
	}
	if i.Second != "" && i.After > 0 && i.Escalated.IsZero() && s.now.Sub(i.Opened) >= time.Duration(i.After) {
		i.Escalated = s.now
		second := Incident{
			ID: s.incidentID(i.Second, i.Group), Receiver: i.Second, Group: i.Group,
			Opened: s.now, Storm: i.Storm, Repeat: i.Repeat,
		}
		s.Incidents[i.ID] = i
		s.add(&second, open)
		s.event(&second, Escalated, open, "unacknowledged for "+threshold.Short(s.now.Sub(i.Opened)))
	}
	if i.Repeat > 0 && s.now.Sub(i.Last) >= time.Duration(i.Repeat) {
		s.event(&i, Repeat, open, "")
	}
}
