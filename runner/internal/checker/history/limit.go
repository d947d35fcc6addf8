package history

import (
	"fmt"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// enoughInHour is how many successes in an hour of the week make a history of their own.
const enoughInHour = 10

// Limit is the threshold of a run, by the successes of its hour of the week where there
// are enough, else by all. The clock is the first task's start where that is known of
// the run and of most successes: details are asked for slow runs first, which would
// spoil the comparison.
func (w *Workflow) Limit(spec threshold.Spec, b threshold.Bounds, r observe.Run) threshold.Limit {
	past, clock, bucket := w.past(r)
	l := spec.Of(past, b)
	l.Clock, l.Bucket = clock, bucket
	return l
}

// Under is the limit below which a run is suspiciously fast. The run itself does not
// count.
func (w *Workflow) Under(spec threshold.Spec, b threshold.Bounds, o Outcome) threshold.Limit {
	runs := slices.DeleteFunc(w.Runs.Samples(), func(s Sample) bool { return s.Start == o.Created.UnixMilli() })
	past, clock, bucket := w.among(runs, observe.Run{Created: o.Created, Started: o.Started, Time: o.Time})
	l := spec.Under(past, b)
	l.Clock, l.Bucket = clock, bucket
	return l
}

// past are the durations that a run is compared with.
func (w *Workflow) past(r observe.Run) (past []time.Duration, clock threshold.Clock, bucket string) {
	return w.among(w.Runs.Samples(), r)
}

func (w *Workflow) among(runs Samples, r observe.Run) (past []time.Duration, clock threshold.Clock, bucket string) {
	clock = threshold.Created
	if !r.Started.IsZero() {
		known := len(runs.durations(threshold.Started, func(Sample) bool { return true }))
		if r.Created.IsZero() || known >= threshold.Enough && 2*known >= len(runs) {
			clock = threshold.Started
		}
	}
	hour := w.hour(r)
	past = runs.durations(clock, func(s Sample) bool { return s.Hour == hour })
	if len(past) >= enoughInHour && len(past) < len(runs) {
		return past, clock, fmt.Sprintf("on %ss at %02dh", time.Weekday(hour/24), hour%24)
	}
	return runs.durations(clock, func(Sample) bool { return true }), clock, ""
}

// Past are the durations that a run's is to be compared with, in any order, and the
// clock by which they are taken.
func (w *Workflow) Past(r observe.Run) ([]time.Duration, threshold.Clock) {
	past, clock, _ := w.past(r)
	return past, clock
}

// TaskLimit is the threshold of a task.
func (w *Workflow) TaskLimit(spec threshold.Spec, b threshold.Bounds, task string) threshold.Limit {
	l := spec.Of(w.TaskPast(task), b)
	l.Clock = threshold.Started
	return l
}

// TaskPast are the durations of a task's successes.
func (w *Workflow) TaskPast(task string) []time.Duration {
	return w.Tasks[task].Samples().durations(threshold.Started, func(Sample) bool { return true })
}

// Elapsed is how long a run takes until a time, by a clock. Where its time is not known
// that is 0.
func Elapsed(r observe.Run, clock threshold.Clock, at time.Time) time.Duration {
	from := r.Created
	if clock == threshold.Started {
		from = r.Started
	}
	if from.IsZero() {
		return 0
	}
	return max(0, at.Sub(from))
}
