package alert

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// Checked is what one check found.
type Checked struct {
	Findings []finding.Finding
	// Over are keys of what was found before and is over, with the reason. What is neither
	// found nor over is frozen: the check could not tell.
	Over map[string]string
	// Looked are keys of findings whose runs were looked at closely.
	Looked map[string]bool
	// Missed are all due runs that have not started.
	Missed []finding.Missed
}

const (
	// flaps within flapTime are flapping; then it takes so much quiet to resolve.
	flaps    = 4
	flapTime = time.Hour
	quiet    = 15 * time.Minute
	// keepResolved is how long a resolved alert is remembered, for flapping and listings.
	keepResolved = 24 * time.Hour
	// keepActed is how long an event key is remembered after its last alert.
	keepActed = 7 * 24 * time.Hour
)

// step is one check on its way through the book.
type step struct {
	Book
	now      time.Time
	policy   Policy
	missed   []finding.Missed
	resolved map[string]bool // in this step
	worse    map[string]bool // in this step
	acked    map[string]bool // in this step
	events   []Event
}

// Step takes a check's result in and returns the new book and the events to tell. The
// book before is not changed.
func Step(b Book, c Checked, p Policy, now time.Time) (Book, []Event) {
	s := start(b, p, now)
	s.missed = c.Missed
	found := map[string]bool{}
	for _, f := range c.Findings {
		if !found[f.Key] {
			found[f.Key] = true
			s.found(f, c.Looked[f.Key])
		}
	}
	for _, key := range sorted(s.Alerts) {
		if !found[key] {
			reason, over := c.Over[key]
			s.absent(key, reason, over)
		}
	}
	s.mute()
	s.act()
	s.tell()
	s.follow()
	s.tidy()
	return s.Book, s.events
}

func start(b Book, p Policy, now time.Time) *step {
	s := &step{Book: b, now: now, policy: p, resolved: map[string]bool{}, worse: map[string]bool{}, acked: map[string]bool{}}
	s.Version = Version
	s.Alerts = maps.Clone(b.Alerts)
	s.Incidents = maps.Clone(b.Incidents)
	s.Acted = maps.Clone(b.Acted)
	if s.Alerts == nil {
		s.Alerts = map[string]Alert{}
	}
	if s.Incidents == nil {
		s.Incidents = map[string]Incident{}
	}
	if s.Acted == nil {
		s.Acted = map[string]time.Time{}
	}
	if now.Before(b.At) {
		s.settle()
	}
	s.At = now
	return s
}

// settle takes what lies ahead as now: the clock was set back, and nothing may wait for
// it to come round again.
func (s *step) settle() {
	clamp := func(t *time.Time) {
		if t.After(s.now) {
			*t = s.now
		}
	}
	for key, a := range s.Alerts {
		for _, t := range []*time.Time{&a.Seen, &a.Looked, &a.Fired, &a.Resolved, &a.Quiet} {
			clamp(t)
		}
		a.Fires = slices.Clone(a.Fires)
		for i := range a.Fires {
			clamp(&a.Fires[i])
		}
		s.Alerts[key] = a
	}
	for id, i := range s.Incidents {
		clamp(&i.Opened)
		clamp(&i.Last)
		clamp(&i.Escalated)
		s.Incidents[id] = i
	}
	for key, t := range s.Acted {
		clamp(&t)
		s.Acted[key] = t
	}
}

