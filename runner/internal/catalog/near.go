package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// NotFound says that no file is known to have a component of that name.
type NotFound struct {
	Name string
	// Near are names that were perhaps meant, the nearest first.
	Near []string
	// Problems are the files and folders that could not be looked into, where
	// the component may be.
	Problems []Problem
}

func (e *NotFound) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "there is no component %q", e.Name)
	if len(e.Near) > 0 {
		b.WriteString("; did you mean " + strings.Join(e.Near, " or ") + "?")
	}
	for i, p := range e.Problems {
		if i == 3 {
			fmt.Fprintf(&b, "\n  and %d more; see outrider doctor", len(e.Problems)-i)
			break
		}
		fmt.Fprintf(&b, "\n  not looked into: %s", p)
	}
	return b.String()
}

// near returns at most three of names that are like name: a few letters differ,
// or one is a part of the other.
func near(name string, names []string) []string {
	type scored struct {
		name     string
		distance int
	}
	var list []scored
	most := max(2, len(name)/3)
	for _, n := range names {
		d := levenshtein.ComputeDistance(name, n)
		part := len(name) >= 3 && (strings.Contains(n, name) || strings.Contains(name, n))
		if d <= most || part {
			list = append(list, scored{n, d})
		}
	}
	slices.SortFunc(list, func(a, b scored) int {
		if a.distance != b.distance {
			return a.distance - b.distance
		}
		return strings.Compare(a.name, b.name)
	})
	var out []string
	for _, s := range list[:min(3, len(list))] {
		out = append(out, s.name)
	}
	return out
}
