package deliver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// Receiver is where events are told: a component, the console or a file.
type Receiver struct {
	Name string
	// Component and its Params, a JSON object. Their strings that hold {{ are Go templates
	// over a message.Message, in which {{text .}} is the whole of it as plain text.
	Component string
	Params    json.RawMessage
	// Template is what is added to Params: one of the constants; "" for the component's own.
	Template string
	// Console says that it is the console; File is a path that lines of JSON are added to.
	Console bool
	File    string
	// Fallback is the receiver that is told when this one stays down; "" for the console.
	Fallback string
	// Recovered says that recoveries are told.
	Recovered bool
}

// The templates.
const (
	// Slack makes text, blocks and metadata for slack.post, one thread an incident.
	Slack = "slack"
	// Text makes title and message, as notify.send has them.
	Text = "text"
	// Webhook makes the body of the webhooks that Alertmanager sends, for http.request. The
	// API of Alertmanager itself takes another.
	Webhook = "webhook"
	// JSON is the message.Message itself: http.request's json, else the parameter message.
	JSON = "json"
	// Bare adds nothing: the receiver's own params say all.
	Bare = "bare"
)

// The components whose parameters are known here.
const (
	slackPost   = "slack.post"
	notifySend  = "notify.send"
	httpRequest = "http.request"
)

// Console is the receiver that there always is.
func Console() Receiver { return Receiver{Name: alert.Console, Console: true, Recovered: true} }

// template is the one that a receiver has, or that is its component's own.
func (r Receiver) template() string {
	switch {
	case r.Template != "":
		return r.Template
	case r.Component == slackPost:
		return Slack
	case r.Component == notifySend:
		return Text
	case r.Component == httpRequest:
		return Webhook
	case bytes.Contains(r.Params, []byte("{{")):
		return Bare
	}
	return JSON
}

// Validate names what is wrong with a receiver: fields that do not go together, or a
// template that cannot be read or that no message could fill in.
func (r Receiver) Validate() error {
	kinds := 0
	for _, is := range []bool{r.Component != "", r.Console, r.File != ""} {
		if is {
			kinds++
		}
	}
	if kinds != 1 {
		return errors.New("give one of component, console and file")
	}
	if r.Component == "" {
		if len(r.Params) > 0 || r.Template != "" {
			return errors.New("params and template: they are for a component; there is none")
		}
		return nil
	}
	may := map[string][]string{slackPost: {Slack}, notifySend: {Text}, httpRequest: {Webhook, JSON}}[r.Component]
	if may == nil {
		may = []string{Text, Webhook, JSON}
	}
	if may = append(may, Bare); !slices.Contains(may, r.template()) {
		return fmt.Errorf("template: %q is none for %s: want one of %s", r.Template, r.Component, strings.Join(may, ", "))
	}
	params, err := r.params()
	if err != nil {
		return err
	}
	var errs []error
	walk(params, "params", func(at, text string) string {
		errs = append(errs, CheckTemplate(at, text))
		return text
	})
	return errors.Join(errs...)
}

// CheckTemplate says why a text, by the name of where it stands, is no template, or one
// that no message could fill in. Which labels there are and how long a list is differ
// from message to message: what fails by them alone is not told.
func CheckTemplate(at, text string) error {
	t, err := parse(at, text)
	if err != nil {
		return err
	}
	err = t.Option("missingkey=zero").Execute(io.Discard, Sample())
	if err != nil && strings.Contains(err.Error(), "out of range") {
		return nil
	}
	return err
}

// Sample is a message that has a bit of everything, to try receivers with.
func Sample() message.Message {
	at := time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	it := message.Item{
		Key: "sample|etl/daily", Rule: "sample", Kind: rule.Failed, Severity: rule.Warning, State: alert.Firing,
		Labels: map[string]string{"source": "sample", "project": "etl", "workflow": "daily"},
		Where:  "sample:etl/daily@9", What: "failed: this is a sample", Since: at.Add(-time.Hour), Usual: "10m", Threshold: "20m", Why: "usual*2",
		ETA: "09:10", Task: "+load", Error: "no such table", LogTail: "row 1\nrow 2", Changes: []string{"the revision"}, Holders: []string{"etl/other@8"},
		Notes: []string{"a note"}, Reason: "it succeeded", Ack: "somebody", Text: "ask the owner", Owner: "data", Runbook: "https://wiki.example/etl",
		Link: "https://engine.example/9", Commands: []message.Command{{Do: "retry", Line: "outrider retry sample:etl/daily@9"}},
	}
	return message.Message{
		Version: message.Version, Kind: alert.New, Severity: it.Severity, Title: "WARNING: " + it.Where + ": " + it.What, Receiver: "sample", Channel: "sample",
		Incident: "sample|etl", Seq: 1, At: at, Note: "a note", Items: []message.Item{it, it, it}, More: 1, Firing: 4, Downtime: "1h",
		Missed: []message.Missed{{Missed: finding.Missed{Address: "sample:etl/daily", At: at, Session: at}, Start: "outrider start sample:etl/daily"}},
	}
}

// params are the receiver's own, a copy.
func (r Receiver) params() (map[string]any, error) {
	params := map[string]any{}
	if len(r.Params) == 0 {
		return params, nil
	}
	d := json.NewDecoder(bytes.NewReader(r.Params))
	d.UseNumber()
	if err := d.Decode(&params); err != nil || params == nil {
		return nil, fmt.Errorf("params: want an object: %w", err)
	}
	return params, nil
}

// fallback is who is told what a receiver cannot be told; "" for nobody. Where fallbacks
// lead back to the receiver it is the console.
func fallback(all map[string]Receiver, name string) string {
	if name == alert.Console {
		return ""
	}
	next := func(name string) string {
		if r, ok := all[name]; ok && r.Fallback != "" {
			return r.Fallback
		}
		return alert.Console
	}
	to := next(name)
	for at, hops := to, 0; at != alert.Console; at, hops = next(at), hops+1 {
		if at == name || hops > len(all) {
			return alert.Console
		}
	}
	return to
}
