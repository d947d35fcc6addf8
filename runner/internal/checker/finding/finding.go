// Package finding is what a rule found, as plain data: whom it is about, since when, how
// it compares with what is usual, and what helps the person who is told.
//
// It is stored with alerts and given to templates, so fields are added and not renamed.
// Nothing is decided here.
package finding

import (
	"maps"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// Ledger is the engine that the ledger's own runs are of.
const Ledger = "outrider"

// Finding is one thing that a rule found.
type Finding struct {
	// Key is the same as long as it is the same thing: source|rule|subject.
	Key      string        `json:"key"`
	Rule     string        `json:"rule"`
	Kind     rule.Kind     `json:"kind"`
	Severity rule.Severity `json:"severity"`
	For      int           `json:"for"`

	Source string `json:"source"`
	// Engine is the source's, "" where it never answered.
	Engine   string `json:"engine,omitempty"`
	Project  string `json:"project,omitempty"`
	Workflow string `json:"workflow,omitempty"`
	// Run is the engine's id, Address what the host's verbs take, with the source.
	Run     string `json:"run,omitempty"`
	Address string `json:"address,omitempty"`
	// RunState is how Run stood when it was found: open, or how it ended; "" where nobody
	// knows.
	RunState observe.State `json:"run_state,omitempty"`
	Task     string        `json:"task,omitempty"`
	// Part of the engine that is not well.
	Part   string            `json:"part,omitempty"`
	Signal string            `json:"signal,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`

	// Since is the engine's time since when it is so, and What it is, in one line.
	Since time.Time `json:"since,omitzero"`
	What  string    `json:"what"`
	// Elapsed against Limit; Total is that of all tries of the session.
	Elapsed threshold.Duration `json:"elapsed,omitzero"`
	Limit   *threshold.Limit   `json:"limit,omitempty"`
	Total   threshold.Duration `json:"total,omitzero"`
	Tries   int                `json:"tries,omitempty"`

	// Holder is the task that holds it or failed, LogTail the end of its log.
	Holder  *Task    `json:"holder,omitempty"`
	LogTail string   `json:"log_tail,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	// Holders are who holds what is full.
	Holders []string `json:"holders,omitempty"`
	// Missed are due runs that never started; of a deadline, those that were to meet it.
	Missed []Missed  `json:"missed,omitempty"`
	ETA    time.Time `json:"eta,omitzero"`

	Link    string `json:"link,omitempty"`
	Owner   string `json:"owner,omitempty"`
	Runbook string `json:"runbook,omitempty"`
	// Channel is where the workflow's owner wants it told.
	Channel string   `json:"channel,omitempty"`
	Text    string   `json:"text,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	// Retry is a new try of the failed session, which stands for somebody who cares.
	Retry string `json:"retry,omitempty"`
	// Stage is another word when it got worse, though it is the same thing: early, or "".
	Stage string `json:"stage,omitempty"`
	// EventKey is what a rule of severity none acts once for; the key, if none is given.
	EventKey string `json:"event_key,omitempty"`
}

// Task is a task that a run hangs on.
type Task struct {
	Name    string             `json:"name"`
	Type    string             `json:"type,omitempty"`
	State   string             `json:"state,omitempty"`
	Since   time.Time          `json:"since,omitzero"`
	Elapsed threshold.Duration `json:"elapsed,omitzero"`
	Usual   string             `json:"usual,omitempty"`
	Tries   int                `json:"tries,omitempty"`
	RetryAt time.Time          `json:"retry_at,omitzero"`
	Error   string             `json:"error,omitempty"`
}

// Change is what differs from the last success. Of a parameter only its key is known.
type Change struct {
	What   string `json:"what"` // revision or parameter
	Key    string `json:"key,omitempty"`
	Before string `json:"before,omitempty"`
	Now    string `json:"now,omitempty"`
}

// Missed is a run that was due and never started.
type Missed struct {
	Address string    `json:"address"` // of the workflow, with the source
	At      time.Time `json:"at"`
	Session time.Time `json:"session,omitzero"`
	While   string    `json:"while,omitempty"` // a run that was open then
	// Last is the last run of that name, where it is the ledger's: it can be run again.
	Last string `json:"last,omitempty"`
}

// Get is what matchers and groups see under a name, "" for what it has not.
func (f *Finding) Get(name string) string {
	switch name {
	case "rule":
		return f.Rule
	case "kind":
		return string(f.Kind)
	case "severity":
		return string(f.Severity)
	case "source":
		return f.Source
	case "project":
		return f.Project
	case "workflow":
		return f.Workflow
	case "run":
		return f.Run
	case "address":
		return f.Address
	case "task":
		return f.Task
	case "part":
		return f.Part
	case "signal":
		return f.Signal
	case "owner":
		return f.Owner
	case "channel":
		return f.Channel
	case "key":
		return f.Key
	}
	return f.Labels[name]
}

// Where is whom it is about, for people: its address, which of the ledger's runs is but an
// id, so that the name stands before it; or the source.
func (f Finding) Where() string {
	switch {
	case f.Engine == Ledger && f.Run != "" && f.Workflow != "":
		return f.Source + ":" + f.Workflow + " run " + f.Run
	case f.Address == "":
		return f.Source
	}
	return f.Address
}

// Merge adds labels, without what the checker itself sets.
func Merge(all ...map[string]string) map[string]string {
	var out map[string]string
	for _, labels := range all {
		for key, value := range labels {
			switch key {
			case rule.LabelThreshold, rule.LabelChannel, rule.LabelRunbook, rule.LabelOff:
				continue
			}
			if out == nil {
				out = map[string]string{}
			}
			out[key] = value
		}
	}
	return maps.Clone(out)
}
