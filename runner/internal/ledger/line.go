package ledger

import "cmp"

// A line of those who want one resource. All of these are of runs that live.
type line struct {
	slots   int64 // the capacity
	held    []share
	waiting []share
}

// share is what one run holds of a resource or waits for.
type share struct {
	run      string
	slots    int64
	ticket   int64 // of who waits
	priority int64
}

// before reports whether a comes before b: the higher priority, then who came first.
func (a share) before(b share) bool {
	return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.ticket, b.ticket)) < 0
}

// grants reports whether me may have its share now. Whoever is before me keeps its
// place even where it cannot be served yet: a big request is not passed by small
// ones for ever. One that asks for more than there is would wait for ever, and so is
// passed.
func (l line) grants(me share) bool {
	free := l.slots
	for _, h := range l.held {
		free -= h.slots
	}
	for _, w := range l.waiting {
		if w.run != me.run && w.slots <= l.slots && w.before(me) {
			free -= w.slots
		}
	}
	return me.slots <= free
}

// position is how many are before me, those who hold it not counted.
func (l line) position(me share) int {
	n := 0
	for _, w := range l.waiting {
		if w.run != me.run && w.before(me) {
			n++
		}
	}
	return n
}
