package web

import (
	"io"
	"strings"
	"unicode"
)

// excerptBytes is how much of an answer is read to tell what a server said.
const excerptBytes = 1 << 10

// Excerpt reads the beginning of an answer as one line for an error's text, without
// secrets. What cannot be read is left out: there is another error to tell.
func (c *Client) Excerpt(body io.Reader) string {
	raw, _ := io.ReadAll(io.LimitReader(body, excerptBytes))
	text := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(c.Hide(string(raw)), ""))
	words := []rune(strings.Join(strings.Fields(text), " "))
	if len(words) > 300 {
		return string(words[:300]) + "…"
	}
	return string(words)
}
