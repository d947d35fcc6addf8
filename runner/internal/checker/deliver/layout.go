package deliver

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/outrider-run/outrider/runner/internal/checker/message"
)

// Slack's limits, in UTF-16 units; room is left for a code block's ends.
// https://docs.slack.dev/reference/block-kit/blocks
const (
	mostHeader  = 150
	mostSection = 2900
	// mostWhole is how many alerts are shown with all that is known of them, and
	// mostListed how many lines of others.
	mostWhole, mostListed = 4, 20
	// mostMissed is how many due runs are listed.
	mostMissed = 15
	// mostBlocks and mostText are what a message may have of them in all.
	mostBlocks, mostText = 50, 12_000
)

// layout is the message in blocks. It is read on a phone at night: first what it is and
// how bad, then why, then what to do. What others have written stands in plain text and
// in code blocks alone, so that nothing in it is formatting.
func layout(m message.Message) (blocks []any) {
	title := icon(m) + " " + escape(oneLine(m.Title))
	blocks = append(blocks, map[string]any{"type": "header", "text": plain(cut(title, mostHeader))})
	if units(title) > mostHeader {
		blocks = append(blocks, section(title))
	}
	blocks = append(blocks, lines([]message.Fact{{Text: m.Note}})...)
	whole := m.Items
	if len(m.Items) > mostWhole {
		whole = nil
	}
	for i, it := range whole {
		if len(whole) > 1 {
			blocks = append(blocks, map[string]any{"type": "divider"}, section(number(i+1)+". "+escape(oneLine(it.Where+": "+it.What))))
		}
		blocks = append(blocks, alone(it, len(whole))...)
	}
	if whole == nil {
		blocks = append(blocks, listed(m.Items)...)
	}
	if m.More > 0 {
		blocks = append(blocks, section("and "+number(m.More)+" more"))
	}
	if whole == nil && len(m.Items) > 0 {
		blocks = append(blocks, commands([]message.Command{{Do: "see them all", Line: "outrider-checker alerts list"}})...)
	}
	return within(append(blocks, missed(m.Missed)...))
}

// within leaves out what is too much for one message.
func within(blocks []any) []any {
	room := mostText
	for i, b := range blocks {
		if object, ok := b.(map[string]any)["text"].(map[string]any); ok {
			room -= units(object["text"].(string))
		}
		if room < 0 || i == mostBlocks-1 && len(blocks) > mostBlocks {
			return append(blocks[:i:i], section("there is more, which is too long to be shown here"))
		}
	}
	return blocks
}

// alone is one alert, of so many in the message.
func alone(it message.Item, of int) (blocks []any) {
	blocks = append(blocks, lines(message.Measures(it))...)
	blocks = append(blocks, lines(message.Holds(it))...)
	if it.LogTail != "" {
		blocks = append(blocks, block(tail(it.LogTail, mostSection/of)))
	}
	blocks = append(blocks, lines(message.About(it))...)
	blocks = append(blocks, links(message.Links(it))...)
	return append(blocks, commands(it.Commands)...)
}

// listed is a line for each of many.
func listed(items []message.Item) (blocks []any) {
	var facts []message.Fact
	for _, it := range items[:min(len(items), mostListed)] {
		facts = append(facts, message.Fact{Label: "• ", Text: cut(it.Where+": "+it.What, 300)})
	}
	if more := len(items) - len(facts); more > 0 {
		facts = append(facts, message.Fact{Label: "and " + number(more) + " more"})
	}
	return lines(facts)
}

// lines are facts in as many sections as they need.
func lines(facts []message.Fact) (blocks []any) {
	text := ""
	for _, f := range facts {
		line := cut(f.Label+escape(oneLine(f.Text)), mostSection)
		if line == "" {
			continue
		}
		if text != "" && units(text)+units(line) >= mostSection {
			blocks, text = append(blocks, section(text)), ""
		}
		text += line + "\n"
	}
	if text != "" {
		blocks = append(blocks, section(strings.TrimSuffix(text, "\n")))
	}
	return blocks
}

