package cli

import (
	"strings"
	"testing"
	"time"
)

func TestNextDue(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	now := at("2026-03-13T10:05:00Z") // a Friday
	for _, c := range []struct{ expr, zone, want string }{
		{"*/30 * * * *", "UTC", "2026-03-13T10:30:00Z"},
		{"0 3 * * *", "Asia/Tokyo", "2026-03-13T18:00:00Z"},
		{"0 0 1 * mon", "UTC", "2026-03-16T00:00:00Z"}, // the 1st, or a Monday
		{"@hourly", "UTC", "2026-03-13T11:00:00Z"},
		{"30 2 29 3 *", "Europe/Berlin", "2026-03-29T01:30:00Z"}, // a day on which 2:30 does not come
	} {
		got, err := nextDue(c.expr, c.zone, now)
		if err != nil || !got.Equal(at(c.want)) {
			t.Errorf("%s in %s: %s, want %s, %v", c.expr, c.zone, got.UTC(), c.want, err)
		}
	}
	if got, err := nextDue("", "", now); err != nil || !got.IsZero() {
		t.Errorf("none: %s, %v", got, err)
	}
	for _, c := range []struct{ expr, zone, want string }{
		{"* * * *", "", `--expect "* * * *"`},
		{"61 * * * *", "", `--expect "61 * * * *"`},
		{"* * * * *", "Tokyo", `--tz "Tokyo"`},
		{"", "UTC", "--tz"},
	} {
		if _, err := nextDue(c.expr, c.zone, now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in %q: %v", c.expr, c.zone, err)
		}
	}
}
