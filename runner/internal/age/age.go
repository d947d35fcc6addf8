// Package age reads lengths of time as people write them for what lasts long: with days.
// It is a piece of the config's, of flags' and of the checker's language, and no more.
package age

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const (
	// Day has 24 hours, whatever the clocks do.
	Day = 24 * time.Hour
	// MaxDays keeps a duration within what 64 bits of nanoseconds hold.
	MaxDays = 36500
)

// Parse reads a duration that is not negative as Go has it, with days before the rest:
// 30d, 1d12h, 90m.
func Parse(text string) (time.Duration, error) {
	bad := fmt.Errorf("%q is no duration: want such as 30d, 1d12h or 90m", text)
	rest, sum := text, time.Duration(0)
	if days, after, found := strings.Cut(text, "d"); found {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > MaxDays {
			return 0, bad
		}
		sum, rest = time.Duration(n)*Day, after
		if rest == "" {
			return sum, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d > MaxDays*Day {
		return 0, bad
	}
	return sum + d, nil
}
