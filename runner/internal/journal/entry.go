package journal

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

const (
	// maxText is where a text is cut into several entries.
	maxText = 64 << 10
	// maxLevel is where a level is cut off.
	maxLevel = 32
	// overhead is what a line has besides its text, at most.
	overhead = 32 + maxLevel
	// maxLine is the longest line of a file: a text all of escapes.
	maxLine = 2*maxText + overhead

	timeLayout = "2006-01-02T15:04:05.000Z07:00"
)

// Entry is one thing that was said.
type Entry struct {
	// At is when, UTC, in milliseconds.
	At time.Time
	// Level is trace, debug, info, warn or error; stdout, stderr or empty for what
	// a command printed.
	Level string
	// Text is at most 64 KiB of any bytes.
	Text string
	// More says that Text has no end of line: what follows in the next entry of
	// this level belongs to the same line. Printing Text of a command's entries,
	// each with a newline unless More, gives its output byte for byte.
	More bool
}

// Raw reports whether a command printed this.
func (e Entry) Raw() bool { return raw(e.Level) }

func raw(level string) bool { return level == "" || level == "stdout" || level == "stderr" }

// String is the entry as people read it: what a command printed as it is, else
// with time and level before the text.
func (e Entry) String() string {
	if e.Raw() {
		return e.Text
	}
	return e.At.UTC().Format(timeLayout) + " " + e.Level + " " + e.Text
}

type bytestring interface{ ~string | ~[]byte }

// stamp writes times. It keeps the text of the last second: a loud run has many
// lines a second, and this would be half of what one costs its caller.
type stamp struct {
	second int64
	text   []byte // up to the point
}

func (s *stamp) append(dst []byte, at time.Time) []byte {
	if second := at.Unix(); second != s.second || s.text == nil {
		s.second = second
		if at = at.UTC(); at.Year() < 0 || at.Year() > 9999 { // RFC 3339 has no such years
			at = time.Time{}
		}
		s.text = at.AppendFormat(s.text[:0], "2006-01-02T15:04:05.")
	}
	ms := at.Nanosecond() / 1e6
	dst = append(dst, s.text...)
	return append(dst, '0'+byte(ms/100), '0'+byte(ms/10%10), '0'+byte(ms%10), 'Z')
}

// appendEntry appends the line of an entry.
func appendEntry[T bytestring](dst []byte, s *stamp, at time.Time, level string, text T, more bool) []byte {
	dst = s.append(dst, at)
	dst = append(dst, ' ')
	dst = appendLevel(dst, level)
	dst = append(dst, ' ')
	from := len(dst)
	dst = append(dst, text...)
	if bytes.IndexByte(dst[from:], '\n') >= 0 || bytes.IndexByte(dst[from:], '\\') >= 0 {
		dst = escape(dst, from)
	}
	if more {
		dst = append(dst, '\\')
	}
	return append(dst, '\n')
}

// appendLevel keeps a level one word, whatever a plugin sent.
func appendLevel(dst []byte, level string) []byte {
	if level == "" {
		return append(dst, '-')
	}
	for i := range min(len(level), maxLevel) {
		c := level[i]
		if c <= ' ' || c == '-' || c == '\\' {
			c = '_'
		}
		dst = append(dst, c)
	}
	return dst
}

// escape doubles what needs it in dst[from:], in place and from its end.
func escape(dst []byte, from int) []byte {
	to := len(dst) - 1
	grown := bytes.Count(dst[from:], []byte{'\n'}) + bytes.Count(dst[from:], []byte{'\\'})
	dst = append(dst, make([]byte, grown)...)
	for w := len(dst) - 1; w > to; to-- {
		switch c := dst[to]; c {
		case '\n', '\\':
			if c == '\n' {
				c = 'n'
			}
			dst[w], dst[w-1] = c, '\\'
			w -= 2
		default:
			dst[w] = c
			w--
		}
	}
	return dst
}

// parseEntry reads a line, given without its newline.
func parseEntry(line []byte) (Entry, error) {
	stamp, rest, ok1 := bytes.Cut(line, []byte{' '})
	level, text, ok2 := bytes.Cut(rest, []byte{' '})
	at, err := time.Parse(time.RFC3339, string(stamp))
	if !ok1 || !ok2 || err != nil {
		return Entry{}, fmt.Errorf("not an entry of a log: %.80q", line)
	}
	e := Entry{At: at.UTC(), Level: string(level)}
	if e.Level == "-" {
		e.Level = ""
	}
	if bytes.IndexByte(text, '\\') < 0 {
		e.Text = string(text)
		return e, nil
	}
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] != '\\':
			b.WriteByte(text[i])
		case i+1 == len(text):
			e.More = true
		case text[i+1] == 'n':
			b.WriteByte('\n')
			i++
		default:
			b.WriteByte(text[i+1])
			i++
		}
	}
	e.Text = b.String()
	return e, nil
}
