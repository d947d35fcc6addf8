package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
)

// since is a time as people write it: a duration ago, a clock's time, or one of the
// times that an address takes. One of them is set.
type since struct {
	ago   time.Duration
	clock time.Duration // since midnight, if isClock
	at    address.Run

	isClock bool
}

var errSince = errors.New("want a duration (90m), a time of day (03:00), today, a date (2026-11-22), or a time (2026-11-22T03:00:00, with +09:00 or without)")

// parseSince reads one.
func parseSince(text string) (since, error) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return since{ago: d}, nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return since{isClock: true, clock: t.Sub(t.Truncate(24 * time.Hour))}, nil
		}
	}
	r, err := address.ParseRun(text)
	if _, isTime := r.Moment(time.UTC, time.Time{}); err == nil && isTime && r.Kind != address.None {
		return since{at: r}, nil
	}
	return since{}, sdk.Permanent(sdk.Code("bad_since", fmt.Errorf("since %.60q: %w", text, errSince)))
}

// in is the time in a zone. A time of day is the last one that has passed.
func (s since) in(zone *time.Location, now time.Time) time.Time {
	switch {
	case s.ago > 0:
		return now.Add(-s.ago).Truncate(time.Second)
	case s.isClock:
		for _, day := range []int{0, -1} {
			y, m, d := now.In(zone).AddDate(0, 0, day).Date()
			local := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Add(s.clock)
			at, _ := address.Run{Kind: address.Local, Time: local}.Moment(zone, now)
			if !at.After(now) || day < 0 {
				return at
			}
		}
	}
	at, _ := s.at.Moment(zone, now)
	return at
}