// links are those that can be opened as links, the others as text.
func links(facts []message.Fact) (blocks []any) {
	var good []string
	var others []message.Fact
	for _, f := range facts {
		u, err := url.Parse(f.Text)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || len(f.Text) > 1000 {
			others = append(others, f)
			continue
		}
		address := strings.ReplaceAll(escape(u.String()), "|", "%7C")
		good = append(good, "<"+address+"|"+strings.TrimSuffix(f.Label, ": ")+">")
	}
	if len(good) > 0 {
		blocks = append(blocks, mrkdwn(strings.Join(good, "   ")))
	}
	return append(blocks, lines(others)...)
}

// commands are to be copied as they are: each has a code block. One that has the end of
// a code block in it stands there as plain text.
func commands(all []message.Command) (blocks []any) {
	text := ""
	flush := func() {
		if text != "" {
			blocks, text = append(blocks, mrkdwn(strings.TrimSuffix(text, "\n"))), ""
		}
	}
	for _, c := range all {
		part := c.Do + "\n```\n" + escape(c.Line) + "\n```\n"
		switch {
		case strings.Contains(c.Line, "```") || strings.Contains(c.Line, "\n"):
			flush()
			blocks = append(blocks, section(cut(c.Do+": "+escape(c.Line), mostSection)))
			continue
		case units(part) > mostSection:
			flush()
			blocks = append(blocks, section(c.Do+": the command is too long to be shown here"))
			continue
		case units(text)+units(part) > mostSection:
			flush()
		}
		text += part
	}
	flush()
	return blocks
}

// missed are due runs that never started, and how to start them.
func missed(all []message.Missed) (blocks []any) {
	if len(all) == 0 {
		return nil
	}
	blocks = append(blocks, section("due runs that never started:"))
	var starts []message.Command
	for _, x := range all[:min(len(all), mostMissed)] {
		starts = append(starts, message.Command{Do: "due at " + message.Stamp(x.At), Line: x.Start})
	}
	blocks = append(blocks, commands(starts)...)
	if more := len(all) - len(starts); more > 0 {
		blocks = append(blocks, section("and "+number(more)+" more"))
	}
	return blocks
}

// tail is the end of a log as lines of a code block, so much of it as fits.
func tail(log string, most int) string {
	all := strings.Split(strings.TrimRight(log, "\n"), "\n")
	var kept []string
	room := most
	for _, line := range slices.Backward(all) {
		line = cut(code(strings.TrimSuffix(line, "\r")), most/2)
		if room -= units(line) + 1; room < 0 {
			kept = append(kept, "…")
			break
		}
		kept = append(kept, line)
	}
	slices.Reverse(kept)
	return strings.Join(kept, "\n")
}

func block(text string) any { return mrkdwn("```\n" + text + "\n```") }

func section(text string) any {
	return map[string]any{"type": "section", "text": plain(cut(text, mostSection))}
}

// plain is text in which Slack looks for nothing but its escapes.
func plain(text string) map[string]any {
	return map[string]any{"type": "plain_text", "text": text, "emoji": false}
}

// mrkdwn is for code blocks and links; verbatim, names in it mention nobody.
func mrkdwn(text string) any {
	return map[string]any{"type": "section", "text": map[string]any{"type": "mrkdwn", "text": text, "verbatim": true}}
}

// cut shortens escaped text, and cuts no escape through.
func cut(text string, most int) string {
	if units(text) <= most {
		return text
	}
	room, end := most-1, 0
	for i, r := range text {
		if room -= utf16.RuneLen(r); room < 0 {
			break
		}
		end = i + len(string(r))
	}
	text = text[:end]
	if at := strings.LastIndexByte(text, '&'); at >= 0 && !strings.Contains(text[at:], ";") {
		text = text[:at]
	}
	return text + "…"
}

func units(text string) (n int) {
	for _, r := range text {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ⏎ ") }
