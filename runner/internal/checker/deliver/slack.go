package deliver

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

const (
	// eventType is that of the metadata of our messages.
	eventType = "outrider_alert"
	// slackTimeout ends a call before the Deliverer's own time for it is over, so that the
	// component itself says what it knows.
	slackTimeout = 30 * time.Second
	// clocksApart is how far Slack's clock may be behind ours.
	clocksApart = 10 * time.Minute
)

// thread is where an incident's first message stands: the receipt, which is slack.post's
// output.
type thread struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
	Thread  string `json:"thread"`
}

// decodeThread is the zero thread of what is no receipt of Slack's, such as a webhook's.
func decodeThread(receipt json.RawMessage) (t thread) {
	if json.Unmarshal(receipt, &t) != nil || t.TS == "" || t.Channel == "" {
		return thread{}
	}
	if t.Thread == "" {
		t.Thread = t.TS
	}
	return t
}

// metadata is what the message of an event is known by, whoever has posted it.
func metadata(m message.Message) map[string]any {
	return map[string]any{"event_type": eventType, "event_payload": map[string]any{"incident": m.Incident, "seq": m.Seq}}
}

// addSlack adds what slack.post is to post: in the incident's thread, if there is one.
func addSlack(params map[string]any, m message.Message, t thread) {
	addLayout(params, m)
	if !has(params, "token") { // a webhook has neither threads nor metadata
		return
	}
	if m.Incident != "" {
		add(params, "metadata", metadata(m))
	}
	if m.Channel != "" {
		params["channel"] = m.Channel
	}
	if t.TS != "" {
		params["channel"], params["thread"] = t.Channel, t.Thread
	}
}

// addLayout adds what is to be seen.
func addLayout(params map[string]any, m message.Message) {
	add(params, "timeout", slackTimeout.String())
	if has(params, "text", "blocks", "template") {
		return
	}
	// slack.post escapes the text.
	params["text"] = icon(m) + " " + message.Plain(oneLine(m.Title))
	params["blocks"] = layout(m)
}

// isMarkup reports whether Slack reads markup in a parameter of slack.post.
func isMarkup(key string, params map[string]any) bool {
	return key == "blocks" || params["mrkdwn"] == true && (key == "text" || key == "values")
}

// adopting makes slack.post look for the message first. It is not made where the
// receiver has metadata of its own, or none.
func adopting(params json.RawMessage, m message.Message, since time.Time) json.RawMessage {
	return patch(params, func(p map[string]any) {
		want, err := json.Marshal(metadata(m))
		if has, err2 := json.Marshal(p["metadata"]); err != nil || err2 != nil || string(has) != string(want) {
			return
		}
		p["adopt"], p["adopt_since"] = true, since.Add(-clocksApart).UTC().Format(time.RFC3339)
	})
}

// editing makes of a recovery's parameters those that turn the incident's first message
// into it.
func editing(params json.RawMessage, t thread) json.RawMessage {
	return patch(params, func(p map[string]any) {
		delete(p, "thread")
		delete(p, "metadata")
		p["channel"], p["update"] = t.Channel, t.TS
	})
}

func patch(params json.RawMessage, do func(p map[string]any)) json.RawMessage {
	var p map[string]any
	if json.Unmarshal(params, &p) != nil {
		return params
	}
	do(p)
	out, err := json.Marshal(p)
	if err != nil {
		return params
	}
	return out
}

// icon is seen first.
func icon(m message.Message) string {
	switch {
	case m.Kind == alert.Recovered, m.Kind == alert.Update && len(m.Items) > 0 && m.Items[0].State == alert.Resolved:
		return "🟢"
	case m.Kind == alert.Acknowledged:
		return "👀"
	case m.Kind == alert.Escalated:
		return "🚨"
	}
	switch m.Severity {
	case rule.Critical:
		return "🔴"
	case rule.Warning:
		return "🟠"
	}
	return "🔵"
}

func number(n int) string { return strconv.Itoa(n) }
