package engine

import (
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// plan is what a schedule: says: sessions at the start of each slot, run after
// a delay.
type plan struct {
	zone    *time.Location
	minutes int // length of a slot; 60 for hourly>, 0 for daily>
	delay   time.Duration
}

// planOf reads the schedule: of a workflow; false when it has none.
func planOf(d dig.Definition) (plan, bool, error) {
	config := d.Config.Object("schedule")
	if config.Len() == 0 {
		return plan{}, false, nil
	}
	if config.Len() > 1 {
		return plan{}, false, fmt.Errorf("schedule: only daily>, hourly> or minutes_interval>, alone, is in the double; not %s", conf.Text(config))
	}
	zone, err := time.LoadLocation(d.TimeZone)
	if err != nil {
		return plan{}, false, fmt.Errorf("schedule: %w", err)
	}
	p, key := plan{zone: zone}, config.Keys()[0]
	value := conf.String(config.Get(key))
	switch key {
	case "daily>":
		p.delay, err = clock("15:04:05", value)
	case "hourly>":
		p.minutes = 60
		p.delay, err = clock("04:05", value)
	case "minutes_interval>":
		if p.minutes, err = conf.Int(value); err == nil && (p.minutes < 1 || 60%p.minutes != 0) {
			err = fmt.Errorf("only parts of an hour are in the double, not %d minutes", p.minutes)
		}
	default:
		err = fmt.Errorf("not in the double (it has daily>, hourly> and minutes_interval>)")
	}
	if err != nil {
		return plan{}, false, fmt.Errorf("schedule: %s: %w", key, err)
	}
	return p, true, nil
}

func clock(layout, text string) (time.Duration, error) {
	at, err := time.Parse(layout, text)
	if err != nil {
		return 0, err
	}
	return at.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)), nil
}

// slot is the start of the slot that t is in, or of another one from there.
func (p plan) slot(t time.Time, offset int) time.Time {
	t = t.In(p.zone)
	if p.minutes == 0 {
		return time.Date(t.Year(), t.Month(), t.Day()+offset, 0, 0, 0, 0, p.zone)
	}
	minute := t.Minute()/p.minutes*p.minutes + offset*p.minutes
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), minute, 0, 0, p.zone)
}

func (p plan) after(t time.Time) time.Time { return p.slot(t, 1) }

func (p plan) before(t time.Time) time.Time {
	if s := p.slot(t, 0); s.Before(t) {
		return s
	}
	return p.slot(t, -1)
}

// sessionParams are what a session of a scheduled workflow gets beside its own.
func (p plan) sessionParams(at time.Time) *conf.Object {
	o := conf.New()
	o.Set("last_session_time", FormatTime(p.before(at), p.zone))
	o.Set("next_session_time", FormatTime(p.after(at), p.zone))
	return o
}

// reschedule gives the schedules of a project after a push: one for each
// workflow that has one, and what was there of that name stays as it was.
func (e *Engine) reschedule(st *state.State, project *state.Project, workflows []*state.Workflow) ([]*state.Schedule, error) {
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
			slot := p.after(e.now().Add(-p.delay))
			s = &state.Schedule{ID: st.NextID("schedule"), ProjectID: project.ID, Workflow: w.Name, CreatedAt: e.now(), NextTime: slot, NextRun: slot.Add(p.delay)}
		}
		s.WorkflowID = w.ID
		kept = append(kept, s)
	}
	for _, s := range old { // its workflow is gone or has no schedule any more
		s.Workflow = ""
		st.Put(s)
	}
	return kept, nil
}

// runSchedules starts the sessions that are due.
func (e *Engine) runSchedules(st *state.State) {
	for _, id := range state.IDs(st.Schedules) {
		s := st.Schedules[id]
		if !e.cfg.ExecutorEnabled || !s.Runs(st) || s.NextRun.After(e.now()) {
			continue
		}
		p, _, err := planOf(st.Workflows[s.WorkflowID].Definition)
		if err != nil {
			continue // it was fine when it was pushed
		}
		params := conf.New()
		if s.LastTime != nil {
			params.Set("last_executed_session_time", FormatTime(*s.LastTime, p.zone))
		}
		_, _, err = e.submit(st, Request{WorkflowID: s.WorkflowID, SessionTime: s.NextTime, Params: params})
		if limit := (LimitError{}); errors.As(err, &limit) {
			s.NextRun = s.NextRun.Add(10 * time.Minute)
		} else {
			last := s.NextTime
			s.LastTime, s.NextTime = &last, p.after(last)
			s.NextRun = s.NextTime.Add(p.delay)
		}
		st.Put(s)
	}
}
