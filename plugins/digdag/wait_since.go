package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
)

// since is a time as people write it: a duration ago, a clock's time, or one of the
// times that an address takes. One of them is set.
type since struct {
	ago   time.Duration
	clock time.Duration // since midnight, if isClock
	at    address.Session

	isClock bool
}

var errSince = errors.New("want a duration (90m), a time of day (03:00), today, a date (2026-11-22), or a time (2026-11-22T03:00:00, with +09:00 or without)")

// parseSince reads one.
func parseSince(text string) (since, error) {
	if d, err := time.ParseDuration(text); err == nil {
		if d <= 0 {
			return since{}, sdk.Permanent(sdk.Code("bad_since", fmt.Errorf("since %q: %w", text, errSince)))
		}
		return since{ago: d}, nil
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return since{isClock: true, clock: t.Sub(t.Truncate(24 * time.Hour))}, nil
		}
	}
	a, err := address.Parse("p/w@" + text)
	if err == nil && a.Task == "" {
		switch a.Session.Kind {
		case address.Today, address.Date, address.Local, address.Instant:
			return since{at: a.Session}, nil
		}
	}
	return since{}, sdk.Permanent(sdk.Code("bad_since", fmt.Errorf("since %.60q: %w", text, errSince)))
}

// in is the time in a zone. A time of day is the last one that has passed.
func (s since) in(zone *time.Location, now time.Time) time.Time {
	now = now.In(zone)
	y, m, d := now.Date()
	wall := func(y int, m time.Month, d int, clock time.Duration) time.Time {
		at := time.Date(y, m, d, 0, 0, int(clock/time.Second), 0, zone)
		if shown := time.Duration(at.Hour())*time.Hour + time.Duration(at.Minute())*time.Minute + time.Duration(at.Second())*time.Second; shown != clock {
			return time.Date(y, m, d, 0, 0, 0, 0, zone).Add(clock) // the clock skips it: as much later, as the server has it
		}
		return at
	}
	switch {
	case s.isClock:
		if at := wall(y, m, d, s.clock); !at.After(now) {
			return at
		}
		return wall(y, m, d-1, s.clock)
	case s.at.Kind == address.Today:
		return wall(y, m, d, 0)
	case s.at.Kind == address.Date, s.at.Kind == address.Local:
		ty, tm, td := s.at.Time.Date()
		return wall(ty, tm, td, s.at.Time.Sub(s.at.Time.Truncate(24*time.Hour)))
	case s.at.Kind == address.Instant:
		return s.at.Time
	}
	return now.Add(-s.ago).Truncate(time.Second)
}

// of is the time in a workflow's zone, which the server knows.
func (s since) of(ctx context.Context, c *client.Client, w client.Workflow, now time.Time) (time.Time, error) {
	switch {
	case s.isClock:
		here, err := c.TruncatedSessionTime(ctx, w.ID, now, client.TruncateNot)
		if err != nil {
			return time.Time{}, err
		}
		y, m, d := here.SessionTime.Date()
		for _, day := range []int{d, d - 1} {
			at, err := c.LocalSessionTime(ctx, w.ID, time.Date(y, m, day, 0, 0, int(s.clock/time.Second), 0, time.UTC), client.TruncateNot)
			if err != nil || !at.SessionTime.After(now) {
				return at.SessionTime, err
			}
		}
		return here.SessionTime, nil // a day ago is past by any clock
	case s.ago > 0:
		return s.in(time.UTC, now), nil
	}
	return address.FindTime(ctx, c, w, s.at, now)
}
