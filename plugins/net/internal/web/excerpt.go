package web

import (
	"io"
	"strings"
	"unicode"
)

// excerptBytes is how much of an answer is read to tell what a server said.
const excerptBytes = 1 << 10

// longestSecret is how much more is read, since a secret may begin in what is shown.
const longestSecret = 4 << 10

// Excerpt reads the beginning of an answer as one line for an error's text, without
// secrets. What cannot be read is left out: there is another error to tell.
func (c *Client) Excerpt(body io.Reader) string {
	raw, _ := io.ReadAll(io.LimitReader(body, excerptBytes+longestSecret))
	shown := c.Hide(string(raw))
	if len(raw) == excerptBytes+longestSecret {
		// Half a secret at the end would not be known for one.
		shown = shown[:max(0, len(shown)-longestSecret)]
	}
	text := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(shown, ""))
	words := []rune(strings.Join(strings.Fields(text), " "))
	if len(words) > 300 {
		return string(words[:300]) + "…"
	}
	return string(words)
}
