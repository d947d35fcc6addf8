package redact

// matcher finds many texts at once, after Wu and Manber: it looks at every few
// bytes only, at the last two of a window as long as the shortest text, and skips
// ahead by how far these two are from where any text could have them. So ordinary
// logs pass at memory speed whatever the number of texts.
type matcher struct {
	window  int
	longest int
	shift   [1 << 16]uint8      // by two bytes: how far the window may move
	ends    map[uint16][]string // by two bytes: texts whose first window ends so
	starts  [256]bool           // first bytes of all texts
	heads   map[uint16][]string // texts by their first two bytes
}

func newMatcher(texts []string) *matcher {
	m := &matcher{window: len(texts[0]), ends: map[uint16][]string{}, heads: map[uint16][]string{}}
	for _, t := range texts {
		m.window = min(m.window, len(t), 255)
		m.longest = max(m.longest, len(t))
		m.starts[t[0]] = true
		m.heads[pair(t, 1)] = append(m.heads[pair(t, 1)], t)
	}
	for i := range m.shift {
		m.shift[i] = uint8(m.window - 1)
	}
	for _, t := range texts {
		for i := 1; i < m.window; i++ {
			two := pair(t, i)
			m.shift[two] = min(m.shift[two], uint8(m.window-1-i))
		}
		last := pair(t, m.window-1)
		m.ends[last] = append(m.ends[last], t)
	}
	return m
}

func pair[T string | []byte](text T, i int) uint16 {
	return uint16(text[i-1])<<8 | uint16(text[i])
}

// span is a part of a text that is secret, to excluded.
type span struct{ from, to int }

// find returns what the texts cover in text, in order; parts that overlap or touch
// are one.
func find[T string | []byte](m *matcher, text T) []span {
	var spans []span
	for i := m.window - 1; i < len(text); {
		two := pair(text, i)
		if skip := int(m.shift[two]); skip > 0 {
			i += skip
			continue
		}
		from := i - m.window + 1
		if to := longestAt(m.ends[two], text, from); to > 0 {
			if n := len(spans); n > 0 && from <= spans[n-1].to {
				spans[n-1].to = max(spans[n-1].to, to)
			} else {
				spans = append(spans, span{from, to})
			}
		}
		i++
	}
	return spans
}

// longestAt returns the end of the longest of texts that stands at from, 0 if none
// does.
func longestAt[T string | []byte](texts []string, text T, from int) int {
	to := 0
	for _, t := range texts {
		if end := from + len(t); end > to && end <= len(text) && string(text[from:end]) == t {
			to = end
		}
	}
	return to
}

// pending returns where the tail of text begins that more text could complete to a
// match; len(text) if there is none.
func (m *matcher) pending(text []byte) int {
	for i := max(0, len(text)-m.longest+1); i < len(text); i++ {
		if !m.starts[text[i]] {
			continue
		}
		if i == len(text)-1 {
			return i
		}
		for _, t := range m.heads[pair(text, i+1)] {
			if tail := text[i:]; len(t) > len(tail) && t[:len(tail)] == string(tail) {
				return i
			}
		}
	}
	return len(text)
}
