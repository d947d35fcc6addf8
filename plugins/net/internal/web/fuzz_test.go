package web

import (
	"net/http"
	"testing"
	"time"
)

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"120", "", "-1", "99999999999999999999", "Sun, 01 Mar 2026 12:01:00 GMT"} {
		f.Add(s, "Sun, 01 Mar 2026 12:00:00 GMT")
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, after, date string) {
		d, ok := RetryAfter(http.Header{"Retry-After": {after}, "Date": {date}}, now)
		if d < 0 || d > longestWait || !ok && d != 0 {
			t.Errorf("%q at %q: %s, %v", after, date, d, ok)
		}
	})
}

func FuzzParseStatuses(f *testing.F) {
	for _, s := range []string{"2xx", "200,404", "200-299, 5XX", "", "-", "xx", "99999999999-2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseStatuses(text)
		if (err == nil) != (len(s) > 0) {
			t.Errorf("%q: %v, %v", text, s, err)
		}
		for _, r := range s {
			if r[0] < 100 || r[1] > 999 || r[0] > r[1] || !s.Has(r[0]) || !s.Has(r[1]) {
				t.Errorf("%q: %v", text, s)
			}
		}
	})
}
