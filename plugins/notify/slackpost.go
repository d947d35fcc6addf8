package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/slack-go/slack"

	"github.com/outrider-run/outrider/plugins/notify/internal/message"
	"github.com/outrider-run/outrider/plugins/notify/internal/slackapi"
	"github.com/outrider-run/outrider/sdk"
)

// mostTemplate is what a template may measure, in bytes.
const mostTemplate = 1 << 20

type slackParams struct {
	Token    sdk.Secret        `json:"token,omitzero" help:"A bot token (xoxb-…) of an app with the scope chat:write; this or webhook"`
	Webhook  sdk.Secret        `json:"webhook,omitzero" help:"The address of an incoming webhook; this or token"`
	Channel  string            `json:"channel,omitempty" help:"The channel's id, or its name such as #alerts; a webhook has its own"`
	Text     string            `json:"text,omitempty" help:"The message; beside blocks what notifications show"`
	Mrkdwn   bool              `json:"mrkdwn" help:"The text and the template's values are Slack's mrkdwn: &, < and > are not escaped, formatting, mentions and links work, and a template's link_names" default:"false"`
	Blocks   []map[string]any  `json:"blocks,omitempty" help:"Block Kit blocks, sent as they are"`
	Template string            `json:"template,omitempty" help:"A file with a message in YAML, as digdag-slack has it, in place of text and blocks"`
	Values   map[string]string `json:"values,omitempty" help:"What stands for each ${name} of the template, by the text between the braces"`
	Thread   string            `json:"thread,omitempty" help:"Reply in this thread: the ts of a message in the channel"`
	Update   string            `json:"update,omitempty" help:"Replace the message with this ts, its blocks and attachments too, instead of posting one; needs token and channel as slack.post put them out"`
	Metadata *slackMetadata    `json:"metadata,omitempty" help:"Message metadata, which programs can read; needs token"`
	Adopt    bool              `json:"adopt" help:"Look for a message with the very same metadata first, in the channel or the thread, and if it stands there take it for this one instead of posting; needs token, metadata and the scope channels:history (groups:history in a private channel), with a channel's name channels:read (groups:read)" default:"false"`
	Since    time.Time         `json:"adopt_since,omitzero" help:"With adopt: it was not posted before"`
	Timeout  time.Duration     `json:"timeout" help:"How long it may take in all, with what Slack asks to wait" default:"1m" min:"1s"`
	APIURL   string            `json:"api_url" help:"Where Slack's API is" default:"https://slack.com/api/"`
}

type slackMetadata struct {
	EventType    string         `json:"event_type" help:"What kind of message it is" min:"1"`
	EventPayload map[string]any `json:"event_payload" help:"Anything about it" default:"{}"`
}

// Validate checks what a tag cannot say.
func (p slackParams) Validate() error {
	token, hook := p.Token.Reveal() != "", p.Webhook.Reveal() != ""
	written := p.Text != "" || len(p.Blocks) > 0
	switch {
	case token == hook:
		return errors.New("give either token or webhook, not empty")
	case hook && (p.Update != "" || p.Metadata != nil):
		return errors.New("webhook: it can neither update a message nor carry metadata; use token")
	case p.Adopt && (p.Metadata == nil || p.Update != ""):
		return errors.New("adopt: it looks for the metadata of a message to be posted: give metadata, and leave update out")
	case !p.Adopt && !p.Since.IsZero():
		return errors.New("adopt_since: is for adopt; there is none")
	case written == (p.Template != ""):
		return errors.New("give either text or blocks, or a template")
	case len(p.Values) > 0 && p.Template == "":
		return errors.New("values: they are for a template; there is none")
	case p.Update != "" && p.Thread != "":
		return errors.New("thread: a message that is updated stays where it is; leave it out")
	case token && p.Channel == "" && p.Template == "":
		return errors.New("channel: is required with token")
	}
	return nil
}

type slackOutput struct {
	Channel string   `json:"channel" help:"The channel's id; empty from a webhook"`
	TS      string   `json:"ts" help:"The message's id in the channel, for update; empty from a webhook"`
	Thread  string   `json:"thread" help:"What replies give as thread"`
	Cut     []string `json:"cut" help:"What was longer than Slack takes, such as blocks.0.text.text"`
	Adopted bool     `json:"adopted" help:"It stood there already, and was not posted again"`
}

func slackPost() sdk.Component {
	return sdk.Define("slack.post", postToSlack,
		sdk.Doc(`Posts a message to Slack, or updates one.

With a bot token it puts out channel and ts: give both to a later call to update the message (update), or the output thread to reply (thread). A webhook gives back nothing of that, and posts to its own channel.

The text is plain: formatting, mentions and links in it are shown as they are written, unless mrkdwn is set. Emoji such as :tada: work. What is longer than Slack takes is cut, with a mark, and told in the output cut: 40,000 characters of text, 50 blocks, 3,000 characters of a section.

When Slack asks to wait it waits, as long as timeout allows; else it fails and says how long. A message that Slack may have taken is not sent twice: that failure is for the caller to retry. Give metadata that no other message has, and retry with adopt: the message is not posted if it stands there. When the token may not look, it is posted, and the log says so.

A template is read as digdag-slack reads it, but ${name} is looked up in values, and nothing is computed. Its formatting is Slack's; its values mention nobody, and link_names is left out, unless mrkdwn is set.`),
		sdk.Example("A message", `{"token": "env:SLACK_TOKEN", "channel": "#alerts", "text": "orders are late :hourglass:"}`),
		sdk.Example("A reply in a thread", `{"token": "env:SLACK_TOKEN", "channel": "C024BE91L", "thread": "1503435956.000247", "text": "they are there now"}`),
		sdk.Example("A template of digdag-slack", `{"webhook": "env:SLACK_WEBHOOK", "template": "good-template.yml", "values": {"task_name": "+load", "session_date": "2026-03-01"}}`))
}

