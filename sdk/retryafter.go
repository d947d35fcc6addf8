package sdk

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longestRetryAfter caps what a server may ask for.
const longestRetryAfter = 365 * 24 * time.Hour

// RetryAfterHeader reads how long a server asks to wait (RFC 9110, 10.2.3), for
// RetryAfter: seconds, or a date, which is counted from the server's own Date, where
// there is one, so that clocks need not agree. It is at least 0 and at most a year,
// and false when the server does not ask.
func RetryAfterHeader(h http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	if strings.Trim(text, "0123456789") == "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds > int64(longestRetryAfter/time.Second) {
			return longestRetryAfter, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), longestRetryAfter), true
}
