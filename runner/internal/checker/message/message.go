package message

import (
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
)

// Version of the types here, for templates.
const Version = 1

// Message is an event as it is told.
type Message struct {
	Version  int             `json:"version"`
	Kind     alert.EventKind `json:"kind"`
	Severity rule.Severity   `json:"severity"`
	Title    string          `json:"title"`
	Receiver string          `json:"receiver,omitempty"`
	Channel  string          `json:"channel,omitempty"`
	Incident string          `json:"incident,omitempty"`
	Seq      int             `json:"seq"`
	At       time.Time       `json:"at"`
	Note     string          `json:"note,omitempty"`
	Items    []Item          `json:"items"`
	// More alerts than are told one by one.
	More int `json:"more,omitempty"`
	// Firing of the incident yet.
	Firing   int      `json:"firing"`
	Downtime string   `json:"downtime,omitempty"`
	Missed   []Missed `json:"missed,omitempty"`
}

// Item is one alert of a message.
type Item struct {
	Key      string        `json:"key"`
	Rule     string        `json:"rule"`
	Kind     rule.Kind     `json:"kind"`
	Severity rule.Severity `json:"severity"`
	State    alert.State   `json:"state"`
	// Labels are the names and values that matchers see, the workflow's own labels too.
	Labels map[string]string `json:"labels,omitempty"`
	// Where is the address, or the part of the engine.
	Where string    `json:"where"`
	What  string    `json:"what"`
	Since time.Time `json:"since,omitzero"`
	// Usual time, Threshold, and Why it is that.
	Usual     string   `json:"usual,omitempty"`
	Threshold string   `json:"threshold,omitempty"`
	Why       string   `json:"why,omitempty"`
	ETA       string   `json:"eta,omitempty"`
	Task      string   `json:"task,omitempty"`
	Error     string   `json:"error,omitempty"`
	LogTail   string   `json:"log_tail,omitempty"`
	Changes   []string `json:"changes,omitempty"`
	Holders   []string `json:"holders,omitempty"`
	Notes     []string `json:"notes,omitempty"`
	Reason    string   `json:"reason,omitempty"` // why it resolved
	Ack       string   `json:"ack,omitempty"`
	Text      string   `json:"text,omitempty"`
	Owner     string   `json:"owner,omitempty"`
	Runbook   string   `json:"runbook,omitempty"`
	Link      string   `json:"link,omitempty"`
	// Commands to copy.
	Commands []Command `json:"commands,omitempty"`
}

// Command is a line for a shell, and what it does.
type Command struct {
	Do   string `json:"do"`
	Line string `json:"line"`
}

// Missed is a due run that never started, and how to start it.
type Missed struct {
	finding.Missed
	Start string `json:"start"`
}

// Of is the message of an event. memory are the flags with which `outrider-checker alerts`
// acts on the checker that tells it.
func Of(e alert.Event, memory ...string) Message {
	m := Message{
		Version: Version, Kind: e.Kind, Severity: e.Severity(), Receiver: e.Receiver, Channel: e.Channel, Incident: e.Incident,
		Seq: e.Seq, At: e.At, Note: e.Note, Firing: e.Firing, More: max(0, e.Total-len(e.Alerts)),
	}
	for _, a := range e.Alerts {
		m.Items = append(m.Items, item(a, memory))
	}
	if e.Kind == alert.Recovered {
		m.Downtime = threshold.Short(time.Duration(e.Downtime))
		if e.Merged {
			m.Note = strings.TrimSuffix("it began and ended before it could be told; "+m.Note, "; ")
		}
	}
	for _, x := range e.Missed {
		m.Missed = append(m.Missed, Missed{x, start(x)})
	}
	m.Title = title(m, e)
	return m
}

