package sdk_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

// year is the longest wait that a server may ask for.
const year = 365 * 24 * time.Hour

func TestRetryAfterHeader(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		after, date string
		want        time.Duration
		ok          bool
	}{
		{"", "", 0, false},
		{"0", "", 0, true},
		{" 120 ", "", 2 * time.Minute, true},
		{"99999999999999999999999", "", year, true},
		{"9223372037", "", year, true}, // seconds that overflow nanoseconds
		{"-1", "", 0, false},
		{"1.5", "", 0, false},
		{"soon", "", 0, false},
		{"Sun, 01 Mar 2026 12:01:00 GMT", "", time.Minute, true},
		{"Sun, 01 Mar 2026 11:00:00 GMT", "", 0, true},
		{"Sunday, 01-Mar-26 12:01:00 GMT", "", time.Minute, true},
		{"Sun Mar  1 12:01:00 2026", "", time.Minute, true},
		// A server whose clock is an hour behind.
		{"Sun, 01 Mar 2026 11:01:00 GMT", "Sun, 01 Mar 2026 11:00:00 GMT", time.Minute, true},
		{"Fri, 31 Dec 9999 23:59:59 GMT", "", year, true},
	} {
		h := http.Header{"Retry-After": {c.after}, "Date": {c.date}}
		if got, ok := sdk.RetryAfterHeader(h, now); got != c.want || ok != c.ok {
			t.Errorf("%q at %q: %s, %v; want %s, %v", c.after, c.date, got, ok, c.want, c.ok)
		}
	}
}

func FuzzRetryAfterHeader(f *testing.F) {
	for _, s := range []string{"120", "", "-1", "99999999999999999999", "Sun, 01 Mar 2026 12:01:00 GMT"} {
		f.Add(s, "Sun, 01 Mar 2026 12:00:00 GMT")
	}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, after, date string) {
		d, ok := sdk.RetryAfterHeader(http.Header{"Retry-After": {after}, "Date": {date}}, now)
		if d < 0 || d > year || !ok && d != 0 {
			t.Errorf("%q at %q: %s, %v", after, date, d, ok)
		}
	})
}