func (s *step) found(f finding.Finding, looked bool) {
	a, known := s.Alerts[f.Key]
	if !known || a.State == Resolved {
		fires := a.Fires
		a = Alert{State: Pending, Seen: s.now, Fires: fires}
	}
	was := a.Finding
	a.Finding = f
	if was.Run == f.Run {
		s.keepDetails(&a.Finding, was)
	} else {
		a.Looked = time.Time{}
	}
	if looked {
		a.Looked = s.now
	}
	a.Checks++
	a.Frozen, a.Quiet = false, time.Time{}
	switch {
	case a.State == Pending && a.Checks >= f.For:
		a.State, a.Fired = Firing, s.now
		a.Fires = append(slices.Clone(a.Fires), s.now)
		a.Fires = slices.DeleteFunc(a.Fires, func(t time.Time) bool { return s.now.Sub(t) > flapTime })
		a.Flapping = len(a.Fires) >= flaps
	case a.State == Firing:
		if f.Severity.Rank() > was.Severity.Rank() || was.Stage != "" && f.Stage == "" {
			s.worse[f.Key] = true
			a.Ack = nil // what was known to be bad is worse
		}
	}
	if f.Retry != "" && (a.Ack == nil || a.Ack.Note != retried(f)) {
		a.Ack = &Ack{By: Retried, At: s.now, Note: retried(f)}
		s.acked[f.Key] = true
	}
	s.Alerts[f.Key] = a
}

func retried(f finding.Finding) string { return "retried: " + f.Retry }

// keepDetails keeps what is not looked at in every check, and due runs of which the finding
// tells no more though they never came.
func (s *step) keepDetails(f *finding.Finding, was finding.Finding) {
	if f.Holder == nil {
		f.Holder = was.Holder
	}
	f.LogTail = cmp.Or(f.LogTail, was.LogTail)
	if len(f.Changes) == 0 {
		f.Changes = was.Changes
	}
	if f.Kind == rule.Missing {
		f.Missed = compactMissed(slices.Concat(f.Missed, s.stillMissed(was.Missed)))
	}
}

func (s *step) absent(key, reason string, over bool) {
	a := s.Alerts[key]
	switch {
	case a.State == Resolved:
		return
	case !over:
		a.Frozen = true
	case a.State == Pending:
		delete(s.Alerts, key)
		return
	case a.Flapping && a.Quiet.IsZero():
		a.Quiet = s.now
	case a.Flapping && s.now.Sub(a.Quiet) < quiet:
	default:
		a.State, a.Resolved, a.Reason, a.Frozen, a.Flapping = Resolved, s.now, reason, false, false
		s.resolved[key] = true
	}
	s.Alerts[key] = a
}

// mute finds out who is not told of.
func (s *step) mute() {
	by, policy := causes(s.Alerts), s.policy.at(s.now)
	for _, key := range sorted(s.Alerts) {
		a := s.Alerts[key]
		if a.State != Firing {
			continue
		}
		a.Muted = policy.mutedBy(&a.Finding)
		if a.Muted == "" {
			for _, cause := range by[a.Source] {
				if inhibits(&cause, &a) {
					a.Muted = "caused by " + cause.Key
					break
				}
			}
		}
		s.Alerts[key] = a
	}
}

// act gives each event key of a rule of severity none to the actions, once.
func (s *step) act() {
	for _, key := range sorted(s.Alerts) {
		a := s.Alerts[key]
		if a.Severity != rule.None || a.State != Firing {
			continue
		}
		event := a.Rule + "|" + cmp.Or(a.EventKey, a.Key)
		if _, done := s.Acted[event]; !done {
			if a.Muted != "" || a.Frozen {
				continue
			}
			s.events = append(s.events, Event{Kind: Act, At: s.now, Alerts: []Alert{a}, Total: 1, EventKey: cmp.Or(a.EventKey, a.Key)})
		}
		s.Acted[event] = s.now
	}
	for _, key := range sorted(s.Alerts) {
		a := s.Alerts[key]
		if s.resolved[key] && a.Severity == rule.None && a.EventKey == "" {
			delete(s.Acted, a.Rule+"|"+a.Key) // when it comes again it is another event
		}
	}
}

// tidy forgets what is long over.
func (s *step) tidy() {
	for key, a := range s.Alerts {
		switch {
		case a.State != Resolved:
		case s.now.Sub(a.Resolved) > keepResolved:
			delete(s.Alerts, key)
		case a.LogTail != "" || a.Missed != nil:
			a.LogTail, a.Missed = "", nil // the events have them
			s.Alerts[key] = a
		}
	}
	for key, t := range s.Acted {
		if s.now.Sub(t) > keepActed {
			delete(s.Acted, key)
		}
	}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
