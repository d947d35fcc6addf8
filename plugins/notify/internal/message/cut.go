package message

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// mark stands at the end of what was cut.
const mark = "… [cut]"

// Cut shortens text to at most limit characters, its mark included. It cuts
// between runes, not within an escape such as &amp; nor within a link or a
// mention that began shortly before. Characters are UTF-16 units: of the ways
// to count, which Slack does not tell, the one that finds most. A limit below
// the mark's own length leaves nothing.
func Cut(text string, limit int) string {
	if units(text) <= limit {
		return text
	}
	room := limit - units(mark)
	if room < 0 {
		return ""
	}
	end := 0
	for end < len(text) {
		r, size := utf8.DecodeRuneInString(text[end:])
		if room -= utf16.RuneLen(r); room < 0 {
			break
		}
		end += size
	}
	return text[:whole(text, end, limit/2)] + mark
}

func units(text string) int {
	n := 0
	for _, r := range text {
		n += utf16.RuneLen(r)
	}
	return n
}

// whole returns the last place at or before end where no escape or link is cut
// through. A link that began more than far bytes before is cut: an angle
// bracket need not be one.
func whole(text string, end, far int) int {
	if at := strings.LastIndexByte(text[:end], '&'); at >= 0 {
		for _, escape := range []string{"&amp;", "&lt;", "&gt;"} {
			if strings.HasPrefix(text[at:], escape) && end < at+len(escape) {
				end = at
			}
		}
	}
	at := strings.LastIndexByte(text[:end], '<')
	if at >= 0 && end-at <= far && !strings.Contains(text[at:end], ">") && strings.Contains(text[end:], ">") {
		end = at
	}
	return end
}
