package rule

import (
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func TestAClockOnTheNightsOfTheChange(t *testing.T) {
	for _, c := range []struct {
		zone, clock string
		year        int
		month       time.Month
		day         int
		want        string
	}{
		{"Asia/Tokyo", "07:00", 2026, 3, 29, "2026-03-28T22:00:00Z"},
		{"Europe/Berlin", "07:00", 2026, 3, 28, "2026-03-28T06:00:00Z"},
		{"Europe/Berlin", "07:00", 2026, 3, 29, "2026-03-29T05:00:00Z"},
		{"Europe/Berlin", "02:30", 2026, 3, 29, "2026-03-29T01:00:00Z"},    // never shown: when the clocks jump
		{"Europe/Berlin", "02:30", 2026, 10, 25, "2026-10-25T01:30:00Z"},   // shown twice: the second time
		{"Europe/Berlin", "03:00", 2026, 10, 25, "2026-10-25T02:00:00Z"},   // shown once
		{"Europe/Berlin", "01:59", 2026, 10, 25, "2026-10-24T23:59:00Z"},   // before
		{"America/New_York", "02:30", 2026, 3, 8, "2026-03-08T07:00:00Z"},  // never shown
		{"America/New_York", "01:30", 2026, 11, 1, "2026-11-01T06:30:00Z"}, // twice
		{"Australia/Lord_Howe", "02:15", 2026, 10, 4, "2026-10-03T15:30:00Z"},
		{"UTC", "24:00", 2026, 1, 31, "2026-02-01T00:00:00Z"},
	} {
		var clock Clock
		if err := clock.UnmarshalText([]byte(c.clock)); err != nil {
			t.Fatal(err)
		}
		if got := clock.On(c.year, c.month, c.day, zone(t, c.zone)).UTC().Format(time.RFC3339); got != c.want {
			t.Errorf("%s in %s on %d-%02d-%02d: %s, want %s", c.clock, c.zone, c.year, c.month, c.day, got, c.want)
		}
	}
}

func TestDeadlines(t *testing.T) {
	r := Rule{By: Clock{7, 0}, Days: 0b0111110, Zone: "Europe/Berlin"}
	for _, c := range []struct{ now, lastFrom, last, nextFrom, next string }{
		// A Monday: the last was on Friday, the weekend's clocks have changed.
		{"2026-03-30T04:59:59Z", "2026-03-26T06:00:00Z", "2026-03-27T06:00:00Z", "2026-03-29T05:00:00Z", "2026-03-30T05:00:00Z"},
		{"2026-03-30T05:00:00Z", "2026-03-29T05:00:00Z", "2026-03-30T05:00:00Z", "2026-03-30T05:00:00Z", "2026-03-31T05:00:00Z"},
		{"2026-07-04T12:00:00Z", "2026-07-02T05:00:00Z", "2026-07-03T05:00:00Z", "2026-07-05T05:00:00Z", "2026-07-06T05:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		d := r.Deadlines(now)
		for _, x := range []struct {
			name string
			got  time.Time
			want string
		}{{"last from", d.LastFrom, c.lastFrom}, {"last", d.Last, c.last}, {"next from", d.NextFrom, c.nextFrom}, {"next", d.Next, c.next}} {
			if got := x.got.UTC().Format(time.RFC3339); got != x.want {
				t.Errorf("at %s: %s %s, want %s", c.now, x.name, got, x.want)
			}
		}
	}
	once := Rule{By: Clock{7, 0}, Days: 1 << time.Sunday}
	if d := once.Deadlines(time.Date(2026, 3, 1, 7, 0, 0, 0, time.UTC)); d.Next.Sub(d.Last) != 7*24*time.Hour {
		t.Errorf("once a week: %+v", d)
	}
}

func TestDays(t *testing.T) {
	for text, want := range map[string]string{"mon-fri": "mon,tue,wed,thu,fri", "fri-mon": "sun,mon,fri,sat", "SAT, sun": "sun,sat", "tue": "tue"} {
		var d Days
		if err := d.UnmarshalText([]byte(text)); err != nil || d.String() != want {
			t.Errorf("%q: %s, %v", text, d, err)
		}
	}
	if !Days(0).Has(time.Monday) || Days(1<<time.Sunday).Has(time.Monday) {
		t.Error("no days are all days")
	}
}
