package engine

import (
	"fmt"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// backfillDelay is how long a queued attempt waits at least: a real server looks
// once a second.
const backfillDelay = time.Second

// Backfill asks for the sessions that a schedule had from a time on, up to its
// next one.
type Backfill struct {
	From   time.Time
	Name   string // of the attempts
	Count  *int
	DryRun bool
}

// BackfillSchedule queues an attempt for each slot; each waits for the one
// before it. A dry run gives the times alone.
func (e *Engine) BackfillSchedule(id int64, b Backfill) (attempts []int64, times []time.Time, err error) {
	err = e.change(func(st *state.State) error {
		s := st.Schedules[id]
		w := st.Workflows[s.WorkflowID]
		p, _, err := planOf(w.Definition)
		if err != nil {
			return err
		}
		if times, err = b.times(p, s.NextTime); err != nil {
			return err
		}
		for _, at := range times {
			if session := st.SessionAt(s.ProjectID, s.Workflow, at); session != nil && attemptNamed(st, session, b.Name) != nil {
				return ConflictError(fmt.Sprintf("Attempt of project id=%d workflow=%s instant=%s attempt name=%s already exists",
					s.ProjectID, s.Workflow, at.UTC().Format(time.RFC3339), b.Name))
			}
		}
		if b.DryRun {
			return nil
		}
		if open := len(st.Open()); open+len(times) > e.cfg.MaxAttempts {
			return LimitError{Limit: e.cfg.MaxAttempts, Open: max(open, e.cfg.MaxAttempts)}
		}
		after := int64(0)
		for i, at := range times {
			last := lastExecuted(st, s, at)
			if i > 0 {
				last = &times[i-1]
			}
			start := e.now().Add(backfillDelay)
			a := e.newAttempt(st, w, Request{SessionTime: at, RetryName: b.Name, Params: conf.New(), LastExecuted: last})
			a.QueuedUntil, a.QueuedAfter = &start, after
			after = a.SessionID
			attempts = append(attempts, a.ID)
		}
		return nil
	})
	return attempts, times, err
}

func (b Backfill) times(p plan, until time.Time) (times []time.Time, err error) {
	for at := p.first(b.From).time; at.Before(until); at = p.after(at).time {
		if b.Count != nil && len(times) >= *b.Count {
			break
		}
		times = append(times, at)
	}
	if b.Count != nil && len(times) < *b.Count {
		err = InvalidError(fmt.Sprintf("count is set to %d but there are only %d attempts until the next schedule time", *b.Count, len(times)))
	}
	return times, err
}

// lastExecuted is the last session of the schedule's workflow before a time.
func lastExecuted(st *state.State, s *state.Schedule, before time.Time) *time.Time {
	var last *time.Time
	for _, x := range st.Sessions {
		if x.ProjectID == s.ProjectID && x.Workflow == s.Workflow && x.Time.Before(before) && (last == nil || x.Time.After(*last)) {
			last = &x.Time
		}
	}
	return last
}

// mayLeaveQueue tells whether nothing that a queued attempt waits for runs.
func mayLeaveQueue(st *state.State, a *state.Attempt) bool {
	for _, other := range st.AttemptsOf(a.QueuedAfter) {
		if !other.Done {
			return false
		}
	}
	return true
}

// startQueued gives queued attempts their tasks once it is their turn.
func (e *Engine) startQueued(st *state.State) {
	if !e.cfg.SchedulerEnabled {
		return
	}
	for _, id := range st.Open() {
		a := st.Attempts[id]
		if a.QueuedUntil == nil || a.QueuedUntil.After(e.now()) || !mayLeaveQueue(st, a) {
			continue
		}
		w := st.Workflows[a.WorkflowID]
		a.QueuedUntil = nil
		st.Put(a)
		if tasks, err := dig.Compile("", "+"+w.Name, w.Config); err == nil { // as when it was pushed
			e.plant(st, a, tasks, nil)
		}
	}
}
