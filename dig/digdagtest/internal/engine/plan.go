package engine

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/netresearch/go-cron"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
)

// plan is what a schedule: says: sessions at the start of each slot, run after
// a delay.
type plan struct {
	zone          *time.Location
	slots         cron.ScheduleWithPrev
	delay         time.Duration
	start, end    *time.Time // of run times; the end is out
	skipOvertime  bool
	skipDelayedBy time.Duration // 0: never
	everySeconds  int64         // seconds_interval>, which has no slots of cron
}

// scheduleEnd is the next time of a schedule that is over.
func scheduleEnd() time.Time { return time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC) }

// planOf reads the schedule: of a workflow; false when it has none.
func planOf(d dig.Definition) (plan, bool, error) {
	config := d.Config.Object("schedule")
	if config.Len() == 0 {
		return plan{}, false, nil
	}
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil {
		return plan{}, false, fmt.Errorf("schedule: %w", err)
	}
	p := plan{zone: zone}
	operators := dig.Operators(config)
	if len(operators) != 1 {
		return plan{}, false, InvalidError("Schedule config requires 'type>: at' parameter: " + conf.Text(config))
	}
	for _, key := range config.Keys() {
		if err := p.read(key, config.Get(key), operators[0]); err != nil {
			return plan{}, false, fmt.Errorf("schedule: %s: %w", key, err)
		}
	}
	if p.start != nil && p.end != nil && !p.start.Before(*p.end) {
		return plan{}, false, InvalidError("The schedule of end is earlier than start")
	}
	return p, true, nil
}

func (p *plan) read(key string, v any, operator string) (err error) {
	switch key {
	case operator:
		return p.readSlots(operator, conf.String(v))
	case "skip_on_overtime":
		p.skipOvertime, err = conf.Bool(v)
	case "skip_delayed_by":
		p.skipDelayedBy, err = ParseDuration(conf.String(v))
	case "start":
		p.start, err = p.day(v, 0)
	case "end":
		p.end, err = p.day(v, 1)
	default:
		// Even delay, which a real server knows and refuses all the same.
		err = InvalidError("Parameter '" + key + "' is not used at schedule. ")
	}
	return err
}

func (p *plan) day(v any, offset int) (*time.Time, error) {
	at, err := time.ParseInLocation("2006-01-02", conf.String(v), p.zone)
	if err != nil {
		return nil, err
	}
	at = at.AddDate(0, 0, offset)
	return &at, nil
}

// readSlots makes a line of cron of every kind of schedule, as Digdag does.
func (p *plan) readSlots(operator, value string) (err error) {
	line, at, layout := "", value, "15:04:05"
	switch operator {
	case "cron>":
		line, at = value, ""
	case "minutes_interval>":
		line, at = "*/"+value+" * * * *", ""
	case "hourly>":
		line, layout = "0 * * * *", "04:05"
	case "daily>":
		line = "0 0 * * *"
	case "weekly>", "monthly>":
		day, clock, ok := strings.Cut(value, ",")
		if !ok {
			return InvalidError(operator + ": scheduler requires day,hh:mm:ss format: " + value)
		}
		line, at = "0 0 * * "+strings.TrimSpace(day), strings.TrimSpace(clock)
		if operator == "monthly>" {
			line = "0 0 " + strings.TrimSpace(day) + " * *"
		}
	case "seconds_interval>":
		p.everySeconds, err = strconv.ParseInt(value, 10, 64)
		if err == nil && p.everySeconds < 1 {
			err = InvalidError("must be positive: " + value)
		}
		return err
	default:
		return InvalidError("Unknown scheduler type: " + strings.TrimSuffix(operator, ">"))
	}
	if at != "" {
		if p.delay, err = clock(layout, at); err != nil {
			return InvalidError(operator + " scheduler requires hh:mm:ss format: " + value)
		}
	}
	if strings.ContainsAny(line, "|L?#@") {
		return fmt.Errorf("the pattern %q is not in the double", line)
	}
	// Both the day of the month and of the week must match, unlike in cron.
	parser, err := cron.TryNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)
	if err != nil {
		return err
	}
	schedule, err := parser.Parse(line)
	if err != nil {
		return InvalidError(err.Error())
	}
	slots, ok := schedule.(cron.ScheduleWithPrev)
	if !ok {
		return fmt.Errorf("the pattern %q is not in the double", line)
	}
	p.slots = slots
	return nil
}

func clock(layout, text string) (time.Duration, error) {
	at, err := time.Parse(layout, text)
	if err != nil {
		return 0, err
	}
	return at.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)), nil
}

// slot is the start of a slot and when its session runs.
type slot struct{ time, run time.Time }

// after is the first slot after t that start and end allow.
func (p plan) after(t time.Time) slot {
	next := p.next(t)
	run := next.Add(p.delay)
	switch {
	case next.IsZero(), p.end != nil && !p.end.After(run):
		return slot{scheduleEnd(), scheduleEnd()}
	case p.start != nil && p.start.After(run):
		next = p.next(p.start.Add(-time.Second))
	}
	return slot{next, next.Add(p.delay)}
}

// first is the first slot whose session runs at t or later.
func (p plan) first(t time.Time) slot {
	if p.everySeconds > 0 {
		return p.after(t.Add(-time.Nanosecond))
	}
	if s := t.Truncate(time.Second); !s.Equal(t) {
		return p.after(s.Add(-p.delay))
	}
	return p.after(t.Add(-time.Second - p.delay))
}

func (p plan) next(t time.Time) time.Time {
	if p.everySeconds > 0 {
		return time.Unix((t.Unix()/p.everySeconds+1)*p.everySeconds, 0).In(p.zone)
	}
	return p.slots.Next(t.In(p.zone))
}

// before is the last slot before t, whatever start says.
func (p plan) before(t time.Time) time.Time {
	if p.everySeconds > 0 {
		return time.Unix(t.Add(-time.Nanosecond).Unix()/p.everySeconds*p.everySeconds, 0).In(p.zone)
	}
	return p.slots.Prev(t.In(p.zone))
}

// sessionParams are what a session of a scheduled workflow gets beside its own.
func (p plan) sessionParams(at time.Time, lastExecuted *time.Time) *conf.Object {
	o := conf.New()
	o.Set("last_session_time", FormatTime(p.before(at), p.zone))
	o.Set("next_session_time", FormatTime(p.after(at).time, p.zone))
	if lastExecuted != nil {
		o.Set("last_executed_session_time", FormatTime(*lastExecuted, p.zone))
	}
	return o
}

// ParseDuration reads 1d 2h 3m 4s, or a part of it in that order.
func ParseDuration(text string) (time.Duration, error) {
	left, sum, found := strings.ToLower(strings.ReplaceAll(text, " ", "")), time.Duration(0), false
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		digits, rest, ok := strings.Cut(left, unit.letter)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 31)
		if err != nil {
			return 0, InvalidError("Invalid duration: " + text)
		}
		sum, left, found = sum+time.Duration(n)*unit.length, rest, true
	}
	if !found || left != "" {
		return 0, InvalidError("Invalid duration: " + text)
	}
	return sum, nil
}
