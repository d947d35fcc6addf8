package ledger

import (
	"testing"

	"pgregory.net/rapid"
)

// TestLine plays a line of a pool against what it promises: never more slots out
// than there are, no one is passed by who came later with no higher priority, and
// when all is given back everyone who can be served is.
func TestLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := line{slots: rapid.Int64Range(1, 5).Draw(t, "slots")}
		var ticket int64
		grant := func() {
			for i := 0; i < len(l.waiting); i++ {
				w := l.waiting[i]
				if !l.grants(w) {
					continue
				}
				for _, other := range l.waiting {
					if other.before(w) && other.slots <= l.slots && other.run != w.run {
						held := int64(0)
						for _, h := range l.held {
							held += h.slots
						}
						if held+other.slots+w.slots > l.slots {
							t.Fatalf("%+v passed %+v in %+v", w, other, l)
						}
					}
				}
				l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
				l.held = append(l.held, w)
				i = -1
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"ask": func(t *rapid.T) {
				ticket++
				l.waiting = append(l.waiting, share{
					run: string(rune('a' + ticket)), slots: rapid.Int64Range(1, 6).Draw(t, "slots"),
					ticket: ticket, priority: rapid.Int64Range(-1, 1).Draw(t, "priority"),
				})
				grant()
			},
			"release": func(t *rapid.T) {
				if len(l.held) == 0 {
					t.Skip("nothing is held")
				}
				i := rapid.IntRange(0, len(l.held)-1).Draw(t, "which")
				l.held = append(l.held[:i:i], l.held[i+1:]...)
				grant()
			},
			"": func(t *rapid.T) {
				out := int64(0)
				for _, h := range l.held {
					out += h.slots
				}
				if out > l.slots {
					t.Fatalf("%d slots of %d are out", out, l.slots)
				}
				for _, w := range l.waiting {
					if len(l.held) == 0 && w.slots <= l.slots {
						t.Fatalf("%+v waits for nothing", w)
					}
				}
			},
		})
	})
}
