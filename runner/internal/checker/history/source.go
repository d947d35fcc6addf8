package history

import (
	"maps"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

// Version of the types here as they are stored.
const Version = 1

// Source is what is remembered of a source. The zero Source has seen nothing.
type Source struct {
	Version int    `json:"version"`
	Engine  string `json:"engine,omitempty"`
	// Since is when its first snapshot was taken, which is the baseline, and At the last
	// one.
	Since time.Time `json:"since,omitzero"`
	At    time.Time `json:"at,omitzero"`
	// Older is how many snapshots in a row were older than that, and not taken in.
	Older int `json:"older,omitempty"`
	// Progress is when a run was last seen to begin or to end.
	Progress  time.Time            `json:"progress,omitzero"`
	Workflows map[string]*Workflow `json:"workflows,omitempty"` // by Key
	Open      map[string]Open      `json:"open,omitempty"`      // by the run's id
	Lost      []Lost               `json:"lost,omitempty"`
	Signals   map[string]Value     `json:"signals,omitempty"` // by SignalKey
	Health    []observe.Health     `json:"health,omitempty"`
}

// Open is a run that has not ended.
type Open struct {
	observe.Run // without parameters, tasks and log
	// Cancelling is since when it was seen so.
	Cancelling time.Time `json:"cancelling,omitzero"`
	// NotBegun: when its tasks were looked at last, none had ever begun. It counts as queued
	// until they are looked at again, whatever the engine calls it meanwhile.
	NotBegun bool `json:"not_begun,omitempty"`
	// Session's tries before: when the first was created and how long all took, in
	// milliseconds.
	First  time.Time `json:"first,omitzero"`
	Before int64     `json:"before_ms,omitempty"`
	// Changed and Revised are what differs from the last success.
	Changed []string `json:"changed,omitempty"`
	Revised string   `json:"revised,omitempty"`
	// Looked is when it was last looked at closely: its tasks and log. Zero for never.
	Looked time.Time `json:"looked,omitzero"`
}

// Lost is a run that was open, and of which the source says nothing more.
type Lost struct {
	Open
	At time.Time `json:"at"`
}

// Value is a signal as it was seen last.
type Value struct {
	Value    float64   `json:"value"`
	Previous float64   `json:"previous"`
	Changed  time.Time `json:"changed,omitzero"` // zero where it never was
	Seen     time.Time `json:"seen"`
}

// Changes are what Fold changed.
type Changes struct {
	// First: it was the first snapshot, which is the baseline.
	First bool
	// Reset: the engine's ids began anew, so that all that hangs on them is void.
	Reset bool
	// Old: the snapshot is older than the one before, and was not taken in.
	Old bool
	// Workflows that have changed, and that are forgotten, by Key.
	Workflows []string
	Forgotten []string
	// Ended are the runs that this snapshot told to have ended, as far as that is news.
	Ended []observe.Run
	Blind Blind
}

// LookedAt notes that open runs were looked at closely in the last snapshot, whatever came
// of it.
func (s Source) LookedAt(ids []string) Source {
	s.Open = maps.Clone(s.Open)
	for _, id := range ids {
		if o, open := s.Open[id]; open {
			o.Looked = s.At
			s.Open[id] = o
		}
	}
	return s
}
