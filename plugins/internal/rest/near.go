package rest

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// Near are at most three of names that are like name, the nearest first: a few
// letters differ, or one is a part of the other.
func Near(name string, names []string) []string {
	type near struct {
		name          string
		folded, exact int // distances
	}
	var found []near
	lower := strings.ToLower(name)
	length := utf8.RuneCountInString(name)
	most := 1
	if length >= 3 {
		most = max(2, length/3)
	}
	for _, n := range names {
		other := strings.ToLower(n)
		d := levenshtein.ComputeDistance(lower, other)
		part := length >= 3 && utf8.RuneCountInString(n) >= 3 && (strings.Contains(other, lower) || strings.Contains(lower, other))
		if n != "" && n != name && name != "" && (d <= most || part) {
			found = append(found, near{n, d, levenshtein.ComputeDistance(name, n)})
		}
	}
	slices.SortFunc(found, func(a, b near) int {
		return cmp.Or(a.folded-b.folded, a.exact-b.exact, strings.Compare(a.name, b.name))
	})
	var list []string
	for _, f := range found {
		list = append(list, f.name)
	}
	list = slices.Compact(list)
	return list[:min(3, len(list))]
}
