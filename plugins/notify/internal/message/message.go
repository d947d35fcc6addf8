// Package message knows what a Slack message looks like: what its texts and
// blocks may measure, how a text is made harmless, and how one is made of a
// template of digdag-slack. Everything here is pure: it reads no file and
// knows neither tokens nor networks.
package message

import "github.com/slack-go/slack/slackutilsx"

// Message is what is posted, as the JSON of an incoming webhook has it; the
// fields are those of chat.postMessage. Blocks and attachments stay what the
// caller wrote, so that a kind of block that Slack adds later works at once.
// https://docs.slack.dev/reference/methods/chat.postMessage
type Message struct {
	Channel     string           `json:"channel,omitempty"`
	ThreadTS    string           `json:"thread_ts,omitempty"`
	Username    string           `json:"username,omitempty"`
	IconEmoji   string           `json:"icon_emoji,omitempty"`
	IconURL     string           `json:"icon_url,omitempty"`
	Text        string           `json:"text,omitempty"`
	Blocks      []map[string]any `json:"blocks,omitempty"`
	Attachments []map[string]any `json:"attachments,omitempty"`
	// LinkNames is 1 or true in templates.
	LinkNames   any   `json:"link_names,omitempty"`
	Mrkdwn      *bool `json:"mrkdwn,omitempty"`
	UnfurlLinks *bool `json:"unfurl_links,omitempty"`
	UnfurlMedia *bool `json:"unfurl_media,omitempty"`
}

// Empty says that there is nothing to be seen in m.
func (m Message) Empty() bool {
	return m.Text == "" && len(m.Blocks) == 0 && len(m.Attachments) == 0
}

// Escape makes text plain to Slack: with &, < and > escaped, nothing in it is a
// mention or a link that it was not meant to be. Emoji shortcodes stay.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
func Escape(text string) string { return slackutilsx.EscapeMessage(text) }
