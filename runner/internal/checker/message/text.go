package message

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// Escape makes text that somebody else wrote harmless in a medium. It is given one line
// at a time.
type Escape func(string) string

// Plain is the Escape of a terminal and of a plain mail: characters that cannot be seen,
// or that turn round what is beside them, are shown by their numbers.
func Plain(text string) string {
	if strings.IndexFunc(text, unseen) < 0 && strings.ToValidUTF8(text, "") == text {
		return text
	}
	var b strings.Builder
	for _, r := range strings.ToValidUTF8(text, "\uFFFD") {
		if unseen(r) {
			fmt.Fprintf(&b, "<U+%04X>", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unseen(r rune) bool {
	return unicode.IsControl(r) && r != '\t' || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
}

// Text renders a message, its title first. Every word that is not ours goes through the
// Escape.
func Text(m Message, escape Escape) string {
	w := writer{escape: escape}
	w.line(0, "", m.Title)
	w.line(0, "note: ", m.Note)
	for i, it := range m.Items {
		if len(m.Items) > 1 {
			w.line(0, fmt.Sprintf("%d. ", i+1), it.Where+": "+it.What)
		}
		w.item(it)
	}
	if m.More > 0 {
		w.line(0, "", fmt.Sprintf("and %d more", m.More))
	}
	if len(m.Missed) > 0 {
		w.line(0, "", "due runs that never started:")
		for _, x := range m.Missed {
			w.line(1, "", Stamp(x.At)+"  "+x.Start)
		}
	}
	return w.b.String()
}

type writer struct {
	b      strings.Builder
	escape Escape
}

// line writes one line where there is something to say.
func (w *writer) line(indent int, label, text string) {
	if text == "" {
		return
	}
	w.b.WriteString(strings.Repeat("  ", indent) + label + w.escape(strings.ReplaceAll(text, "\n", " ⏎ ")) + "\n")
}

func (w *writer) item(it Item) {
	for _, f := range slices.Concat(Measures(it), Holds(it), About(it), Links(it)) {
		w.line(1, f.Label, f.Text)
	}
	if it.LogTail != "" {
		w.line(1, "", "log:")
		for line := range strings.SplitSeq(strings.TrimRight(it.LogTail, "\n"), "\n") {
			w.b.WriteString("    | " + w.escape(strings.TrimSuffix(line, "\r")) + "\n")
		}
	}
	for _, c := range it.Commands {
		w.line(1, "", c.Do+": "+c.Line)
	}
}
