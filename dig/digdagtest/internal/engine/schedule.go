package engine

import (
	"errors"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// reschedule gives the schedules of a project after a push: one for each
// workflow that has one, counted on from the session that ran last, else from
// the given time. Ids and who is disabled stay by the workflow's name; what was
// skipped by hand does not.
func (e *Engine) reschedule(st *state.State, project *state.Project, workflows []*state.Workflow, from time.Time) ([]*state.Schedule, error) {
	var kept []*state.Schedule
	old := map[string]*state.Schedule{}
	for _, s := range st.Schedules {
		if s.ProjectID == project.ID {
			old[s.Workflow] = s
		}
	}
	for _, w := range workflows {
		p, scheduled, err := planOf(w.Definition)
		if err != nil {
			return nil, err
		}
		if !scheduled {
			continue
		}
		s := old[w.Name]
		delete(old, w.Name)
		if s == nil {
			s = &state.Schedule{ID: st.NextID("schedule"), ProjectID: project.ID, Workflow: w.Name, CreatedAt: e.now()}
		}
		s.WorkflowID = w.ID
		if s.LastTime != nil {
			moveTo(s, p.after(*s.LastTime))
		} else {
			moveTo(s, p.first(from))
		}
		kept = append(kept, s)
	}
	for _, s := range old { // its workflow is gone or has no schedule any more
		s.Workflow = ""
		st.Put(s)
	}
	return kept, nil
}

func moveTo(s *state.Schedule, next slot) { s.NextTime, s.NextRun = next.time, next.run }

// runSchedules starts the sessions that are due.
func (e *Engine) runSchedules(st *state.State) {
	if !e.cfg.SchedulerEnabled {
		return
	}
	for _, id := range state.IDs(st.Schedules) {
		if s := st.Schedules[id]; s.Runs(st) && !s.NextRun.After(e.now()) {
			e.runSchedule(st, s)
		}
	}
}

func (e *Engine) runSchedule(st *state.State, s *state.Schedule) {
	p, _, err := planOf(st.Workflows[s.WorkflowID].Definition)
	if err != nil {
		return // it was fine when it was pushed
	}
	late := p.skipDelayedBy > 0 && e.now().After(s.NextRun.Add(p.skipDelayedBy))
	if late || (p.skipOvertime && running(st, s)) {
		moveTo(s, p.after(s.NextTime))
		st.Put(s)
		return
	}
	_, _, err = e.submit(st, Request{
		WorkflowID: s.WorkflowID, SessionTime: s.NextTime, RunTime: s.NextRun, Params: conf.New(), LastExecuted: s.LastTime,
	})
	if limit := (LimitError{}); errors.As(err, &limit) {
		s.NextRun = e.now().Truncate(time.Second).Add(10 * time.Minute)
	} else {
		last := s.NextTime
		s.LastTime = &last
		moveTo(s, p.after(last))
	}
	st.Put(s)
}

// running tells whether an attempt of the schedule's workflow is open. One that
// is being cancelled does not count, whatever still runs of it.
func running(st *state.State, s *state.Schedule) bool {
	for _, id := range st.Open() {
		a := st.Attempts[id]
		if !a.CancelRequested && a.ProjectID == s.ProjectID && st.Sessions[a.SessionID].Workflow == s.Workflow {
			return true
		}
	}
	return false
}

// DisableSchedule turns a schedule off or on.
func (e *Engine) DisableSchedule(id int64, off bool) error {
	return e.change(func(st *state.State) error {
		s := st.Schedules[id]
		now := e.now()
		switch {
		case !off:
			s.DisabledAt = nil
		case s.DisabledAt == nil:
			s.DisabledAt = &now
		}
		st.Put(s)
		return nil
	})
}

// Skip says to which slot a schedule is to go: the first one from To, or the
// first one from From and Count further.
type Skip struct {
	To, From time.Time
	Count    int
	RunTime  *time.Time // when it runs then, instead of the slot's own time
	DryRun   bool
}

// SkipSchedule moves a schedule on, and gives it as it is after that.
func (e *Engine) SkipSchedule(id int64, k Skip) (moved state.Schedule, err error) {
	err = e.change(func(st *state.State) error {
		s := st.Schedules[id]
		p, _, err := planOf(st.Workflows[s.WorkflowID].Definition)
		if err != nil {
			return err
		}
		next := p.first(k.To)
		if k.To.IsZero() {
			next = p.first(k.From)
			for range k.Count {
				next = p.after(next.time)
			}
		}
		if !s.NextTime.Before(next.time) {
			return ConflictError("Specified time to skip schedules is already past")
		}
		if k.RunTime != nil {
			next.run = *k.RunTime
		}
		moved = *s
		moveTo(&moved, next)
		if !k.DryRun {
			moveTo(s, next)
			st.Put(s)
		}
		return nil
	})
	return moved, err
}

// SessionTime is the time that a session of a workflow has when t is asked for:
// the start of the hour or day, or the first (schedule) or next (next_schedule)
// slot of its schedule.
func SessionTime(w *state.Workflow, t time.Time, mode string) (time.Time, error) {
	zone, err := time.LoadLocation(w.TimeZone)
	if err != nil {
		return t, err
	}
	local := t.In(zone)
	switch mode {
	case "":
		return t, nil
	case "hour":
		return time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), 0, 0, 0, zone), nil
	case "day":
		return time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, zone), nil
	}
	p, scheduled, err := planOf(w.Definition)
	if err == nil && !scheduled {
		err = InvalidError("session_time_truncate=" + mode + " is set but schedule is not set to this workflow")
	}
	if err != nil {
		return t, err
	}
	if mode == "schedule" {
		return p.first(t).time, nil
	}
	return p.after(t).time, nil
}
