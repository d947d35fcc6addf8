package main

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// stale is how old a heartbeat may be. Airflow itself takes one of 30 s for none by
	// default, and may be set to more.
	stale = 2 * time.Minute
	// overdue is how late a DAG has to be to be called so.
	overdue = 5 * time.Minute
)

// names of Airflow's parts that other engines have too.
var partNames = map[string]string{"metadatabase": "database"}

// healthOf is what the health page tells of each part there is: none where it never
// ran and need not. An Airflow 3 needs a scheduler and a DAG processor, an Airflow 2
// a scheduler.
func healthOf(parts []client.Part, api int, now time.Time) (all []observe.Health) {
	for _, p := range parts {
		h := observe.Health{Name: p.Name, Heartbeat: p.Heartbeat, OK: p.Status == "healthy"}
		if name, ok := partNames[p.Name]; ok {
			h.Name = name
		}
		age := now.Sub(p.Heartbeat)
		switch {
		case p.Status == "" && p.Heartbeat.IsZero() && (p.Name == "triggerer" || api == 1):
			continue
		case p.Status == "" && p.Heartbeat.IsZero():
			h.Note = "none ever ran"
		case !p.Heartbeat.IsZero() && age > stale:
			h.OK = false
			h.Note = "its last heartbeat was " + humanize.RelTime(p.Heartbeat, now, "before the server's time", "after it")
		case !h.OK && !p.Heartbeat.IsZero():
			h.Note = fmt.Sprintf("Airflow says %s; its last heartbeat was %s before the server's time", p.Status, age.Round(time.Second))
		case !h.OK:
			h.Note = "Airflow says " + p.Status
		}
		all = append(all, h)
	}
	return all
}

// sick is the health of a server that answers and cannot list its runs: there is
// trouble behind it.
func sick(all []observe.Health, why string) []observe.Health {
	for i := range all {
		if all[i].Name == "database" {
			all[i].OK, all[i].Note = false, why
			return all
		}
	}
	return append(all, observe.Health{Name: "database", Note: why})
}

// heartbeats are the ages of the parts' heartbeats.
func heartbeats(parts []client.Part, now time.Time) (signals []observe.Signal) {
	for _, p := range parts {
		if !p.Heartbeat.IsZero() {
			signals = append(signals, observe.Signal{
				Name: "heartbeat_age_s", Value: max(0, now.Sub(p.Heartbeat).Seconds()), Labels: map[string]string{"part": p.Name},
			})
		}
	}
	return signals
}

// runSignals count what is open.
func runSignals(runs []observe.Run) []observe.Signal {
	open, queued := 0, 0
	for _, r := range runs {
		if !r.State.Ended() {
			open++
		}
		if r.State == observe.Queued {
			queued++
		}
	}
	return []observe.Signal{
		{Name: "open_runs", Value: float64(open)},
		{Name: "queued_runs", Value: float64(queued)},
	}
}