// title is one line: the state, how bad, where and what.
func title(m Message, e alert.Event) string {
	word := map[alert.EventKind]string{
		alert.New: strings.ToUpper(string(m.Severity)), alert.Update: "update", alert.Repeat: "still " + strings.ToUpper(string(m.Severity)),
		alert.Acknowledged: "acknowledged", alert.Escalated: "ESCALATED", alert.Recovered: "resolved", alert.Act: "act",
		alert.Acted: "acted",
	}[e.Kind]
	if len(m.Items) == 0 {
		return word
	}
	first := m.Items[0]
	switch {
	case e.Storm:
		return fmt.Sprintf("%s: %d alerts at once, such as %s: %s", word, e.Total, first.Where, first.What)
	case e.Total > 1:
		return fmt.Sprintf("%s: %s: %s, and %d more", word, first.Where, first.What, e.Total-1)
	case e.Kind == alert.Recovered && m.Downtime != "":
		return fmt.Sprintf("%s after %s: %s: %s", word, m.Downtime, first.Where, first.What)
	case e.Kind == alert.Update && first.State == alert.Resolved:
		word = "resolved"
	}
	return fmt.Sprintf("%s: %s: %s", word, first.Where, first.What)
}

func item(a alert.Alert, memory []string) Item {
	i := Item{
		Key: a.Key, Rule: a.Rule, Kind: a.Kind, Severity: a.Severity, State: a.State, Where: a.Where(), What: a.What, Since: a.Since,
		Labels: labels(a), LogTail: a.LogTail, Holders: a.Holders, Notes: a.Notes, Reason: a.Reason, Text: a.Text, Owner: a.Owner, Runbook: a.Runbook, Link: a.Link,
		Commands: commands(a, memory),
	}
	if l := a.Limit; l != nil {
		i.Usual, i.Threshold, i.Why = l.Usually(), threshold.Short(time.Duration(l.At)), l.Why()
	}
	if !a.ETA.IsZero() {
		i.ETA = Stamp(a.ETA)
	}
	if h := a.Holder; h != nil {
		i.Task, i.Error = task(*h), h.Error
	}
	for _, c := range a.Changes {
		i.Changes = append(i.Changes, change(c))
	}
	if a.Flapping {
		i.Notes = append(i.Notes[:len(i.Notes):len(i.Notes)], fmt.Sprintf("it comes and goes: %d times within an hour", len(a.Fires)))
	}
	if a.Ack != nil {
		i.Ack = a.Ack.By
		if a.Ack.Note != "" {
			i.Ack += ": " + a.Ack.Note
		}
	}
	return i
}

func labels(a alert.Alert) map[string]string {
	all := finding.Merge(a.Labels)
	if all == nil {
		all = map[string]string{}
	}
	for _, name := range []string{"rule", "kind", "severity", "source", "project", "workflow", "run", "task", "part", "signal", "owner"} {
		if value := a.Get(name); value != "" {
			all[name] = value
		}
	}
	return all
}

// task says which task holds a run, since when, and how long it usually takes.
func task(h finding.Task) string {
	var parts []string
	if h.Type != "" {
		parts = append(parts, h.Type)
	}
	if h.State != "" {
		parts = append(parts, h.State)
	}
	text := h.Name
	if len(parts) > 0 {
		text += " (" + strings.Join(parts, ", ") + ")"
	}
	if h.Elapsed > 0 {
		text += " for " + threshold.Short(time.Duration(h.Elapsed))
	}
	if h.Tries > 1 {
		text += fmt.Sprintf(", try %d", h.Tries)
	}
	if !h.RetryAt.IsZero() {
		text += ", next try at " + Stamp(h.RetryAt)
	}
	if h.Usual != "" {
		text += "; usually " + h.Usual
	}
	return text
}

func change(c finding.Change) string {
	if c.What == "parameter" {
		return "parameter " + c.Key + " has another value than in the last success"
	}
	return fmt.Sprintf("%s %s, which was %s in the last success", c.What, c.Now, c.Before)
}

// Stamp is a time as messages have it.
func Stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
