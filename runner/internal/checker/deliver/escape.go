package deliver

import (
	"regexp"
	"strings"

	"github.com/outrider-run/outrider/runner/internal/checker/message"
)

// markup are Slack's control characters.
// https://docs.slack.dev/messaging/formatting-message-text#escaping
var markup = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape is the Escape of Slack: nothing in the text is a mention or a link, and what
// cannot be seen is shown.
func escape(text string) string { return markup.Replace(message.Plain(text)) }

// code makes a line one of a code block: three backticks would end that.
func code(line string) string {
	return strings.ReplaceAll(escape(line), "```", "`\u200b`\u200b`")
}

var mention = regexp.MustCompile(`@(everyone|here|channel|all)\b|<[!@#]`)

// mentionless takes from words that several chats call everybody by what makes them so.
func mentionless(line string) string {
	return mention.ReplaceAllStringFunc(line, func(word string) string { return word[:1] + "\u200b" + word[1:] })
}
