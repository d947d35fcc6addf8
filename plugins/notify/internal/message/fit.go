package message

import (
	"fmt"
	"maps"
	"slices"
)

// Slack's limits, in characters and in members of a list.
// https://docs.slack.dev/reference/block-kit/blocks and, for the text,
// https://docs.slack.dev/reference/methods/chat.postMessage#truncating
const (
	mostText        = 40_000
	mostBlocks      = 50
	mostAttachments = 100
	mostSection     = 3_000
	mostFields      = 10
	mostField       = 2_000
	mostHeader      = 150
	mostContext     = 10
	mostMarkdown    = 12_000
	mostImageText   = 2_000
)

// Fit returns m within Slack's limits, and where something had to be cut, such
// as blocks.0.text. What m holds is not changed.
func Fit(m Message) (Message, []string) {
	f := fitter{}
	m.Text = f.text("text", m.Text, mostText)
	m.Blocks = f.blocks("blocks", m.Blocks)
	all := m.Attachments
	m.Attachments = cutList(&f, "attachments", all, mostAttachments, func(more int) map[string]any {
		return map[string]any{"text": leftOut(more, "attachments")}
	})
	m.Attachments = slices.Clone(m.Attachments)
	for i, a := range m.Attachments {
		if inner, ok := objects(a["blocks"]); ok {
			m.Attachments[i] = with(a, "blocks", f.blocks(fmt.Sprintf("attachments.%d.blocks", i), inner))
		}
	}
	return m, f.cut
}

type fitter struct{ cut []string }

func (f *fitter) text(at, text string, most int) string {
	short := Cut(text, most)
	if short != text {
		f.cut = append(f.cut, at)
	}
	return short
}

func (f *fitter) blocks(at string, blocks []map[string]any) []map[string]any {
	blocks = slices.Clone(cutList(f, at, blocks, mostBlocks, func(more int) map[string]any {
		return map[string]any{"type": "context", "elements": []any{plain(leftOut(more, "blocks"))}}
	}))
	for i, b := range blocks {
		blocks[i] = f.block(fmt.Sprintf("%s.%d", at, i), b)
	}
	return blocks
}

// block leaves alone what is not as Slack wants it: Slack says why it is wrong.
func (f *fitter) block(at string, b map[string]any) map[string]any {
	switch b["type"] {
	case "section":
		b = f.object(at, b, "text", mostSection)
		return f.list(at, b, "fields", mostFields, mostField)
	case "header":
		return f.object(at, b, "text", mostHeader)
	case "context":
		return f.list(at, b, "elements", mostContext, mostSection)
	case "markdown":
		return f.member(at, b, "text", mostMarkdown)
	case "image":
		b = f.member(at, b, "alt_text", mostImageText)
		return f.object(at, b, "title", mostImageText)
	}
	return b
}

// object cuts b[key], a text object.
func (f *fitter) object(at string, b map[string]any, key string, most int) map[string]any {
	text, ok := b[key].(map[string]any)
	if !ok {
		return b
	}
	return with(b, key, f.member(at+"."+key, text, "text", most))
}

// member cuts b[key], a string.
func (f *fitter) member(at string, b map[string]any, key string, most int) map[string]any {
	text, ok := b[key].(string)
	if !ok {
		return b
	}
	return with(b, key, f.text(at+"."+key, text, most))
}

// list cuts b[key], a list of text objects and images.
func (f *fitter) list(at string, b map[string]any, key string, most, mostEach int) map[string]any {
	list, ok := b[key].([]any)
	if !ok {
		return b
	}
	at += "." + key
	list = slices.Clone(cutList(f, at, list, most, func(more int) any { return plain(leftOut(more, key)) }))
	for i, item := range list {
		if text, ok := item.(map[string]any); ok {
			list[i] = f.member(fmt.Sprintf("%s.%d", at, i), text, "text", mostEach)
		}
	}
	return with(b, key, list)
}

// cutList keeps at most that many items; the last then tells how many there
// were more.
func cutList[T any](f *fitter, at string, items []T, most int, tell func(more int) T) []T {
	if len(items) <= most {
		return items
	}
	f.cut = append(f.cut, at)
	kept := slices.Clone(items[:most-1])
	return append(kept, tell(len(items)-len(kept)))
}

func leftOut(n int, what string) string { return fmt.Sprintf("… [%d more %s left out]", n, what) }

func plain(text string) map[string]any { return map[string]any{"type": "plain_text", "text": text} }

func with(object map[string]any, key string, v any) map[string]any {
	object = maps.Clone(object)
	object[key] = v
	return object
}

// objects returns v as a list of objects, which is what JSON makes of one.
func objects(v any) ([]map[string]any, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]map[string]any, len(list))
	for i, item := range list {
		if out[i], ok = item.(map[string]any); !ok {
			return nil, false
		}
	}
	return out, true
}
