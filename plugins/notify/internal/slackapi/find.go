package slackapi

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

const (
	// mostLooked is how many messages Find looks at, a page of them at a time.
	mostLooked, lookedPage = 1000, 100
	// mostChannels bounds the pages, of 1,000 each, in which a channel's name is looked up.
	mostChannels = 20
)

// Mark is what a message of ours is known by.
type Mark struct {
	Channel  string // its id, or its name
	Thread   string // "" for the channel itself
	Metadata slack.SlackMetadata
	// Since is when it was posted at the earliest; zero for any time.
	Since time.Time
}

// Find looks for a message with exactly this metadata, in the thread or else among the
// channel's own messages. ok is false where there is none among the newest 1,000, in a
// thread the first 1,000 since then.
func (b Bot) Find(ctx context.Context, m Mark) (p Posted, ok bool, err error) {
	api := b.client()
	want, err := json.Marshal(m.Metadata)
	if err != nil {
		return Posted{}, false, &Fault{Code: "invalid_metadata_format", Permanent: true, Text: fmt.Sprintf("the metadata is no JSON: %v", err)}
	}
	if m.Channel, err = channelID(ctx, api, m.Channel); err != nil {
		return Posted{}, false, b.fault(err)
	}
	cursor := ""
	for range mostLooked / lookedPage {
		var page []slack.Message
		if page, cursor, err = look(ctx, api, m, cursor); err != nil {
			return Posted{}, false, b.fault(err)
		}
		for _, said := range page {
			if said.Metadata.EventType != m.Metadata.EventType {
				continue
			}
			if has, err := json.Marshal(said.Metadata); err == nil && string(has) == string(want) {
				return Posted{Channel: m.Channel, TS: said.Timestamp, Thread: said.ThreadTimestamp}, true, nil
			}
		}
		if cursor == "" {
			break
		}
	}
	return Posted{}, false, nil
}

// look reads one page of a channel's messages, or of a thread's.
func look(ctx context.Context, api *slack.Client, m Mark, cursor string) ([]slack.Message, string, error) {
	oldest := ""
	if !m.Since.IsZero() {
		oldest = strconv.FormatInt(m.Since.Unix(), 10)
	}
	if m.Thread != "" {
		page, more, next, err := api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: m.Channel, Timestamp: m.Thread, Cursor: cursor, Limit: lookedPage, Oldest: oldest, Inclusive: true, IncludeAllMetadata: true,
		})
		if !more {
			next = ""
		}
		return page, next, err
	}
	page, err := api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: m.Channel, Cursor: cursor, Limit: lookedPage, Oldest: oldest, Inclusive: true, IncludeAllMetadata: true,
	})
	if err != nil {
		return nil, "", err
	}
	if !page.HasMore {
		page.ResponseMetaData.NextCursor = ""
	}
	return page.Messages, page.ResponseMetaData.NextCursor, nil
}

var isID = regexp.MustCompile(`^[CGD][A-Z0-9]{5,}$`)

// channelID is the id of a channel that is named; only posting takes names.
func channelID(ctx context.Context, api *slack.Client, channel string) (string, error) {
	if isID.MatchString(channel) {
		return channel, nil
	}
	name := strings.TrimPrefix(channel, "#")
	for _, kind := range []string{"public_channel", "private_channel"} { // each has a scope of its own
		cursor := ""
		for range mostChannels {
			all, next, err := api.GetConversationsContext(ctx, &slack.GetConversationsParameters{
				Cursor: cursor, Limit: 1000, Types: []string{kind}, ExcludeArchived: true,
			})
			if err != nil {
				return "", err
			}
			for _, c := range all {
				if c.Name == name {
					return c.ID, nil
				}
			}
			if cursor = next; cursor == "" {
				break
			}
		}
	}
	return "", ofCode("channel_not_found", "")
}
