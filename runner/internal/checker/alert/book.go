package alert

import (
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// State is where an alert stands in its life.
type State string

// The states of an alert.
const (
	Pending  State = "pending"
	Firing   State = "firing"
	Resolved State = "resolved"
)

// Alert is one thing that was found, over its life. Times are the checker's own.
type Alert struct {
	finding.Finding
	State State `json:"state"`
	// Checks in a row that found it; Seen is the first of them.
	Checks int       `json:"checks"`
	Seen   time.Time `json:"seen"`
	// Looked is when its run was last looked at closely: its tasks and log.
	Looked   time.Time `json:"looked,omitzero"`
	Fired    time.Time `json:"fired,omitzero"`
	Resolved time.Time `json:"resolved,omitzero"`
	// Reason why it resolved.
	Reason string `json:"reason,omitempty"`
	// Fires are when it fired of late; more than a few are flapping, and then it has to
	// be quiet for a while, since Quiet, to be resolved.
	Fires    []time.Time `json:"fires,omitempty"`
	Quiet    time.Time   `json:"quiet,omitzero"`
	Flapping bool        `json:"flapping,omitempty"`
	Ack      *Ack        `json:"ack,omitempty"`
	// Muted says why nobody is told, "" where somebody is.
	Muted string `json:"muted,omitempty"`
	// Frozen: the last check could not tell.
	Frozen bool `json:"frozen,omitempty"`
	// Told are the incidents in which it was told.
	Told []string `json:"told,omitempty"`
}

// Ack says that somebody cares.
type Ack struct {
	By   string    `json:"by"`
	At   time.Time `json:"at"`
	Note string    `json:"note,omitempty"`
}

// Retried is who cares where somebody has started a new try.
const Retried = "retry"

// Incident is what is told in one thread.
type Incident struct {
	ID       string    `json:"id"` // receiver|group|first firing|serial
	Receiver string    `json:"receiver"`
	Group    string    `json:"group"`
	Channel  string    `json:"channel,omitempty"`
	Opened   time.Time `json:"opened"`
	// Keys of the alerts that it told of.
	Keys []string `json:"keys"`
	// Seq is that of its last event, which was at Last.
	Seq  int       `json:"seq"`
	Last time.Time `json:"last"`
	// Storm: it is a digest of many.
	Storm bool `json:"storm,omitempty"`
	// Repeat, After and Second are its route's.
	Repeat    threshold.Duration `json:"repeat,omitzero"`
	After     threshold.Duration `json:"after,omitzero"`
	Second    string             `json:"second,omitempty"`
	Escalated time.Time          `json:"escalated,omitzero"`
	// Worse is when it got worse after the second was told or somebody had cared: from then
	// on it is unacknowledged anew.
	Worse time.Time `json:"worse,omitzero"`
	// Thread is the incident in which the second was told.
	Thread string `json:"thread,omitempty"`
}

// Version of the types here as they are stored.
const Version = 1

// Book is all that is remembered of alerts. The zero Book is empty.
type Book struct {
	Version int       `json:"version"`
	At      time.Time `json:"at,omitzero"`
	// Serial of the last incident: a clock that is set back makes none come twice.
	Serial    int                  `json:"serial,omitempty"`
	Alerts    map[string]Alert     `json:"alerts,omitempty"`
	Incidents map[string]Incident  `json:"incidents,omitempty"`
	Acted     map[string]time.Time `json:"acted,omitempty"` // by event key
}

// EventKind is what an event tells.
type EventKind string

// The kinds of events.
const (
	New          EventKind = "new"
	Update       EventKind = "update"
	Repeat       EventKind = "repeat"
	Acknowledged EventKind = "acknowledged"
	Escalated    EventKind = "escalated"
	Recovered    EventKind = "resolved"
	// Acted tells what an action did.
	Acted EventKind = "acted"
	// Act is for actions alone; nobody is told.
	Act EventKind = "act"
)

// Event is one thing to tell. Those of an incident are told in the order of Seq.
type Event struct {
	Kind     EventKind `json:"kind"`
	Receiver string    `json:"receiver,omitempty"`
	Channel  string    `json:"channel,omitempty"`
	Incident string    `json:"incident,omitempty"`
	Seq      int       `json:"seq"`
	At       time.Time `json:"at"`
	// Alerts that it is about, the worst first; of a storm the first of Total.
	Alerts []Alert `json:"alerts"`
	Total  int     `json:"total"`
	Storm  bool    `json:"storm,omitempty"`
	// Firing are how many of its incident still fire.
	Firing int `json:"firing"`
	// Downtime from the first sign to the recovery, and what never started meanwhile.
	Downtime threshold.Duration `json:"downtime,omitzero"`
	Missed   []finding.Missed   `json:"missed,omitempty"`
	// Merged: the receiver was not told before that it fired.
	Merged bool `json:"merged,omitempty"`
	// EventKey of an Act.
	EventKey string `json:"event_key,omitempty"`
	Note     string `json:"note,omitempty"`
}

// Severity is that of its worst alert.
func (e Event) Severity() rule.Severity {
	worst := rule.None
	for _, a := range e.Alerts {
		if a.Severity.Rank() > worst.Rank() {
			worst = a.Severity
		}
	}
	return worst
}
