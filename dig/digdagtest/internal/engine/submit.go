package engine

import (
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// Request asks for an attempt.
type Request struct {
	WorkflowID  int64
	SessionTime time.Time
	RetryName   string
	Params      *conf.Object
	Resume      *Resume

	RunTime      time.Time  // when a schedule meant it to run; zero: now
	LastExecuted *time.Time // the schedule's session before
}

// Resume names the attempt whose finished tasks are not to be run again.
type Resume struct {
	Attempt int64
	From    string // a task name, by its end; empty: all that did not fail
}

// LimitError says that too many attempts are open.
type LimitError struct{ Limit, Open int }

func (e LimitError) Error() string {
	return fmt.Sprintf("Too many attempts running. Limit: %d, Current: %d", e.Limit, e.Open)
}

// MissingError says that something asked for is not there.
type MissingError string

func (e MissingError) Error() string { return "Resource does not exist: " + string(e) }

// InvalidError says what is wrong with a request.
type InvalidError string

func (e InvalidError) Error() string { return string(e) }

// ConflictError says what is in the way of a request.
type ConflictError string

func (e ConflictError) Error() string { return string(e) }

// Submit starts an attempt. When the session already has that attempt it is
// returned with conflict set, and nothing starts.
func (e *Engine) Submit(r Request) (attempt int64, conflict bool, err error) {
	err = e.change(func(st *state.State) error {
		attempt, conflict, err = e.submit(st, r)
		return err
	})
	return attempt, conflict, err
}

func (e *Engine) submit(st *state.State, r Request) (id int64, conflict bool, err error) {
	w := st.Workflows[r.WorkflowID]
	if w == nil {
		return 0, false, MissingError(fmt.Sprintf("workflow id=%d", r.WorkflowID))
	}
	if st.Projects[w.ProjectID].DeletedAt != nil {
		return 0, false, MissingError(fmt.Sprintf("workflow id=%d", r.WorkflowID))
	}
	tasks, err := dig.Compile("", "+"+w.Name, w.Config)
	if err != nil {
		return 0, false, err
	}
	resumed, ids, err := e.resuming(st, r.Resume)
	if err != nil {
		return 0, false, err
	}
	if open := len(st.Open()); open >= e.cfg.MaxAttempts {
		return 0, false, LimitError{Limit: e.cfg.MaxAttempts, Open: open}
	}
	if session := st.SessionAt(w.ProjectID, w.Name, r.SessionTime.Truncate(time.Second)); session != nil {
		if a := attemptNamed(st, session, r.RetryName); a != nil {
			return a.ID, true, nil
		}
	}
	if r.RunTime.IsZero() {
		r.RunTime = e.now()
	}
	sla, err := slaTime(w.Definition, r.RunTime)
	if err != nil {
		return 0, false, err
	}
	a := e.newAttempt(st, w, r)
	a.Resuming, a.SLATime = ids, sla
	e.plant(st, a, tasks, resumed)
	return a.ID, false, nil
}

// attemptNamed finds what an attempt of that name is in conflict with: the one
// that has it, and for no name the last one.
func attemptNamed(st *state.State, session *state.Session, name string) *state.Attempt {
	all := st.AttemptsOf(session.ID)
	for _, a := range all {
		if a.RetryName == name && name == "" {
			return all[len(all)-1]
		}
		if a.RetryName == name {
			return a
		}
	}
	return nil
}

// newAttempt stores an attempt without tasks, and its session if that is new.
func (e *Engine) newAttempt(st *state.State, w *state.Workflow, r Request) *state.Attempt {
	at := r.SessionTime.Truncate(time.Second)
	session := st.SessionAt(w.ProjectID, w.Name, at)
	if session == nil {
		session = &state.Session{ID: st.NextID("session"), ProjectID: w.ProjectID, Workflow: w.Name, UUID: newUUID(), Time: at}
	}
	params := r.Params.Clone()
	if p, scheduled, err := planOf(w.Definition); err == nil && scheduled {
		params.Merge(p.sessionParams(at, r.LastExecuted))
	}
	a := &state.Attempt{
		ID: st.NextID("attempt"), SessionID: session.ID, ProjectID: w.ProjectID, WorkflowID: w.ID, Index: len(st.AttemptsOf(session.ID)) + 1,
		RetryName: r.RetryName, TimeZone: w.TimeZone, Params: params, CreatedAt: e.now(),
	}
	session.LastAttempt = a.ID
	st.Put(session, a)
	return a
}

// plant gives an attempt its first tasks.
func (e *Engine) plant(st *state.State, a *state.Attempt, tasks []dig.Task, resumed map[string]*state.Task) {
	root := e.insert(st, a, 0, tasks, true, resumed)[0]
	root.State = state.Planned
	if !root.Group {
		root.State = state.Ready
	}
}

// resuming collects the finished tasks of an earlier attempt, by name, and the
// ids of those that this one generates later.
func (e *Engine) resuming(st *state.State, r *Resume) (map[string]*state.Task, []int64, error) {
	if r == nil {
		return nil, nil, nil
	}
	tasks := st.Tasks(r.Attempt)
	if len(tasks) == 0 {
		return nil, nil, MissingError(fmt.Sprintf("session attempt id=%d", r.Attempt))
	}
	keep := map[int64]bool{}
	if r.From == "" {
		for _, t := range tasks {
			keep[t.ID] = t.State == state.Success
		}
	} else if err := before(st, tasks, r.From, keep); err != nil {
		return nil, nil, err
	}
	if keep[tasks[0].ID] {
		return nil, nil, InvalidError("Resuming successfully completed attempts is not supported")
	}
	byName, generated := map[string]*state.Task{}, []int64(nil)
	for _, t := range tasks {
		if !keep[t.ID] {
			continue
		}
		if t.State != state.Success {
			return nil, nil, InvalidError(fmt.Sprintf("Resuming non-successful tasks is not allowed: task_id=%d", t.ID))
		}
		byName[t.FullName] = t
		if strings.Contains(t.FullName, "^") {
			generated = append(generated, t.ID)
		}
	}
	return byName, generated, nil
}

// before keeps what ran ahead of the one task whose name ends like pattern.
func before(st *state.State, tasks []*state.Task, pattern string, keep map[int64]bool) error {
	var from *state.Task
	for _, t := range tasks {
		if !strings.HasSuffix(t.FullName, pattern) {
			continue
		}
		if from != nil && from.FullName != t.FullName {
			return InvalidError(fmt.Sprintf("Task pattern '%s' is ambiguous. Matching candidates are [%s, %s]", pattern, from.FullName, t.FullName))
		}
		from = t
	}
	if from == nil {
		return InvalidError(fmt.Sprintf("Task pattern '%s' doesn't match with any tasks.", pattern))
	}
	parents := map[int64]bool{}
	for _, p := range ancestors(st, from) {
		parents[p.ID] = true
	}
	for _, t := range farToNear(st, from) {
		keep[t.ID] = !parents[t.ID]
	}
	return nil
}

// resumable are the finished tasks of the attempt that is resumed which stand
// for tasks that were yet to be generated.
func (e *Engine) resumable(st *state.State, a *state.Attempt) map[string]*state.Task {
	byName := map[string]*state.Task{}
	for _, id := range a.Resuming {
		for _, other := range st.AttemptsOf(a.SessionID) {
			if t := st.Task(other.ID, id); t != nil {
				byName[t.FullName] = t
			}
		}
	}
	return byName
}

// Kill asks for the end of an attempt: flags only, no process hears of it. It
// is false when there is nothing left to cancel.
func (e *Engine) Kill(attempt int64) (killed bool, err error) {
	err = e.change(func(st *state.State) error {
		a := st.Attempts[attempt]
		if a == nil {
			return MissingError(fmt.Sprintf("session attempt id=%d", attempt))
		}
		killed = e.cancel(st, a)
		return nil
	})
	return killed, err
}

// cancel sets the flags of an attempt and of all its tasks that are not done; it
// is false when there is none.
func (e *Engine) cancel(st *state.State, a *state.Attempt) (found bool) {
	for _, t := range st.Tasks(a.ID) {
		if !a.Done && !t.State.Done() {
			t.CancelRequested, found = true, true
			st.Put(t)
		}
	}
	if found {
		a.CancelRequested = true
		st.Put(a)
	}
	return found
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
