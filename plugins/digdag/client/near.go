package client

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
)

// Near are at most three of names that are like name, the nearest first: a few
// letters differ, or one is a part of the other.
func Near(name string, names []string) []string {
	distance := map[string]int{}
	folded := strings.ToLower(name)
	for _, n := range names {
		other := strings.ToLower(n)
		d := levenshtein.ComputeDistance(folded, other)
		length := utf8.RuneCountInString(folded)
		part := length >= 3 && (strings.Contains(other, folded) || other != "" && strings.Contains(folded, other))
		if n != name && (d <= max(1, length/3) || part) {
			distance[n] = d
		}
	}
	var list []string
	for n := range distance {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b string) int { return cmp.Or(distance[a]-distance[b], strings.Compare(a, b)) })
	return list[:min(3, len(list))]
}

// missing is the error of a name that is in no list.
func (c *Client) missing(what string, near []string) *Error {
	text := fmt.Sprintf("no %s at %s", what, c.Endpoint())
	if len(near) > 0 {
		text += "; near: " + strings.Join(near, ", ")
	}
	return &Error{Endpoint: c.Endpoint(), Code: CodeNotFound, Message: oneLine(text), Near: near}
}
