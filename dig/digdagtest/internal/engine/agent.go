package engine

import (
	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// take starts every queued task that nobody has. Each gets a goroutine: Digdag
// has no cap on them by default.
func (e *Engine) take(st *state.State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.draining || !e.cfg.AgentEnabled {
		return
	}
	for _, id := range st.Open() {
		a := st.Attempts[id]
		for _, t := range st.Tasks(id) {
			if !t.Queued || t.LockedBy != "" {
				continue
			}
			t.LockedBy, t.LockExpires = e.agent, e.lockUntil()
			st.Put(t)
			e.mine[t.ID] = id
			job := e.newJob(st, a, t)
			e.work.Go(func() {
				e.finish(job, job.run())
			})
		}
	}
}

func (e *Engine) lockUntil() int64 { return e.now().Add(e.cfg.LockRetention).Unix() }

// heartbeat keeps the tasks that this process runs.
func (e *Engine) heartbeat() {
	e.must(func(st *state.State) {
		e.mu.Lock()
		defer e.mu.Unlock()
		for id, attempt := range e.mine {
			if t := st.Task(attempt, id); t != nil && t.LockedBy == e.agent {
				t.LockExpires = e.lockUntil()
				st.Put(t)
			}
		}
	})
}

// expireLocks frees the tasks of a server that died: they are delivered again,
// whether their processes live or not, and nothing else about them changes.
func (e *Engine) expireLocks() {
	e.must(func(st *state.State) {
		now := e.now().Unix()
		for _, id := range st.Open() {
			for _, t := range st.Tasks(id) {
				if t.Queued && t.LockedBy != "" && t.LockExpires < now {
					t.LockedBy, t.LockExpires = "", 0
					st.Put(t)
				}
			}
		}
	})
}

// outcome is how a run of a task ended. With err set it failed, and with retry
// set too it is run again after a while, as with poll alone; else result is
// what it gave.
type outcome struct {
	poll   *polling
	err    *conf.Object
	retry  *retry
	result *conf.Object // subtask_config, export_params, store_params
}

// finish writes an outcome down. A task that is no longer running is left as it
// is: another copy of it was faster.
func (e *Engine) finish(j *job, o outcome) {
	e.must(func(st *state.State) {
		e.mu.Lock()
		delete(e.mine, j.task)
		e.mu.Unlock()
		a, t := st.Attempts[j.attempt], st.Task(j.attempt, j.task)
		if t == nil || t.State != state.Running {
			return
		}
		t.Queued, t.LockedBy, t.LockExpires, t.UpdatedAt = false, "", 0, e.now()
		st.Put(t)
		switch {
		case o.poll != nil:
			at := e.now().Add(o.poll.after)
			t.State, t.RetryAt, t.StateParams = state.RetryWaiting, &at, o.poll.state
		case o.err != nil && o.retry != nil:
			at := e.now().Add(o.retry.interval())
			t.State, t.RetryAt, t.StateParams = state.RetryWaiting, &at, o.retry.nextState()
		case t.CancelRequested:
			t.State = state.Canceled
		case o.err != nil:
			e.failed(st, a, t, o.err)
		default:
			e.succeeded(st, a, t, o.result)
		}
	})
}

func (e *Engine) failed(st *state.State, a *state.Attempt, t *state.Task, failure *conf.Object) {
	t.Error = failure
	if e.addError(st, a, t, conf.Of("error", failure)) != nil {
		t.State, t.DelayedError = state.Planned, true
		return
	}
	t.State = state.Failed
}

func (e *Engine) succeeded(st *state.State, a *state.Attempt, t *state.Task, result *conf.Object) {
	var subtasks []dig.Task
	if sub := result.Object("subtask_config"); sub.Len() > 0 {
		var err error
		if subtasks, err = dig.Compile(t.FullName, "^sub", sub); err != nil {
			e.failed(st, a, t, configError(err.Error()).object())
			return
		}
	}
	t.ExportParams, t.StoreParams = result.Object("export_params").Clone(), result.Object("store_params").Clone()
	t.State = state.Success
	upstream := int64(0)
	if subtasks != nil {
		upstream = e.insert(st, a, t.ID, subtasks, true, e.resumable(st, a))[0].ID
		t.State = state.Planned
	}
	if check := t.Config().Object("_check"); check.Len() > 0 {
		if e.generate(st, a, t, "^check", check, upstream, false) == nil {
			e.failed(st, a, t, configError("_check is broken").object())
			return
		}
		t.State = state.Planned
	}
}
