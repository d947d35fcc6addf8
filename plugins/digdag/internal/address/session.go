package address

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// Kind is a way to name a session.
type Kind int

const (
	// None: no session is named.
	None Kind = iota
	// Latest is the session that was made last. That need not be the one of the
	// latest time: a backfill makes sessions of the past.
	Latest
	// Today is the session that was made last among those of today, in the
	// workflow's zone.
	Today
	// Date is the same of another day.
	Date
	// Instant is the session of a moment.
	Instant
	// Local is the session of a time as a clock in the workflow's zone shows it.
	Local
	// Number is the id of an attempt of the workflow, or else of a session.
	Number
)

// Session names a session.
type Session struct {
	Kind Kind
	// Time is of Date, Instant and Local, in whole seconds as Digdag has them. That of
	// Date and Local stands in UTC and is of no zone.
	Time time.Time
	// ID is of Number: digits.
	ID string
}

var (
	number = regexp.MustCompile(`^([0-9]{1,19})(\+.*)?$`)
	word   = regexp.MustCompile(`^(latest|today)(\+.*)?$`)
	date   = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)(\+.*)?$`)
	// clock takes a + and four digits for an offset, not for a task, which cannot begin
	// with a digit.
	clock = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(?:\.\d+)?(?:(Z)|([+-]\d\d):?(\d\d))?(\+.*)?$`)
)

// session reads what follows an @, and gives what is left: the task.
func session(text string) (s Session, rest string, err error) {
	if m := number.FindStringSubmatch(text); m != nil {
		return Session{Kind: Number, ID: m[1]}, m[2], nil
	}
	if m := word.FindStringSubmatch(text); m != nil {
		kind := map[string]Kind{"latest": Latest, "today": Today}[m[1]]
		return Session{Kind: kind}, m[2], nil
	}
	if m := date.FindStringSubmatch(text); m != nil {
		at, err := time.Parse("2006-01-02", m[1])
		if err != nil {
			return s, "", fmt.Errorf("session %q: there is no such day", m[1])
		}
		return Session{Kind: Date, Time: at}, m[2], nil
	}
	m := clock.FindStringSubmatch(text)
	if m == nil {
		named, _, _ := strings.Cut(text, "+")
		return s, "", fmt.Errorf("session %.60q: %w", named, errSession)
	}
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
		return s, "", fmt.Errorf("session %q: there is no such time", strings.TrimSuffix(text, m[7]))
	}
	return Session{Kind: kind, Time: at}, m[7], nil
}

// String is how the session stands after the @, "" for None.
func (s Session) String() string {
	switch s.Kind {
	case Latest:
		return "latest"
	case Today:
		return "today"
	case Date:
		return s.Time.Format("2006-01-02")
	case Instant:
		return s.Time.Format(time.RFC3339)
	case Local:
		return s.Time.Format("2006-01-02T15:04:05")
	case Number:
		return s.ID
	}
	return ""
}
