// Package action acts because of alerts: it decides which actions begin, wait, are held
// back, have helped or have not, runs their steps through the host program, each as a
// recorded run of its own, and tells the threads of the alerts.
//
// Decide is a pure state machine over alerts, records and time. What is done at the edges
// stands in Actor and Program. How records are kept, and how people are told, does not
// belong here.
package action

import (
	"encoding/json"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// Action is what is to be done because of the alerts that it matches.
type Action struct {
	Name  string
	Match alert.Matchers
	// Do are its steps, one after the other.
	Do []Step
	// Cooldown is the time from one beginning to the next for the same alert, AtMost how
	// often it begins within a Window whatever the alert; 0 is without a bound.
	Cooldown, Window time.Duration
	AtMost           int
	// Verify is how long the alert may take to resolve; 0 does not look.
	Verify time.Duration
	// DryRun tells what would be done.
	DryRun bool
	// NeedsAck: it begins when somebody has acknowledged the alert.
	NeedsAck bool
	// Escalate is the receiver that is told besides when it fails or does not help.
	Escalate string
}

// Step is one component of an action.
type Step struct {
	Component string
	// Params are a JSON object whose texts may be templates over Data.
	Params json.RawMessage
}

// State is where a record of an action stands.
type State string

// The states of a record.
const (
	WaitingAck State = "waiting_ack"
	// Skipped: it is held back, and begins when it may if the alert fires yet.
	Skipped   State = "skipped"
	Running   State = "running"
	Verifying State = "verifying"
	Done      State = "done"
	Failed    State = "failed"
	// Escalated: it was done and did not help.
	Escalated State = "escalated"
	DryRun    State = "dry_run"
)

// Act is the record of what an action did about one event of one alert. No two of them
// have the same Action and EventKey.
type Act struct {
	ID       string `json:"id"`
	Action   string `json:"action"`
	EventKey string `json:"event_key"`
	// Alert is its key, Incident the first in which it was told; "" for none.
	Alert    string `json:"alert"`
	Incident string `json:"incident,omitempty"`
	State    State  `json:"state"`
	// At is when it began, or was first held back.
	At       time.Time `json:"at"`
	VerifyBy time.Time `json:"verify_by,omitzero"`
	// Runs are the ids of its steps' runs in the ledger, as far as they are known.
	Runs []string `json:"runs,omitempty"`
	Note string   `json:"note,omitempty"`
	// About is the alert as it was when it began: whoever takes it up again gives the
	// steps the same parameters.
	About json.RawMessage `json:"about,omitempty"`
}

// begun reports whether an act counts for cooldown and cap.
func (a Act) begun() bool {
	switch a.State {
	case Running, Verifying, Done, Failed, Escalated, DryRun:
		return true
	}
	return false
}

// EventKey says what an alert is acted on once for: an event that a source names itself,
// else each time that it fires.
func EventKey(a alert.Alert) string {
	if named(a) {
		return a.Rule + "|" + a.EventKey
	}
	return a.Key + "@" + a.Fired.UTC().Format(time.RFC3339Nano)
}

// named: the source has named the event.
func named(a alert.Alert) bool { return a.Severity == rule.None && a.EventKey != "" }

// Since is from when on Decide needs the records: of the longest window, and of a week at
// least.
func Since(actions []Action, now time.Time) time.Time {
	longest := 7 * 24 * time.Hour
	for _, a := range actions {
		longest = max(longest, a.Window, a.Cooldown, a.Verify)
	}
	return now.Add(-longest)
}
