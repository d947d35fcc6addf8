package threshold

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Clock is from when on a run is timed.
type Clock string

const (
	// Started is when its first task began.
	Started Clock = "started"
	// Created is when the engine took it in.
	Created Clock = "created"
)

// Limit is a threshold with what explains it.
type Limit struct {
	At   Duration `json:"at"`
	Spec Spec     `json:"spec"`
	// N successes it is made of; the median of them, and the range in which the middle
	// 80 percent lie.
	N      int      `json:"n"`
	Median Duration `json:"median,omitzero"`
	Low    Duration `json:"low,omitzero"`
	High   Duration `json:"high,omitzero"`
	// Bound is floor or cap where that decided.
	Bound string `json:"bound,omitempty"`
	// Unknown: there are too few successes.
	Unknown bool `json:"unknown,omitempty"`
	// Clock is what the durations are timed from, and Bucket the part of the week that
	// they are of; "" for all.
	Clock  Clock  `json:"clock,omitempty"`
	Bucket string `json:"bucket,omitempty"`
}

// Usually is the usual time with its range, "" where there is no history.
func (l Limit) Usually() string {
	if l.N == 0 {
		return ""
	}
	text := fmt.Sprintf("%s, mostly %s to %s, in %s", Short(time.Duration(l.Median)), Short(time.Duration(l.Low)), Short(time.Duration(l.High)), successes(l.N))
	if l.Bucket != "" {
		text += " " + l.Bucket
	}
	return text
}

// Why explains the number.
func (l Limit) Why() string {
	var parts []string
	switch {
	case l.Spec.Fixed > 0:
		parts = append(parts, "set to "+l.Spec.String())
	case l.Unknown && l.N == 0:
		parts = append(parts, "it has no success yet to compare with")
	case l.Unknown:
		parts = append(parts, fmt.Sprintf("%s are too few to tell what is usual", successes(l.N)))
	case l.Bound != "":
		parts = append(parts, fmt.Sprintf("the %s, as %s would be %s it", l.Bound, l.Spec, map[string]string{"floor": "below", "cap": "above"}[l.Bound]))
	default:
		parts = append(parts, fmt.Sprintf("%s, which is %s times the median", l.Spec, strconv.FormatFloat(float64(l.At)/float64(max(l.Median, 1)), 'f', 1, 64)))
	}
	switch l.Clock {
	case Started:
		parts = append(parts, "timed from its first task's start")
	case Created:
		parts = append(parts, "timed from its creation")
	}
	return strings.Join(parts, "; ")
}

// String is the number with its reason.
func (l Limit) String() string {
	return Short(time.Duration(l.At)) + " (" + l.Why() + ")"
}

func successes(n int) string {
	if n == 1 {
		return "1 success"
	}
	return strconv.Itoa(n) + " successes"
}
