package main

import (
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

// sighting is a file as it was seen, and for how long it has been like that.
type sighting struct {
	info  fs.FileInfo
	since time.Time     // when it was first seen so
	held  time.Duration // from then to the last look
}

// remember is what is known after a look that lasted from began to ended and
// found files. What is not found any more is forgotten, so that a file that
// comes back starts anew. Both ends of the look are taken the careful way: a
// file is held since the look that showed it first was over.
func remember(before map[string]sighting, files map[string]fs.FileInfo, began, ended time.Time) map[string]sighting {
	after := make(map[string]sighting, len(files))
	for path, info := range files {
		s, known := before[path]
		if known && same(s.info, info) {
			s.held = max(0, began.Sub(s.since))
		} else {
			s = sighting{info: info, since: ended}
		}
		after[path] = s
	}
	return after
}

// same reports whether a and b are one file with one content, as far as can be
// told without reading it.
func same(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// conditions are what makes files ready.
type conditions struct {
	files     int           // so many of them
	size      sdk.Bytes     // each at least so large
	unchanged time.Duration // and for so long as it is
}

func (c conditions) String() string {
	text := fmt.Sprintf("at least %d of them", c.files)
	if c.size > 0 {
		text += fmt.Sprintf(", each at least %v large", c.size)
	}
	if c.unchanged > 0 {
		text += fmt.Sprintf(", unchanged for %v", c.unchanged)
	}
	return text
}

// file is a file of a verdict.
type file struct {
	path string
	sighting
}

// verdict is what a look comes to.
type verdict struct {
	ready    []file // newest first
	small    []file // newest first, as the next
	changing []file
	// soon is when enough files will be ready if none changes, 0 if too few
	// are large enough.
	soon time.Duration
}

// judge sorts what has been seen by what c asks.
func judge(seen map[string]sighting, c conditions) verdict {
	var v verdict
	var left []time.Duration
	for path, s := range seen {
		f := file{path, s}
		switch {
		case sdk.Bytes(s.info.Size()) < c.size:
			v.small = append(v.small, f)
		case s.held < c.unchanged:
			v.changing = append(v.changing, f)
			left = append(left, c.unchanged-s.held)
		default:
			v.ready = append(v.ready, f)
		}
	}
	for _, list := range [][]file{v.ready, v.small, v.changing} {
		slices.SortFunc(list, newestFirst)
	}
	slices.Sort(left)
	if n := c.files - len(v.ready); n > 0 && n <= len(left) {
		v.soon = left[n-1]
	}
	return v
}

// newestFirst orders by the time of the last change, files of the same time by
// name.
func newestFirst(a, b file) int {
	return cmp.Or(b.info.ModTime().Compare(a.info.ModTime()), cmp.Compare(a.path, b.path))
}

// pause is how long to wait for the next look: until files may be ready, but at
// most every, and not past the end.
func pause(v verdict, every, left time.Duration) time.Duration {
	next := every
	if v.soon > 0 {
		next = min(next, v.soon)
	}
	return min(next, left)
}
