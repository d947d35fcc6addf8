package rule

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Clock is a time of the day, such as 07:00.
type Clock struct{ Hour, Minute int }

// String is what UnmarshalText reads, "" for the zero Clock, which is not set:
// midnight is 24:00, as a deadline is the end of a day.
func (c Clock) String() string {
	if c == (Clock{}) {
		return ""
	}
	return fmt.Sprintf("%02d:%02d", c.Hour, c.Minute)
}

// MarshalText writes what UnmarshalText reads.
func (c Clock) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText refuses what is no time of the day.
func (c *Clock) UnmarshalText(text []byte) error {
	t, err := time.Parse("15:04", string(text))
	switch {
	case len(text) == 0:
		*c = Clock{}
	case string(text) == "24:00", string(text) == "00:00":
		*c = Clock{Hour: 24}
	case err != nil || len(text) != 5:
		return errors.New("want a time of the day such as 07:00")
	default:
		*c = Clock{t.Hour(), t.Minute()}
	}
	return nil
}

// On is the moment when a day's clocks show it. Where they never do, as they are set
// forward over it, it is the moment when they are; where they do twice it is the second
// time.
func (c Clock) On(year int, month time.Month, day int, zone *time.Location) time.Time {
	t := time.Date(year, month, day, c.Hour, c.Minute, 0, 0, zone)
	want := time.Date(year, month, day, c.Hour, c.Minute, 0, 0, time.UTC)
	shows := func(t time.Time) time.Duration {
		_, offset := t.Zone()
		return t.UTC().Add(time.Duration(offset) * time.Second).Sub(want)
	}
	if shows(t) != 0 {
		// Between the two offsets lies the jump.
		begin, end := t.ZoneBounds()
		for _, jump := range []time.Time{begin, end} {
			if !jump.IsZero() && jump.Sub(t).Abs() < 24*time.Hour {
				return jump
			}
		}
		return t
	}
	if _, end := t.ZoneBounds(); !end.IsZero() {
		_, was := t.Zone()
		_, then := end.Zone()
		if later := t.Add(time.Duration(was-then) * time.Second); later.After(t) && !later.Before(end) && shows(later) == 0 {
			return later
		}
	}
	return t
}

// Days are days of the week; none are all.
type Days uint8

const dayNames = "sun mon tue wed thu fri sat"

// Has reports whether a day is one of them.
func (d Days) Has(day time.Weekday) bool { return d == 0 || d&(1<<day) != 0 }

// String is what is read, such as mon,tue.
func (d Days) String() string {
	var all []string
	for i, name := range strings.Fields(dayNames) {
		if d&(1<<i) != 0 {
			all = append(all, name)
		}
	}
	return strings.Join(all, ",")
}

// MarshalText writes what UnmarshalText reads.
func (d Days) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads days and ranges of them: mon-fri,sun.
func (d *Days) UnmarshalText(text []byte) error {
	bad := errors.New("want days such as mon-fri or mon,wed,sun")
	index := func(name string) int {
		for i, n := range strings.Fields(dayNames) {
			if strings.EqualFold(n, strings.TrimSpace(name)) {
				return i
			}
		}
		return -1
	}
	var all Days
	for part := range strings.SplitSeq(string(text), ",") {
		from, to, found := strings.Cut(part, "-")
		if !found {
			to = from
		}
		a, b := index(from), index(to)
		if a < 0 || b < 0 {
			return bad
		}
		for i := a; ; i = (i + 1) % 7 {
			all |= 1 << i
			if i == b {
				break
			}
		}
	}
	*d = all
	return nil
}

// Zone is a time zone by its IANA name.
type Zone string

// UnmarshalText refuses what is no zone.
func (z *Zone) UnmarshalText(text []byte) error {
	if _, err := time.LoadLocation(string(text)); err != nil || len(text) == 0 || string(text) == "Local" {
		return errors.New("want a time zone such as Asia/Tokyo or UTC")
	}
	*z = Zone(text)
	return nil
}

// Location is the zone, UTC for "".
func (z Zone) Location() *time.Location {
	if loc, err := time.LoadLocation(string(z)); err == nil {
		return loc
	}
	return time.UTC
}

// Deadlines are those around a moment: the last one that has passed and the next, and
// for both from when on a run counts, which is the same time of the day before.
type Deadlines struct{ LastFrom, Last, NextFrom, Next time.Time }

// Deadlines of a rule around now.
func (r *Rule) Deadlines(now time.Time) Deadlines {
	zone := r.Zone.Location()
	local := now.In(zone)
	on := func(offset int) (from, at time.Time, ok bool) {
		day := time.Date(local.Year(), local.Month(), local.Day()+offset, 12, 0, 0, 0, zone)
		before := day.AddDate(0, 0, -1)
		return r.By.On(before.Year(), before.Month(), before.Day(), zone), r.By.On(day.Year(), day.Month(), day.Day(), zone), r.Days.Has(day.Weekday())
	}
	var d Deadlines
	for i := -8; i <= 8; i++ {
		from, at, ok := on(i)
		switch {
		case !ok:
		case !at.After(now):
			d.LastFrom, d.Last = from, at
		case d.Next.IsZero():
			d.NextFrom, d.Next = from, at
		}
	}
	return d
}
