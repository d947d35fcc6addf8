package journal

import (
	"fmt"
	"strings"
	"time"
)

const (
	// tailLines is how many lines are kept in memory.
	tailLines = 200
	// tailText is how much of each: the tail is stored in a record of the ledger.
	tailText = 4 << 10
)

// tail is a ring of the last lines. Its slots are used again, so that a loud run
// makes no garbage.
type tail struct {
	slots []slot
	next  int // where the following line goes once the ring is full
}

type slot struct {
	at    time.Time
	level string
	text  []byte // the beginning
	size  int    // bytes of the whole
	more  bool   // its end has not come yet
}

// addTail takes an entry in. One that goes on the last line is put to that line.
func addTail[T bytestring](t *tail, at time.Time, level string, text T, more bool) {
	s := t.last()
	if s == nil || !s.more || s.level != level {
		s = t.push()
		s.at, s.level, s.text, s.size = at, level, s.text[:0], 0
	}
	s.size += len(text)
	s.text = append(s.text, text[:min(len(text), tailText-len(s.text))]...)
	s.more = more
}

func (t *tail) last() *slot {
	if len(t.slots) == 0 {
		return nil
	}
	return &t.slots[(t.next+len(t.slots)-1)%len(t.slots)]
}

func (t *tail) push() *slot {
	if len(t.slots) < tailLines {
		t.slots = append(t.slots, slot{})
		return &t.slots[len(t.slots)-1]
	}
	s := &t.slots[t.next]
	t.next = (t.next + 1) % tailLines
	return s
}

// lines are the slots as text that a database takes: UTF-8 without NUL.
func (t *tail) lines() []string {
	out := make([]string, 0, len(t.slots))
	for i := range t.slots {
		s := &t.slots[(t.next+i)%len(t.slots)]
		text := Entry{At: s.at, Level: s.level, Text: string(s.text)}.String()
		text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
		if cut := s.size - len(s.text); cut > 0 {
			text += fmt.Sprintf(" … (%d bytes more)", cut)
		}
		out = append(out, text)
	}
	return out
}
