package history

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

func (f *fold) runs() {
	before := f.s.Open
	idle := slices.ContainsFunc(slices.Collect(maps.Values(before)), func(o Open) bool { return o.NotBegun })
	open := map[string]Open{}
	ended := map[string]bool{}
	for _, r := range f.snap.Runs {
		if !r.State.Ended() {
			was := before[r.ID]
			o := f.open(r, was)
			if begins(o, was, idle) {
				f.s.Progress = f.s.At
			}
			open[r.ID] = o
		}
	}
	runs := slices.Clone(f.snap.Runs)
	slices.SortStableFunc(runs, func(a, b observe.Run) int { return a.Ended.Compare(b.Ended) })
	for _, r := range runs {
		f.tasks(r)
		if !r.State.Ended() {
			continue
		}
		ended[r.ID] = true
		if _, again := open[r.ID]; !again {
			f.end(r, before[r.ID])
		}
	}
	for _, id := range slices.Sorted(maps.Keys(before)) {
		o := before[id]
		if _, still := open[id]; still || ended[id] {
			continue
		}
		// Nobody says that it has ended: it stays open where the source could not look.
		b := f.c.Blind
		if b.Runs || f.snap.Cut || slices.Contains(b.RunIDs, id) && !f.gone(id) {
			open[id] = o
			continue
		}
		f.s.Lost = append(slices.Clone(f.s.Lost), Lost{o, f.s.At})
	}
	f.s.Open = open
	f.openOf = map[string][]Open{}
	for _, id := range slices.Sorted(maps.Keys(open)) {
		key := Key(open[id].Project, open[id].Workflow)
		f.openOf[key] = append(f.openOf[key], open[id])
	}
	f.lost()
}

// begins reports whether it is news that a run has begun. That it is there is enough, unless
// there are others (idle) of which nothing has begun: then a start has to be known.
func begins(o, was Open, idle bool) bool {
	if idle {
		return was.Started.IsZero() && !o.Started.IsZero()
	}
	return was.ID == ""
}

// gone reports whether the source says of a run that it is not there any more. The
// observers say so among what they were blind for.
func (f *fold) gone(id string) bool {
	return slices.ContainsFunc(f.snap.Blind, func(text string) bool { return isGone(text, id) })
}

// lost drops lost runs of old, and those after which the workflow succeeded.
func (f *fold) lost() {
	f.s.Lost = slices.DeleteFunc(slices.Clone(f.s.Lost), func(l Lost) bool {
		w := f.s.Workflows[Key(l.Project, l.Workflow)]
		return f.s.At.Sub(l.At) > keepLost || f.s.At.Before(l.At) ||
			w != nil && w.Good != nil && w.Good.Ended.After(l.Created)
	})
	if len(f.s.Lost) == 0 {
		f.s.Lost = nil
	}
}

// open is a run as it is kept while it is open.
func (f *fold) open(r observe.Run, was Open) Open {
	w := f.began(r)
	o := Open{Run: r, First: r.Created, Cancelling: was.Cancelling, Looked: was.Looked}
	if o.Started.IsZero() {
		o.Started = was.Started // details are not asked for each time
	}
	switch {
	case len(r.Tasks) > 0:
		o.NotBegun = r.State == observe.Queued
	case r.State == observe.Running && was.NotBegun && o.Started.IsZero():
		o.State, o.NotBegun = observe.Queued, true
	}
	if r.State == observe.Cancelling && o.Cancelling.IsZero() {
		o.Cancelling = f.s.At
	}
	if was.ID != "" {
		o.First, o.Before = was.First, was.Before
	} else if past := w.session(r); past != nil {
		o.First, o.Before = cmp.Or(past.First, past.Created), past.Sum
	}
	o.Changed = w.differs(r.Params)
	if w.Good != nil && r.Revision != "" && w.Good.Revision != r.Revision {
		o.Revised = w.Good.Revision
	}
	o.Params, o.Tasks, o.LogTail = nil, nil, ""
	return o
}

// began notes that a run is there. Only what is news makes a change. Labels that are nil are
// not known, so that those of the run before hold; a newer run without any has none, and what
// an owner took out of the workflow holds no more.
func (f *fold) began(r observe.Run) *Workflow {
	w := f.s.Workflows[Key(r.Project, r.Workflow)]
	newer := w == nil || r.Created.After(w.LastRun)
	told := w != nil && r.Labels != nil && !r.Created.Before(w.LastRun)
	if newer || told && !maps.Equal(w.Labels, r.Labels) {
		w = f.workflow(r.Project, r.Workflow)
		if newer {
			w.LastRun = r.Created
		}
		if r.Labels != nil {
			w.Labels = r.Labels
		}
	}
	return w
}

// session is the session that a run is a try of.
func (w *Workflow) session(r observe.Run) *Outcome {
	i := slices.IndexFunc(w.Outcomes, func(o Outcome) bool {
		return o.ID == r.ID || r.Session != "" && o.Session == r.Session
	})
	if i < 0 {
		return nil
	}
	return &w.Outcomes[i]
}

