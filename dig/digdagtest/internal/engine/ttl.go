package engine

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// reap asks for the end of attempts and tasks that take too long. As with a
// kill, no process hears of it.
func (e *Engine) reap() {
	var notes []notification
	e.must(func(st *state.State) {
		now := e.now()
		for _, id := range st.Open() {
			a := st.Attempts[id]
			if !a.CancelRequested && a.CreatedAt.Before(now.Add(-e.cfg.AttemptTTL)) && e.cancel(st, a) {
				notes = append(notes, timeoutNote(st, a, now, "Workflow execution timeout"))
			}
		}
		for _, id := range st.Open() {
			var late []string
			for _, t := range st.Tasks(id) {
				waits := slices.Contains([]state.TaskState{state.Running, state.RetryWaiting, state.GroupRetryWaiting}, t.State)
				if waits && !t.CancelRequested && t.StartedAt != nil && t.StartedAt.Before(now.Add(-e.cfg.TaskTTL)) {
					late = append(late, strconv.FormatInt(t.ID, 10))
				}
			}
			if a := st.Attempts[id]; len(late) > 0 && e.cancel(st, a) {
				notes = append(notes, timeoutNote(st, a, now, "Task execution timeout: "+strings.Join(late, ",")))
			}
		}
	})
	for _, n := range notes {
		e.work.Go(func() { _ = e.notify(n) }) // nobody hears of it
	}
}

// timeoutNote has the numbers of an attempt, but nothing of its session's time.
func timeoutNote(st *state.State, a *state.Attempt, now time.Time, message string) notification {
	n := note(st, a, now, message)
	n.TimeZone, n.SessionUUID, n.SessionTime = nil, nil, nil
	return n
}
