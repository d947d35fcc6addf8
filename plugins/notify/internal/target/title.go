package target

import (
	"mime"
	"strings"
	"unicode"
)

// oneLine makes a blank of every control character and line break.
func oneLine(title string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, title))
}

// encoded is the title as a header may hold it (RFC 2047), for mail: shoutrrr
// writes a subject as it is.
func encoded(service, title string) string {
	if service != "smtp" {
		return title
	}
	return mime.QEncoding.Encode("utf-8", title)
}
