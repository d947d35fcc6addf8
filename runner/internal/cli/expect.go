package cli

import (
	"time"

	"github.com/outrider-run/outrider/runner/internal/cli/term"

	"github.com/netresearch/go-cron"
)

// Labels that keep --expect and --tz, so that a run which is made again says when the next
// one is due too.
const (
	labelExpect = "outrider.expect"
	labelZone   = "outrider.tz"
)

// expect is nextDue, which it notes in the labels of the run.
func expect(labels map[string]string, expr, zone string, now time.Time) (time.Time, error) {
	due, err := nextDue(expr, zone, now)
	if err == nil && expr != "" {
		labels[labelExpect] = expr
		if zone != "" {
			labels[labelZone] = zone
		}
	}
	return due, err
}

// nextDue is when a run is expected next after now, by a crontab's five fields in a
// time zone (the machine's own for ""). Where both days are given either will do, as
// in crontab(5).
func nextDue(expr, zone string, now time.Time) (time.Time, error) {
	if expr == "" {
		if zone != "" {
			return time.Time{}, term.Usage("--tz is the zone of --expect, which is missing")
		}
		return time.Time{}, nil
	}
	loc := time.Local
	if zone != "" {
		var err error
		if loc, err = time.LoadLocation(zone); err != nil {
			return time.Time{}, term.Usage("--tz %q: want a time zone, such as Asia/Tokyo", zone)
		}
	}
	parser, err := cron.TryNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom | cron.Descriptor)
	if err != nil {
		return time.Time{}, err
	}
	s, err := parser.Parse(expr)
	if err != nil {
		return time.Time{}, term.Usage("--expect %q: %w; want a crontab's five fields, such as '*/30 * * * *'", expr, err)
	}
	return s.Next(now.In(loc)), nil
}
