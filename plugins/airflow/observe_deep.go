package main

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk/observe"
)

// waiting are the states of a task instance that holds or wants something, in which it
// may be stuck.
var waiting = []string{"scheduled", "queued", "running", "deferred"}

// deep reports what only a look at pools, task instances and jobs tells. Airflow 2 lists
// no jobs.
func (o *observer) deep(ctx context.Context, s *observe.Snapshot) error {
	var pools []client.Pool
	var tasks []client.TaskInstance
	var jobs []client.Job
	seen := map[string]bool{}
	for _, part := range []struct {
		name string
		get  func() error
		tell func() []observe.Signal
	}{
		{"pools", func() (err error) { pools, err = o.Pools(ctx); return err }, func() []observe.Signal { return poolSignals(pools) }},
		{"task instances", func() (err error) { tasks, err = o.TasksIn(ctx, waiting...); return err }, func() []observe.Signal { return taskSignals(tasks, s.At) }},
		{"jobs", func() (err error) { jobs, err = o.Jobs(ctx); return err }, func() []observe.Signal { return jobSignals(jobs) }},
	} {
		if part.name == "jobs" && o.api == 1 {
			continue
		}
		looked, err := o.look(part.name, part.get)
		if err != nil {
			return err
		}
		if seen[part.name] = looked; looked {
			s.Signals = append(s.Signals, part.tell()...)
		}
	}
	if seen["pools"] && seen["task instances"] {
		s.Signals = append(s.Signals, holderSignals(pools, tasks)...)
	}
	return nil
}

func poolSignals(pools []client.Pool) (signals []observe.Signal) {
	for _, p := range pools {
		for _, n := range []struct {
			name  string
			value int
		}{{"pool_slots", p.Slots}, {"pool_open_slots", p.Open}, {"pool_running_slots", p.Running}, {"pool_queued_slots", p.Queued}} {
			signals = append(signals, observe.Signal{Name: n.name, Value: float64(n.value), Labels: map[string]string{"pool": p.Name}})
		}
	}
	return signals
}

// mostHolders is how many tasks are named that hold a pool's slots.
const mostHolders = 5

// holderSignals are the tasks that hold most slots of a pool, of pools of which not half is
// open: who holds the others matters to nobody.
func holderSignals(pools []client.Pool, tasks []client.TaskInstance) (signals []observe.Signal) {
	for _, p := range pools {
		if 2*p.Open >= p.Slots {
			continue
		}
		type task struct{ dag, name string }
		slots := map[task]int{}
		for _, t := range tasks {
			holds := t.State == "running" || t.State == "queued" || t.State == "deferred" && p.Occupied > p.Running+p.Queued
			if holds && t.Pool == p.Name {
				slots[task{t.DAG, t.Task}] += max(1, t.PoolSlots)
			}
		}
		by := slices.SortedFunc(maps.Keys(slots), func(a, b task) int {
			return cmp.Or(cmp.Compare(slots[b], slots[a]), cmp.Compare(a.dag, b.dag), cmp.Compare(a.name, b.name))
		})
		for _, t := range by[:min(len(by), mostHolders)] {
			signals = append(signals, observe.Signal{
				Name: "pool_holder_slots", Value: float64(slots[t]), Labels: map[string]string{"pool": p.Name, "dag": t.dag, "task": t.name},
			})
		}
	}
	return signals
}

// taskSignals count task instances by state, and tell for how long the oldest of each
// is in it and which that is.
func taskSignals(tasks []client.TaskInstance, now time.Time) (signals []observe.Signal) {
	for _, state := range waiting {
		count := 0
		var oldest client.TaskInstance
		var since time.Time
		for _, t := range tasks {
			if t.State != state {
				continue
			}
			count++
			if began := enteredAt(t); !began.IsZero() && (since.IsZero() || began.Before(since)) {
				oldest, since = t, began
			}
		}
		signals = append(signals, observe.Signal{Name: "tasks", Value: float64(count), Labels: map[string]string{"state": state}})
		if !since.IsZero() {
			signals = append(signals, observe.Signal{
				Name: "oldest_task_age_s", Value: max(0, now.Sub(since).Seconds()),
				Labels: map[string]string{"state": state, "run": runID(oldest.DAG, oldest.Run), "task": address.TaskName(oldest.Task, oldest.MapIndex)},
			})
		}
	}
	return signals
}

// enteredAt is since when a task instance is in its state, zero where that is not
// told. Airflow 2 does not tell when one was scheduled.
func enteredAt(t client.TaskInstance) time.Time {
	switch t.State {
	case "scheduled":
		return t.Scheduled
	case "queued":
		return cmp.Or(t.Queued, t.Scheduled)
	}
	return t.Start
}

// jobSignals count live jobs: schedulers, triggerers and DAG processors.
func jobSignals(jobs []client.Job) (signals []observe.Signal) {
	by := map[string]int{}
	for _, j := range jobs {
		by[j.Type]++
	}
	for _, kind := range slices.Sorted(maps.Keys(by)) {
		signals = append(signals, observe.Signal{Name: "live_jobs", Value: float64(by[kind]), Labels: map[string]string{"type": kind}})
	}
	return signals
}