// end takes in a run that has ended, if that is news.
func (f *fold) end(r observe.Run, was Open) {
	if r.Started.IsZero() {
		r.Started = was.Started
	}
	w := f.began(r)
	past := w.session(r)
	if past != nil && (past.ID == r.ID && past.Ended.Equal(r.Ended) || r.Try < past.Try) {
		return
	}
	f.s.Progress = f.s.At
	f.c.Ended = append(f.c.Ended, r)
	w = f.workflow(r.Project, r.Workflow)
	o := Outcome{
		Session: r.Session, ID: r.ID, Address: r.Address, Try: r.Try, State: r.State, Time: r.Time,
		First: r.Created, Created: r.Created, Started: r.Started, Ended: r.Ended, Sum: sum(r),
		Trigger: r.Trigger, Revision: r.Revision, Link: r.Link,
	}
	if past != nil {
		if first := cmp.Or(past.First, past.Created); first.Before(o.First) {
			o.First = first
		}
		if past.ID != r.ID {
			o.Sum += past.Sum
		}
	}
	if w.Good != nil {
		o.Changed = w.differs(r.Params)
		if r.Revision != "" && w.Good.Revision != r.Revision {
			o.Before = w.Good.Revision
		}
	}
	w.Outcomes = slices.DeleteFunc(slices.Clone(w.Outcomes), func(x Outcome) bool {
		return x.ID == r.ID || r.Session != "" && x.Session == r.Session
	})
	for i, x := range w.Outcomes {
		if x.State == observe.Success { // all that is asked of an older one
			w.Outcomes[i] = Outcome{Session: x.Session, ID: x.ID, Try: x.Try, State: x.State, Time: x.Time, Created: x.Created, Ended: x.Ended}
		}
	}
	w.Outcomes = append(w.Outcomes, o)
	slices.SortStableFunc(w.Outcomes, func(a, b Outcome) int { return a.Ended.Compare(b.Ended) })
	w.Outcomes = last(w.Outcomes, maxOutcomes)
	if r.State == observe.Success {
		f.success(w, r, o)
	}
}

func sum(r observe.Run) int64 {
	if r.Ended.IsZero() || r.Created.IsZero() {
		return 0
	}
	return max(0, r.Ended.Sub(r.Created).Milliseconds())
}

func (f *fold) success(w *Workflow, r observe.Run, o Outcome) {
	begin := cmp.Or(r.Created, r.Started)
	if begin.IsZero() || r.Ended.Before(begin) {
		return
	}
	one := Sample{Start: begin.UnixMilli(), Total: milliseconds(r.Ended.Sub(begin)), Hour: w.hour(r)}
	if !r.Started.IsZero() && !r.Ended.Before(r.Started) {
		one.Work = milliseconds(r.Ended.Sub(r.Started))
	}
	w.Runs = w.Runs.Samples().with(one, maxRuns).Pack()
	if w.Good != nil && w.Good.Ended.After(r.Ended) {
		return
	}
	good := &Good{
		ID: r.ID, Address: r.Address, First: o.First, Created: r.Created, Started: r.Started, Ended: r.Ended,
		Revision: r.Revision, Params: digests(w.Key(), r.Params),
	}
	if w.Good != nil {
		volatile := append(slices.Clone(w.Volatile), changed(w.Good.Params, good.Params)...)
		slices.Sort(volatile)
		w.Volatile = last(slices.Compact(volatile), maxParams)
	}
	w.Good = good
}

// hour is the bucket of a run: by its session's time, which has a zone, else by its
// creation, in the zone of the schedule where that is known.
func (w *Workflow) hour(r observe.Run) uint8 {
	t := cmp.Or(r.Time, r.Created, r.Started)
	if w.Schedule != nil && w.Schedule.Zone != "" {
		if zone, err := time.LoadLocation(w.Schedule.Zone); err == nil {
			t = t.In(zone)
		}
	}
	return hourOfWeek(t)
}

// tasks takes in how long a run's tasks took.
func (f *fold) tasks(r observe.Run) {
	for _, t := range r.Tasks {
		if t.Group || t.State != observe.Success || t.Started.IsZero() || t.Ended.Before(t.Started) {
			continue
		}
		w := f.s.Workflows[Key(r.Project, r.Workflow)]
		one := Sample{Start: t.Started.UnixMilli(), Work: milliseconds(t.Ended.Sub(t.Started)), Total: milliseconds(t.Ended.Sub(t.Started))}
		var before Packed
		if w != nil {
			before = w.Tasks[t.Name]
		}
		after := before.Samples().with(one, maxPerTask).Pack()
		if after == before {
			continue
		}
		w = f.workflow(r.Project, r.Workflow)
		w.Tasks = maps.Clone(w.Tasks)
		if w.Tasks == nil {
			w.Tasks = map[string]Packed{}
		}
		w.Tasks[t.Name] = after
		if len(w.Tasks) > maxTasks {
			delete(w.Tasks, oldest(w.Tasks))
		}
	}
}

func oldest(tasks map[string]Packed) string {
	newest := map[string]int64{}
	for name, packed := range tasks {
		all := packed.Samples()
		newest[name] = all[len(all)-1].Start
	}
	return slices.MinFunc(slices.Sorted(maps.Keys(tasks)), func(a, b string) int { return cmp.Compare(newest[a], newest[b]) })
}
