package history

import (
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

// early is how much before its time a run may be created.
const early = time.Minute

// keepDue is how long a run that never came is remembered.
const keepDue = 7 * 24 * time.Hour

func (f *fold) schedules() {
	if f.c.Blind.Schedules {
		return
	}
	there := map[string]bool{}
	for _, one := range f.snap.Schedules {
		key := Key(one.Project, one.Workflow)
		there[key] = true
		f.schedule(key, one)
	}
	for _, key := range slices.Sorted(maps.Keys(f.s.Workflows)) {
		w := f.s.Workflows[key]
		if w.Schedule == nil || there[key] || !w.Gone.IsZero() {
			continue
		}
		w = f.workflow(w.Project, w.Name)
		w.Gone, w.Renamed, w.Due = f.s.At, f.successor(w, there), nil
	}
}

func (f *fold) schedule(key string, one observe.Schedule) {
	w := f.s.Workflows[key]
	var was *Schedule
	if w != nil {
		was = w.Schedule
	}
	now := &Schedule{
		Next: one.NextRun, Session: one.NextSession, Expression: one.Expression, Zone: one.Zone,
		Off: one.Off || !one.Disabled.IsZero(), OffSince: one.Disabled, Broken: one.Broken,
		MaxActive: one.MaxActive, Labels: one.Labels,
	}
	if now.Labels == nil && was != nil {
		now.Labels = was.Labels // nil is not known; none are empty
	}
	if now.Off && now.OffSince.IsZero() && was != nil {
		now.OffSince = was.OffSince
		if !was.Off {
			now.OffSince = f.s.At
		}
	}
	if was != nil && w.Gone.IsZero() && was.equal(now) {
		return
	}
	switch {
	case was != nil && w.Gone.IsZero() && !was.Off && was.Next.Equal(now.Next):
		now.Late = was.Late
	case !f.c.First && !now.Off && !now.Next.IsZero() && now.Next.Before(f.s.At):
		now.Late = f.s.At
	}
	w = f.workflow(one.Project, one.Workflow)
	if was != nil && w.Gone.IsZero() && passed(*was, *now, f.s.At) {
		w.Due = append(slices.Clone(w.Due), Due{At: was.Next, Session: was.Session, While: f.during(key, was.Next)})
		w.Due = last(w.Due, maxDue)
	}
	w.Schedule, w.Gone, w.Renamed = now, time.Time{}, ""
}

func (s *Schedule) equal(o *Schedule) bool {
	return s.Next.Equal(o.Next) && s.Session.Equal(o.Session) && s.Expression == o.Expression && s.Zone == o.Zone &&
		s.Off == o.Off && s.OffSince.Equal(o.OffSince) && s.Broken == o.Broken && s.MaxActive == o.MaxActive && maps.Equal(s.Labels, o.Labels)
}

// passed reports whether a schedule's time came, and the engine has gone on to the next.
func passed(was, now Schedule, at time.Time) bool {
	return !was.Off && !was.Next.IsZero() && !was.Next.After(at) && (now.Next.IsZero() || now.Next.After(was.Next))
}

// during is the address of a run that was open at a time.
func (f *fold) during(key string, at time.Time) string {
	for _, o := range f.openOf[key] {
		if o.Created.Before(at) {
			return o.Address
		}
	}
	return ""
}

// due drops what came after all, and what is old.
func (f *fold) due() {
	for _, key := range slices.Sorted(maps.Keys(f.s.Workflows)) {
		if w := f.s.Workflows[key]; len(w.Due) > 0 {
			left := slices.DeleteFunc(slices.Clone(w.Due), func(d Due) bool {
				return f.s.At.Sub(d.At) > keepDue || w.Came(d, f.openOf[key])
			})
			if len(left) < len(w.Due) {
				f.workflow(w.Project, w.Name).Due = left
			}
		}
	}
}

// successor is the workflow that came when another went: the only one that is new in
// its project, or the one with its next time.
func (f *fold) successor(w *Workflow, there map[string]bool) string {
	var all []*Workflow
	for _, key := range slices.Sorted(maps.Keys(f.fresh)) {
		if n := f.s.Workflows[key]; n != nil && there[key] && n.Project == w.Project && n.Schedule != nil {
			all = append(all, n)
		}
	}
	if w.Project != "" && len(all) == 1 {
		return all[0].Name
	}
	for _, n := range all {
		if n.Schedule.Next.Equal(w.Schedule.Next) && n.Schedule.Expression == w.Schedule.Expression {
			return n.Name
		}
	}
	return ""
}
