package main

import (
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// attemptLimit is Digdag's default for executor.attempt_max_run. No answer tells
	// what it is set to; but where more are open, it is set to as many at least.
	attemptLimit = 100
	// overdue is how late a schedule has to be for its server to be thought asleep. One
	// that works looks each second, and sets a schedule that it cannot start to later.
	overdue = 5 * time.Minute
	// never is the year in which Digdag runs a schedule that has ended.
	never = 9999
)

// schedulesOf are a server's schedules as they are reported. One that has ended has no
// next time.
func schedulesOf(list []client.Schedule, known map[client.ID]pushed) []observe.Schedule {
	all := make([]observe.Schedule, 0, len(list))
	for _, s := range list {
		one := observe.Schedule{
			ID: string(s.ID), Project: s.Project.Name, Workflow: s.Workflow.Name,
			Disabled: s.DisabledAt, Off: !s.DisabledAt.IsZero(),
			Labels: known[s.Project.ID].labelsOf(s.Workflow.Name),
		}
		if s.NextRunTime.Year() < never {
			one.NextRun, one.NextSession = s.NextRunTime, s.NextScheduleTime
		}
		all = append(all, one)
	}
	return all
}

// late are the schedules that should have run by now.
func late(schedules []observe.Schedule, now time.Time) (list []observe.Schedule) {
	for _, s := range schedules {
		if !s.Off && !s.NextRun.IsZero() && now.Sub(s.NextRun) > overdue {
			list = append(list, s)
		}
	}
	return list
}

// healthOf is what a server that answers tells of itself. Nothing tells whether an
// agent is there; that a schedule is let pass tells that its executor is not.
func healthOf(version, endpoint string, schedules []observe.Schedule, now time.Time) []observe.Health {
	all := []observe.Health{{Name: "api", OK: true, Note: "Digdag " + version + " at " + endpoint}}
	on := 0
	for _, s := range schedules {
		if !s.Off && !s.NextRun.IsZero() {
			on++
		}
	}
	if on == 0 {
		return all
	}
	scheduler := observe.Health{Name: "scheduler", OK: true}
	if over := late(schedules, now); len(over) > 0 {
		first := over[0]
		for _, s := range over {
			if s.NextRun.Before(first.NextRun) {
				first = s
			}
		}
		scheduler.OK = false
		scheduler.Note = fmt.Sprintf("%d of %d schedules let their time pass; %s/%s was to run at %s. Does a server with its executor on run, and are the clocks right?",
			len(over), on, first.Project, first.Workflow, first.NextRun.Format(time.RFC3339))
	}
	return append(all, scheduler)
}

// attemptSignals count what is open. fresh is how many attempts are new since the
// pass before.
func attemptSignals(runs []observe.Run, fresh int) []observe.Signal {
	open, by := 0, map[observe.State]int{}
	for _, r := range runs {
		if !r.State.Ended() {
			open++
			by[r.State]++
		}
	}
	signals := []observe.Signal{
		{Name: "open_attempts", Value: float64(open)},
		{Name: "queued_attempts", Value: float64(by[observe.Queued])},
		{Name: "cancelling_attempts", Value: float64(by[observe.Cancelling])},
		{Name: "new_attempts", Value: float64(fresh)},
	}
	limit := observe.Signal{Name: "open_attempts_limit", Value: attemptLimit, Labels: map[string]string{"from": "Digdag's default"}}
	if open > attemptLimit {
		limit.Value, limit.Labels["from"] = float64(open), "at least what is open"
	}
	return append(signals, limit)
}

func scheduleSignals(schedules []observe.Schedule, now time.Time) []observe.Signal {
	off := 0
	for _, s := range schedules {
		if s.Off {
			off++
		}
	}
	return []observe.Signal{
		{Name: "schedules", Value: float64(len(schedules))},
		{Name: "disabled_schedules", Value: float64(off)},
		{Name: "overdue_schedules", Value: float64(len(late(schedules, now)))},
	}
}
