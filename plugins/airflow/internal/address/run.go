package address

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Kind is a way to name a run.
type Kind int

const (
	// None: no run is named.
	None Kind = iota
	// Latest is the run of the latest time: the one to start last in Airflow 3, that
	// of the last logical date in Airflow 2.
	Latest
	// Today is the latest run whose logical date is today in the DAG's zone, or else
	// the latest that was to start today: a daily DAG's run of data intervals bears
	// yesterday's date, and a run of Airflow 3 may bear none.
	Today
	// Date is the same of another day.
	Date
	// Instant is the run of a moment, by its logical date or else by when it was to
	// start.
	Instant
	// Local is the run of a time as a clock in the DAG's zone shows it.
	Local
	// ID is a run's id.
	ID
)

// Run names a run.
type Run struct {
	Kind Kind
	// Time is of Date, Instant and Local, in whole seconds. That of Date and Local
	// stands in UTC and is of no zone.
	Time time.Time
	// ID is of ID.
	ID string
}

// clock is a time, perhaps with an offset.
var (
	date  = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)
	clock = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)?(?:(Z)|([+-]\d\d):?(\d\d))?$`)
)

// ParseRun reads what follows an @.
func ParseRun(text string) (Run, error) {
	r, err := parseRun(text)
	if err != nil {
		return Run{}, err
	}
	return r, nil
}

func parseRun(text string) (r Run, err error) {
	switch text {
	case "":
		return r, fmt.Errorf("the run is empty; want latest, today, a date (2026-11-22), a time (2026-11-22T07:00:00, with +09:00 or in the DAG's zone), or a run's id")
	case "latest":
		return Run{Kind: Latest}, nil
	case "today":
		return Run{Kind: Today}, nil
	}
	if date.MatchString(text) {
		at, err := time.Parse("2006-01-02", text)
		if err != nil {
			return r, fmt.Errorf("run %q: there is no such day", text)
		}
		return Run{Kind: Date, Time: at}, nil
	}
	if m := clock.FindStringSubmatch(text); m != nil {
		return parseClock(text, m)
	}
	if r.ID, err = url.PathUnescape(text); err != nil {
		return r, fmt.Errorf("run %q: a %% of an id is written %%25", text)
	}
	switch {
	case strings.ContainsFunc(r.ID, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return r, fmt.Errorf("run %q: no id has such characters", text)
	case r.ID == "~":
		return r, fmt.Errorf("run ~: that is all runs to Airflow, and no id")
	case r.ID == ".", r.ID == "..":
		return r, fmt.Errorf("run %q: that is a path, and no id", text)
	}
	r.Kind = ID
	return r, nil
}

func parseClock(text string, m []string) (Run, error) {
	seconds := m[3]
	if seconds == "" {
		seconds = ":00"
	}
	layout, value, kind := "2006-01-02T15:04:05", m[1]+"T"+m[2]+seconds, Local
	switch {
	case m[4] != "":
		kind = Instant
	case m[5] != "":
		layout, value, kind = layout+"-07:00", value+m[5]+":"+m[6], Instant
	}
	at, err := time.Parse(layout, value)
	if err != nil {
		return Run{}, fmt.Errorf("run %q: there is no such time", text)
	}
	return Run{Kind: kind, Time: at}, nil
}

// String is how the run stands after the @, "" for None.
func (r Run) String() string {
	switch r.Kind {
	case Latest:
		return "latest"
	case Today:
		return "today"
	case Date:
		return r.Time.Format("2006-01-02")
	case Instant:
		return r.Time.Format(time.RFC3339)
	case Local:
		return r.Time.Format("2006-01-02T15:04:05")
	case ID:
		return escape(r.ID)
	}
	return ""
}

// escape writes an id so that it is read as one: not as a time, and not as the end of
// the run.
func escape(id string) string {
	text := strings.NewReplacer("%", "%25", "/", "%2F").Replace(id)
	if r, err := parseRun(text); id != "" && (err != nil || r.Kind != ID) {
		text = fmt.Sprintf("%%%02X", id[0]) + text[1:]
	}
	return text
}

// Moment is the time that a run's name means: the first of a day, now for None. ok is
// false for Latest and ID, which name runs that there are.
func (r Run) Moment(zone *time.Location, now time.Time) (at time.Time, ok bool) {
	switch r.Kind {
	case None:
		return now.UTC().Truncate(time.Second), true
	case Today:
		y, m, d := now.In(zone).Date()
		return wall(y, m, d, 0, zone), true
	case Date, Local:
		y, m, d := r.Time.Date()
		return wall(y, m, d, r.Time.Sub(r.Time.Truncate(24*time.Hour)), zone), true
	case Instant:
		return r.Time, true
	}
	return time.Time{}, false
}

// window is from when to before when the time of a run is that is meant.
func (r Run) window(zone *time.Location, now time.Time) (from, to time.Time) {
	from, _ = r.Moment(zone, now)
	if r.Kind == Today || r.Kind == Date {
		y, m, d := from.In(zone).Date()
		return from, wall(y, m, d+1, 0, zone)
	}
	return from, from.Add(time.Second)
}

// wall is when a clock in a zone shows a time since midnight; what it skips is as much
// later.
func wall(y int, m time.Month, d int, since time.Duration, zone *time.Location) time.Time {
	at := time.Date(y, m, d, 0, 0, int(since/time.Second), 0, zone)
	shown := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second
	switch {
	case shown == since:
		return at
	case since == 0: // midnight itself is skipped: the day begins when the clock has moved on
		before := time.Date(y, m, d-1, 12, 0, 0, 0, zone)
		_, end := before.ZoneBounds()
		return end.In(zone)
	}
	return wall(y, m, d, 0, zone).Add(since)
}
