package slacktest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Message is one that stands in a channel.
type Message struct {
	Channel string // its id
	TS      string
	// Thread is the ts of the thread's first message, "" outside of one.
	Thread   string
	Text     string
	Blocks   []map[string]any
	Metadata json.RawMessage
	// Edits is how often it was changed.
	Edits int
}

// Messages are all, in the order in which they came.
func (s *Server) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all()
}

func (s *Server) all() (all []Message) {
	for _, m := range s.messages {
		all = append(all, *m)
	}
	return all
}

// Threads are the messages by thread, the first message first.
func (s *Server) Threads() (all [][]Message) {
	messages := s.Messages()
	for _, first := range messages {
		if first.Thread != "" {
			continue
		}
		thread := []Message{first}
		for _, m := range messages {
			if m.Thread == first.TS && m.Channel == first.Channel {
				thread = append(thread, m)
			}
		}
		all = append(all, thread)
	}
	return all
}

// Delete removes a message, as a person does.
func (s *Server) Delete(ts string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.messages = slices.DeleteFunc(s.messages, func(m *Message) bool { return m.TS == ts })
}

// Seen is all that a person sees of the message: the text of its blocks, or its text where
// there are none, with Slack's escapes undone.
func (m Message) Seen() string {
	if len(m.Blocks) == 0 {
		return seen.Replace(m.Text)
	}
	var parts []string
	texts(m.Blocks, func(object map[string]any) { parts = append(parts, object["text"].(string)) })
	return seen.Replace(strings.Join(parts, "\n"))
}

var (
	seen    = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
	special = regexp.MustCompile(`<[^>]*>?`)
	link    = regexp.MustCompile(`^<https?://[^\s<>|]+(\|[^<>|]*)?>$`)
)

// Special are the parts that Slack makes a mention of, or anything but a link and text.
func (m Message) Special() (all []string) {
	look := func(text string) {
		for _, part := range special.FindAllString(text, -1) {
			if !link.MatchString(part) {
				all = append(all, part)
			}
		}
	}
	look(m.Text)
	texts(m.Blocks, func(object map[string]any) { look(object["text"].(string)) })
	return all
}

// texts calls do for every text object of blocks.
func texts(v any, do func(object map[string]any)) {
	switch v := v.(type) {
	case []map[string]any:
		for _, b := range v {
			texts(b, do)
		}
	case []any:
		for _, b := range v {
			texts(b, do)
		}
	case map[string]any:
		if _, ok := v["text"].(string); ok {
			do(v)
			return
		}
		for _, key := range []string{"text", "fields", "elements"} {
			texts(v[key], do)
		}
	}
}
