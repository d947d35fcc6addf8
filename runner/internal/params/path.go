package params

import (
	"slices"
	"strconv"
	"strings"
)

// step is one key of an object or one index of an array.
type step struct {
	key   string
	index int
	isKey bool
}

// path leads from the parameters' root to a value. Walks append to one path and
// overwrite its tail, so whoever keeps a path clones it.
type path []step

// newPath is the root, with room for what a walk usually needs.
func newPath() path { return make(path, 0, 16) }

func (p path) withKey(k string) path { return append(p, step{key: k, isKey: true}) }
func (p path) withIndex(i int) path  { return append(p, step{index: i}) }
func (p path) clone() path           { return append(path(nil), p...) }

// String renders tags[2].name; a key that could be misread is quoted, as in
// labels["a.b"].
func (p path) String() string {
	var b strings.Builder
	for i, s := range p {
		switch {
		case !s.isKey:
			b.WriteString("[" + strconv.Itoa(s.index) + "]")
		case !plainKey(s.key):
			b.WriteString("[" + strconv.Quote(s.key) + "]")
		default:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(s.key)
		}
	}
	return b.String()
}

func plainKey(k string) bool {
	for i := range len(k) {
		c := k[i]
		letter := c == '_' || c == '-' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter {
			return false
		}
	}
	return k != ""
}

func (p path) equal(q path) bool { return slices.Equal(p, q) }
