package threshold

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Spec says what is too long: a fixed time, or Factor times what is usual. The zero
// Spec says nothing. It is written 2h, usual or usual*1.5.
type Spec struct {
	Fixed  time.Duration
	Factor float64
}

// Usual is what is usual, without a factor.
func Usual() Spec { return Spec{Factor: 1} }

// Fixed is a fixed time.
func Fixed(d time.Duration) Spec { return Spec{Fixed: d} }

// IsZero reports whether nothing was said.
func (s Spec) IsZero() bool { return s == Spec{} }

// maxFactor is more than anybody means.
const maxFactor = 1000

// Parse reads a threshold.
func Parse(text string) (Spec, error) {
	bad := fmt.Errorf("%q: want a time such as 2h, or usual, or usual*1.5", text)
	rest, found := strings.CutPrefix(strings.TrimSpace(text), "usual")
	if !found {
		d, err := ParseDuration(rest)
		if err != nil || d == 0 {
			return Spec{}, bad
		}
		return Fixed(time.Duration(d)), nil
	}
	rest = strings.TrimSpace(rest)
	if rest == "" {
		return Usual(), nil
	}
	rest, found = strings.CutPrefix(rest, "*")
	f, err := strconv.ParseFloat(strings.TrimSpace(rest), 64)
	if !found || err != nil || !(f > 0 && f <= maxFactor) {
		return Spec{}, bad
	}
	return Spec{Factor: f}, nil
}

// String is what Parse reads, "" for the zero Spec.
func (s Spec) String() string {
	switch {
	case s.Fixed > 0:
		return Duration(s.Fixed).String()
	case s.Factor == 1:
		return "usual"
	case s.Factor > 0:
		return "usual*" + strconv.FormatFloat(s.Factor, 'g', -1, 64)
	}
	return ""
}

// MarshalText writes what UnmarshalText reads.
func (s Spec) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText refuses what is no threshold; "" is the zero Spec.
func (s *Spec) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*s = Spec{}
		return nil
	}
	v, err := Parse(string(text))
	if err != nil {
		return errors.New("want a time such as 2h, or usual, or usual*1.5")
	}
	*s = v
	return nil
}

// Bounds keep what is usual within reason. A zero bound is the default.
type Bounds struct {
	Floor Duration `json:"floor,omitzero"`
	Cap   Duration `json:"cap,omitzero"`
}

const (
	// Enough is how many successes make a history.
	Enough = 5
	// DefaultFloor: below it nobody waits.
	DefaultFloor = 5 * time.Minute
	// DefaultCap is for what has a history, just below the time after which Digdag
	// itself asks for an attempt's end.
	DefaultCap = 6 * day
	// DefaultUnknown is the threshold of what has no history, where the cap is not lower.
	DefaultUnknown = 24 * time.Hour
)

func (b Bounds) floor() time.Duration {
	if b.Floor > 0 {
		return time.Duration(b.Floor)
	}
	if b.Cap > 0 {
		return min(DefaultFloor, time.Duration(b.Cap))
	}
	return DefaultFloor
}

func (b Bounds) cap() time.Duration {
	if b.Cap > 0 {
		return time.Duration(b.Cap)
	}
	return max(DefaultCap, b.floor())
}

// Of is the limit by a history of successes, in any order.
func (s Spec) Of(durations []time.Duration, b Bounds) Limit {
	l := Limit{N: len(durations), Spec: s}
	if l.N > 0 {
		r := rangeOf(durations)
		l.Median, l.Low, l.High = Duration(r.median), Duration(r.low), Duration(r.high)
	}
	if s.Fixed > 0 {
		l.At = Duration(s.Fixed)
		return l
	}
	if l.N < Enough {
		l.Unknown = true
		l.At = Duration(min(max(DefaultUnknown, b.floor()), b.cap()))
		return l
	}
	at := seconds(math.Exp(upper(logs(durations))) * s.factor())
	l.At = Duration(at)
	switch {
	case at < b.floor():
		l.At, l.Bound = Duration(b.floor()), "floor"
	case at > b.cap():
		l.At, l.Bound = Duration(b.cap()), "cap"
	}
	return l
}

// Under is the limit below which something is suspiciously fast: what is usual,
// mirrored at the median. A factor makes it lower. Without a history it is 0. Bounds hold
// where they are given; there are none by default, as nothing is too short for everybody.
func (s Spec) Under(durations []time.Duration, b Bounds) Limit {
	l := s.Of(durations, Bounds{})
	l.Bound = ""
	switch {
	case s.Fixed > 0:
		return l
	case l.Unknown:
		l.At = 0
	default:
		m, width := spread(logs(durations))
		l.At = Duration(seconds(math.Exp(m-width) / s.factor()))
	}
	switch {
	case l.At < b.Floor:
		l.At, l.Bound = b.Floor, "floor"
	case b.Cap > 0 && l.At > b.Cap:
		l.At, l.Bound = b.Cap, "cap"
	}
	return l
}

func (s Spec) factor() float64 {
	if s.Factor > 0 {
		return s.Factor
	}
	return 1
}
