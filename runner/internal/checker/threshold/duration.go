package threshold

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/age"
)

// Duration is a length of time that is written with days of 24 hours before the rest,
// such as 30d, 1d12h or 1h30m.
type Duration time.Duration

const day = age.Day

// ParseDuration reads a duration that is not negative.
func ParseDuration(text string) (Duration, error) {
	d, err := age.Parse(text)
	return Duration(d), err
}

// String is exact: ParseDuration reads it back.
func (d Duration) String() string {
	if d < 0 {
		return "-" + (-d).String()
	}
	text := ""
	if days := time.Duration(d) / day; days > 0 {
		text = strconv.FormatInt(int64(days), 10) + "d"
	}
	rest := time.Duration(d) % day
	if rest == 0 {
		if text == "" {
			return "0s"
		}
		return text
	}
	s := rest.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return text + s
}

// MarshalText writes what UnmarshalText reads.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText refuses what is no duration.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := ParseDuration(string(text))
	if err != nil {
		return errors.New("want a duration such as 90s, 2h or 1d12h")
	}
	*d = v
	return nil
}

// Short is a duration as a person says it, in at most two units: 8s, 4m30s, 47m,
// 3h12m, 2d4h.
func Short(d time.Duration) string {
	if d < 0 {
		return "-" + Short(-d)
	}
	unit := time.Second
	switch {
	case d < time.Second:
		unit = time.Millisecond
	case d >= day-30*time.Minute:
		unit = time.Hour
	case d >= 10*time.Minute-30*time.Second:
		unit = time.Minute
	}
	return Duration(d.Round(unit)).String()
}

// seconds keeps a float within what a duration can hold.
func seconds(s float64) time.Duration {
	return time.Duration(math.Min(s*float64(time.Second), float64(age.MaxDays*day)))
}
