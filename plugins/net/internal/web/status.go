package web

import (
	"fmt"
	"strconv"
	"strings"
)

// Statuses is a set of HTTP statuses, as ranges with both ends.
type Statuses [][2]int

// ParseStatuses reads a list such as "200, 404, 5xx, 300-303".
func ParseStatuses(text string) (Statuses, error) {
	var all Statuses
	for part := range strings.SplitSeq(text, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		low, high, isRange := strings.Cut(part, "-")
		if class, ok := strings.CutSuffix(part, "xx"); ok {
			low, high = class+"00", class+"99"
		} else if !isRange {
			high = low
		}
		from, ok := status(low)
		to, ok2 := status(high)
		if !ok || !ok2 || from > to {
			return nil, fmt.Errorf("%.40q is no status such as 200, 2xx or 200-204", part)
		}
		all = append(all, [2]int{from, to})
	}
	return all, nil
}

// status reads three digits from 100 (RFC 9110, 15).
func status(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 16)
	return int(n), err == nil && len(text) == 3 && n >= 100
}

// Has reports whether n is in the set.
func (s Statuses) Has(n int) bool {
	for _, r := range s {
		if r[0] <= n && n <= r[1] {
			return true
		}
	}
	return false
}
