package history

import (
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/sdk/observe"
)

// ETA is when a run will end: as long as the successes that took longer than it has
// taken yet.
type ETA struct {
	// At is the median of them; Early and Late bound the middle 80 percent.
	At    time.Time `json:"at"`
	Early time.Time `json:"early"`
	Late  time.Time `json:"late"`
	// N are the successes that it is compared with, of which Longer took longer.
	N      int             `json:"n"`
	Longer int             `json:"longer"`
	Clock  threshold.Clock `json:"clock"`
	// Task holds it: the one that runs longest.
	Task string `json:"task,omitempty"`
}

// ETA of an open run, by its own history and that of the task that holds it. It is
// false where there is too little of it, or where all took less.
func (w *Workflow) ETA(r observe.Run, at time.Time) (ETA, bool) {
	past, clock := w.Past(r)
	e := ETA{N: len(past), Clock: clock}
	from := r.Created
	if clock == threshold.Started {
		from = r.Started
	}
	holder, held := Holder(r.Tasks)
	if held {
		e.Task = holder.Name
	}
	if e.N < threshold.Enough || from.IsZero() {
		return e, false
	}
	longer := longerThan(past, at.Sub(from))
	if e.Longer = len(longer); e.Longer == 0 {
		return e, false
	}
	pick := func(q float64) time.Time { return from.Add(longer[int(q*float64(len(longer)-1)+0.5)]) }
	e.Early, e.At, e.Late = pick(0.1), pick(0.5), pick(0.9)
	// It cannot end before the task that holds it.
	if held {
		if tasks := w.TaskPast(holder.Name); len(tasks) >= threshold.Enough {
			if rest := longerThan(tasks, at.Sub(holder.Started)); len(rest) > 0 {
				end := holder.Started.Add(rest[len(rest)/2])
				e.At, e.Late = later(e.At, end), later(e.Late, end)
			}
		}
	}
	return e, true
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// longerThan are sorted.
func longerThan(all []time.Duration, d time.Duration) []time.Duration {
	slices.Sort(all)
	at, _ := slices.BinarySearch(all, d+1)
	return all[at:]
}

// Holder is the task that a run hangs on: the one that runs longest, groups aside.
func Holder(tasks []observe.Task) (t observe.Task, ok bool) {
	for _, one := range tasks {
		if one.Group || one.Started.IsZero() || one.State.Ended() || one.State == observe.Queued {
			continue
		}
		if !ok || one.Started.Before(t.Started) {
			t, ok = one, true
		}
	}
	return t, ok
}
