package term

import (
	"errors"
	"time"

	"github.com/outrider-run/outrider/runner/internal/age"
)

// Moment reads a time as people write it, in the time zone of now: 02:00 is the last
// such time, 2026-01-02 its midnight, 2h or 3d is ago.
func Moment(text string, now time.Time) (time.Time, error) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		clock, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		day := func(back int) time.Time {
			return time.Date(now.Year(), now.Month(), now.Day()-back, clock.Hour(), clock.Minute(), clock.Second(), 0, now.Location())
		}
		if today := day(0); !today.After(now) {
			return today, nil
		}
		return day(1), nil
	}
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05", time.RFC3339} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	if d, err := age.Parse(text); err == nil {
		return now.Add(-d), nil
	}
	return time.Time{}, errors.New("want 02:00, 2026-01-02, 2026-01-02T03:04:05Z, or ago such as 2h or 3d")
}
