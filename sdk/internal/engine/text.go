package engine

import (
	"strings"
	"unicode/utf8"
)

const cut = "… (cut)"

// clean makes s fit a protobuf string, which must be valid UTF-8, and most.
func clean(s string, most int) string {
	if len(s) > most {
		s = head(s, most-len(cut)) + cut
	}
	return valid(s)
}

// valid may make s longer: each bad byte becomes the three of U+FFFD.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// head is the longest start of s within n bytes that splits no rune.
func head(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for back := 0; back < utf8.UTFMax && n-back > 0; back++ {
		if utf8.RuneStart(s[n-back]) {
			return s[:n-back]
		}
	}
	return s[:n]
}
