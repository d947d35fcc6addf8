package history

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// slack is how far an engine's clock may jump back between two snapshots.
	slack = 2 * time.Minute
	// maxOlder is how many snapshots in a row may be older than what was seen: a cache
	// answers. Then it is the clock that was set back.
	maxOlder = 5
	// forget is how long a workflow is remembered that neither runs nor is scheduled.
	forget = 35 * 24 * time.Hour
	// keepLost is how long a lost run is told of.
	keepLost = 24 * time.Hour
	// keepSignal is how long a signal is remembered that is not reported.
	keepSignal = 24 * time.Hour
)

// fold is one snapshot on its way in.
type fold struct {
	s       Source
	snap    observe.Snapshot
	c       Changes
	touched map[string]bool
	fresh   map[string]bool // workflows that were not known
	openOf  map[string][]Open
}

// Fold takes a snapshot in and returns the new state and what it changed.
//
// A snapshot that is older than the one before is not taken in, unless all are that come:
// then the clock was set back.
func Fold(s Source, snap observe.Snapshot) (Source, Changes) {
	f := fold{s: s, snap: snap, touched: map[string]bool{}, fresh: map[string]bool{}}
	f.s.Version = Version
	f.c.Blind = blindOf(snap.Blind)
	if !s.At.IsZero() && snap.At.Before(s.At.Add(-slack)) && !snap.Reset && s.Older < maxOlder {
		f.c.Old = true
		f.s.Older++
		return f.s, f.c
	}
	f.s.Older = 0
	for _, t := range []*time.Time{&f.s.Since, &f.s.Progress} {
		if t.After(snap.At) {
			*t = snap.At // else nothing were news until the clock comes round again
		}
	}
	f.s.Workflows = maps.Clone(s.Workflows)
	if f.s.Workflows == nil {
		f.s.Workflows = map[string]*Workflow{}
	}
	if snap.Reset {
		f.reset()
	}
	f.c.First = f.s.Since.IsZero()
	if f.c.First {
		f.s.Since, f.s.Progress = snap.At, snap.At
	}
	f.s.At = snap.At
	f.s.Engine = cmp.Or(snap.Engine, s.Engine)
	f.runs()
	f.schedules()
	f.due()
	f.forget()
	f.signals()
	if !f.c.Blind.Health {
		f.s.Health = snap.Health
	}
	f.c.Workflows = slices.Sorted(maps.Keys(f.touched))
	return f.s, f.c
}

// reset forgets all that hangs on ids. How long a workflow takes stays true.
func (f *fold) reset() {
	f.c.Reset = true
	for key, w := range f.s.Workflows {
		f.s.Workflows[key] = &Workflow{Project: w.Project, Name: w.Name, First: w.First, Runs: w.Runs, Tasks: w.Tasks}
		f.touched[key] = true
	}
	f.s = Source{Version: Version, Workflows: f.s.Workflows}
}

// workflow gives a copy to change, once a fold.
func (f *fold) workflow(project, name string) *Workflow {
	key := Key(project, name)
	w := f.s.Workflows[key]
	if w != nil && f.touched[key] {
		return w
	}
	if w == nil {
		w = &Workflow{Project: project, Name: name, First: f.snap.At}
		f.fresh[key] = true
	} else {
		one := *w
		w = &one
	}
	f.touched[key] = true
	f.s.Workflows[key] = w
	return w
}

// forget drops workflows that are no more.
func (f *fold) forget() {
	for key, w := range f.s.Workflows {
		since := w.LastRun
		for _, t := range []time.Time{w.First, w.Gone} {
			if t.After(since) {
				since = t
			}
		}
		if (w.Schedule == nil || !w.Gone.IsZero()) && f.s.At.Sub(since) > forget {
			delete(f.s.Workflows, key)
			delete(f.touched, key)
			f.c.Forgotten = append(f.c.Forgotten, key)
		}
	}
	slices.Sort(f.c.Forgotten)
}

func (f *fold) signals() {
	all := map[string]Value{}
	for key, v := range f.s.Signals {
		if age := f.s.At.Sub(v.Seen); age < keepSignal {
			all[key] = v
		}
	}
	for _, s := range f.snap.Signals {
		key := SignalKey(s)
		was, known := all[key]
		v := Value{Value: s.Value, Previous: s.Value, Seen: f.s.At}
		if known {
			v.Previous, v.Changed = was.Value, was.Changed
			if was.Value != s.Value {
				v.Changed = f.s.At
			}
		}
		all[key] = v
	}
	f.s.Signals = all
}

// SignalKey names a signal with its labels.
func SignalKey(s observe.Signal) string {
	key := s.Name
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		key += "\x00" + name + "\x00" + s.Labels[name]
	}
	return key
}
