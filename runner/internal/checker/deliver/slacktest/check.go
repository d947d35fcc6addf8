package slacktest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"unicode/utf16"
)

// write takes text and blocks of a call, or returns Slack's error with what is wrong.
func (m *Message) write(form url.Values) string {
	text := form.Get("text")
	if units(text) > 40_000 {
		return "msg_too_long"
	}
	var blocks []map[string]any
	if raw := form.Get("blocks"); raw != "" {
		if err := json.Unmarshal([]byte(raw), &blocks); err != nil {
			return "invalid_blocks_format"
		}
	}
	if text == "" && len(blocks) == 0 {
		return "no_text"
	}
	if len(blocks) > 50 {
		return fmt.Sprintf("invalid_blocks: %d blocks, at most 50", len(blocks))
	}
	for i, b := range blocks {
		if wrong := check(b); wrong != "" {
			return fmt.Sprintf("invalid_blocks: block %d: %s", i, wrong)
		}
	}
	m.Text, m.Blocks = text, blocks
	return ""
}

// check says what is wrong with a block.
// https://docs.slack.dev/reference/block-kit/blocks
func check(b map[string]any) string {
	switch b["type"] {
	case "divider":
		return ""
	case "header":
		if object, ok := b["text"].(map[string]any); !ok || object["type"] != "plain_text" {
			return "a header's text is plain_text"
		}
		return checkText(b["text"], 150)
	case "section":
		fields, _ := b["fields"].([]any)
		if b["text"] == nil && len(fields) == 0 || len(fields) > 10 {
			return "a section has a text or 1 to 10 fields"
		}
		for _, f := range fields {
			if wrong := checkText(f, 2000); wrong != "" {
				return wrong
			}
		}
		if b["text"] == nil {
			return ""
		}
		return checkText(b["text"], 3000)
	case "context":
		elements, _ := b["elements"].([]any)
		if len(elements) == 0 || len(elements) > 10 {
			return "a context has 1 to 10 elements"
		}
		for _, e := range elements {
			if wrong := checkText(e, 3000); wrong != "" {
				return wrong
			}
		}
		return ""
	}
	return fmt.Sprintf("unsupported type: %v", b["type"])
}

// checkText says what is wrong with a text object.
// https://docs.slack.dev/reference/block-kit/composition-objects/text-object
func checkText(v any, most int) string {
	object, ok := v.(map[string]any)
	if !ok {
		return "want a text object"
	}
	text, ok := object["text"].(string)
	if n := units(text); !ok || n == 0 || n > most {
		return fmt.Sprintf("a text of %d characters, want 1 to %d", n, most)
	}
	for key := range object {
		switch {
		case key == "type" && (object["type"] == "plain_text" || object["type"] == "mrkdwn"):
		case key == "text":
		case key == "emoji" && object["type"] == "plain_text", key == "verbatim" && object["type"] == "mrkdwn":
		default:
			return fmt.Sprintf("%s %v does not go with the type %v", key, object[key], object["type"])
		}
	}
	if object["type"] == nil {
		return "a text object has a type"
	}
	return ""
}

// units are characters as UTF-16 counts them, which finds the most.
func units(text string) (n int) {
	for _, r := range text {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

func validMetadata(raw json.RawMessage) bool {
	var m struct {
		EventType    string         `json:"event_type"`
		EventPayload map[string]any `json:"event_payload"`
	}
	return json.Unmarshal(raw, &m) == nil && m.EventType != "" && m.EventPayload != nil
}
