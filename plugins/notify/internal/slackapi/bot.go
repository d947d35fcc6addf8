package slackapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/slack-go/slack"

	"github.com/outrider-run/outrider/plugins/notify/internal/message"
)

// Bot posts with a bot token.
type Bot struct {
	// API is the address that the methods' names follow, such as
	// https://slack.com/api/.
	API   string
	Token string
}

// Extra is what only a bot can do.
type Extra struct {
	// Update is the ts of a message to replace, "" to post one.
	Update   string
	Metadata *slack.SlackMetadata
}

// Posted is where a message stands.
type Posted struct {
	Channel string // its id
	TS      string
	// Thread is the ts of the thread that it stands in, "" outside of one.
	Thread string
}

// Post posts m once, or updates a message to be m.
func (b Bot) Post(ctx context.Context, m message.Message, extra Extra) (Posted, error) {
	options, err := optionsOf(m, extra)
	if err != nil {
		return Posted{}, &Fault{Code: "invalid_blocks", Permanent: true, Text: err.Error()}
	}
	api := b.client()
	var p Posted
	if extra.Update != "" {
		p.Channel, p.TS, _, err = api.UpdateMessageContext(ctx, m.Channel, extra.Update, options...)
	} else {
		var full slack.Message
		p.Channel, p.TS, full, err = api.PostMessageWithResponseContext(ctx, m.Channel, options...)
		p.Thread = full.ThreadTimestamp
	}
	if err != nil {
		return Posted{}, b.fault(err)
	}
	if p.TS == "" {
		return Posted{}, notSlack("says neither ok nor why not")
	}
	return p, nil
}

func (b Bot) client() *slack.Client {
	return slack.New(b.Token, slack.OptionAPIURL(strings.TrimSuffix(b.API, "/")+"/"), slack.OptionHTTPClient(newHTTP(b.Token)))
}

func optionsOf(m message.Message, extra Extra) ([]slack.MsgOption, error) {
	options := []slack.MsgOption{slack.MsgOptionText(m.Text, false)}
	add := func(when bool, o slack.MsgOption) {
		if when {
			options = append(options, o)
		}
	}
	// An update keeps what it does not name; with an empty list it is gone.
	// https://docs.slack.dev/reference/methods/chat.update#arg_attachments
	if len(m.Blocks) > 0 || extra.Update != "" {
		blocks, err := blocksOf(m.Blocks)
		if err != nil {
			return nil, err
		}
		add(true, slack.MsgOptionBlocks(blocks...))
	}
	if len(m.Attachments) > 0 || extra.Update != "" {
		attachments, err := attachmentsOf(m.Attachments)
		if err != nil {
			return nil, err
		}
		add(true, slack.MsgOptionAttachments(attachments...))
	}
	add(m.ThreadTS != "", slack.MsgOptionTS(m.ThreadTS))
	add(m.Username != "", slack.MsgOptionUsername(m.Username))
	add(m.IconEmoji != "", slack.MsgOptionIconEmoji(m.IconEmoji))
	add(m.IconURL != "", slack.MsgOptionIconURL(m.IconURL))
	add(m.LinkNames == true || m.LinkNames == 1.0, slack.MsgOptionLinkNames(true))
	add(m.Mrkdwn != nil && !*m.Mrkdwn, slack.MsgOptionDisableMarkdown())
	if m.UnfurlLinks != nil && *m.UnfurlLinks {
		add(true, slack.MsgOptionEnableLinkUnfurl())
	} else if m.UnfurlLinks != nil {
		add(true, slack.MsgOptionDisableLinkUnfurl())
	}
	add(m.UnfurlMedia != nil && !*m.UnfurlMedia, slack.MsgOptionDisableMediaUnfurl())
	if extra.Metadata != nil {
		add(true, slack.MsgOptionMetadata(*extra.Metadata))
	}
	return options, nil
}

// blocksOf keeps each as it is, also one of a kind that slack-go does not know.
func blocksOf(in []map[string]any) ([]slack.Block, error) {
	out := make([]slack.Block, len(in))
	for i, b := range in {
		raw, err := json.Marshal(b)
		if err == nil {
			out[i], err = slack.BlockFromJSON(string(raw))
		}
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", i+1, err)
		}
	}
	return out, nil
}

func attachmentsOf(in []map[string]any) ([]slack.Attachment, error) {
	out := make([]slack.Attachment, len(in))
	for i, a := range in {
		raw, err := json.Marshal(a)
		if err == nil {
			err = json.Unmarshal(raw, &out[i])
		}
		if err != nil {
			return nil, fmt.Errorf("attachment %d is none that Slack takes: %w", i+1, err)
		}
	}
	return out, nil
}

// fault leaves what the network did to Within.
func (b Bot) fault(err error) error {
	var refused slack.SlackErrorResponse
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &refused):
		return ofCode(refused.Err, hiding(b.Token)(detailOf(refused)))
	case errors.As(err, &syntax), errors.As(err, &kind):
		return notSlack("is not Slack's JSON")
	}
	return err
}

func detailOf(r slack.SlackErrorResponse) string {
	var parts []string
	if r.Needed != "" {
		parts = append(parts, "needed: "+r.Needed)
	}
	if r.Provided != "" {
		parts = append(parts, "the token has: "+r.Provided)
	}
	return strings.Join(append(parts, r.ResponseMetadata.Messages...), "; ")
}

func notSlack(what string) *Fault {
	return &Fault{Code: "bad_answer", Text: "the answer " + what + ": is api_url right, or does a proxy answer?"}
}