func postToSlack(ctx context.Context, run *sdk.Run, p slackParams) (slackOutput, error) {
	m, err := compose(run, p)
	if err != nil {
		return slackOutput{}, sdk.Permanent(sdk.Code("bad_template", err))
	}
	if p.Token.Reveal() != "" && m.Channel == "" {
		return slackOutput{}, sdk.Permanent(sdk.Code("bad_template", errors.New("neither channel nor the template says where to post")))
	}
	m, cut := message.Fit(m)
	if len(cut) > 0 {
		run.Log().Warn("the message is longer than Slack takes: it was cut", "where", cut)
	}
	posted, adopted, err := send(ctx, run, p, m)
	if err != nil {
		return slackOutput{}, verdict(err)
	}
	if p.Thread != "" && p.Token.Reveal() != "" && posted.Thread == "" {
		run.Log().Warn("the message stands outside of a thread: the one it was to reply to is gone", "thread", p.Thread)
	}
	thread := posted.Thread
	if thread == "" {
		thread = posted.TS
	}
	if cut == nil {
		cut = []string{}
	}
	return slackOutput{Channel: posted.Channel, TS: posted.TS, Thread: thread, Cut: cut, Adopted: adopted}, nil
}

// compose makes the message of the parameters, or of the template.
func compose(run *sdk.Run, p slackParams) (message.Message, error) {
	m := message.Message{Text: p.Text, Blocks: p.Blocks}
	if !p.Mrkdwn {
		// Escaped it mentions nobody; without mrkdwn *, _, ~ and ` are what they are.
		m.Text, m.Mrkdwn = message.Escape(p.Text), new(bool)
	}
	if p.Template != "" {
		source, err := readFile(p.Template, mostTemplate)
		if err != nil {
			return m, err
		}
		var unknown []string
		if m, unknown, err = message.Template(source, p.Values, p.Mrkdwn); err != nil {
			return m, fmt.Errorf("%s: %w", p.Template, err)
		}
		if len(unknown) > 0 {
			run.Log().Warn("the template has keys that no message has: they are left out", "keys", unknown)
		}
		if m.LinkNames != nil && !p.Mrkdwn {
			// With it Slack makes a mention of every @name, in values too.
			m.LinkNames = nil
			run.Log().Warn("the template's link_names is left out, since values could mention anyone by it: set mrkdwn to keep it")
		}
	}
	if p.Channel != "" {
		m.Channel = p.Channel
	}
	if p.Thread != "" {
		m.ThreadTS = p.Thread
	}
	return m, nil
}

func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("the template: %w", err)
	}
	defer func() { _ = f.Close() }()
	raw, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(raw)) > most {
		err = fmt.Errorf("%s is larger than %v", path, sdk.Bytes(most))
	}
	if err != nil {
		return nil, fmt.Errorf("the template: %w", err)
	}
	return raw, nil
}

// send posts m, or adopts it.
func send(ctx context.Context, run *sdk.Run, p slackParams, m message.Message) (posted slackapi.Posted, adopted bool, err error) {
	secret := p.Webhook.Reveal()
	try := func(ctx context.Context) error { return slackapi.PostWebhook(ctx, secret, m) }
	if token := p.Token.Reveal(); token != "" {
		secret = token
		bot, extra := slackapi.Bot{API: p.APIURL, Token: token}, slackapi.Extra{Update: p.Update}
		if p.Metadata != nil {
			extra.Metadata = &slack.SlackMetadata{EventType: p.Metadata.EventType, EventPayload: p.Metadata.EventPayload}
		}
		try = func(ctx context.Context) (err error) {
			if p.Adopt {
				mark := slackapi.Mark{Channel: m.Channel, Thread: p.Thread, Metadata: *extra.Metadata, Since: p.Since}
				if posted, adopted, err = bot.Find(ctx, mark); adopted || err != nil && !mayNotLook(run, err) {
					return err
				}
			}
			posted, err = bot.Post(ctx, m, extra)
			return err
		}
	}
	told := func(f *slackapi.Fault, wait time.Duration) {
		run.Log().Info("waiting to post again", "why", f.Code, "wait", wait.Round(time.Millisecond).String())
	}
	err = slackapi.Within(ctx, p.Timeout, secret, told, try)
	return posted, adopted, err
}

// mayNotLook says that looking for the message will never work: then it is posted, since
// a message that stands there twice is better than none.
func mayNotLook(run *sdk.Run, err error) bool {
	var f *slackapi.Fault
	if !errors.As(err, &f) || !f.Permanent {
		return false
	}
	run.Log().Warn("cannot look whether the message was posted before: it is posted, perhaps again", "why", f.Code, "what", f.Text)
	return true
}

// verdict tells the host what a failure means for a retry.
func verdict(err error) error {
	var f *slackapi.Fault
	if !errors.As(err, &f) {
		return err // cancelled
	}
	err = sdk.Code(f.Code, err)
	switch {
	case f.Permanent:
		return sdk.Permanent(err)
	case f.Wait > 0:
		return sdk.RetryAfter(f.Wait, err)
	}
	return err
}
