package engine

import (
	"slices"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

func (e *Engine) settleAll(st *state.State) {
	for _, id := range st.Open() {
		e.settle(st, st.Attempts[id])
	}
}

// settle moves the tasks of an attempt on until nothing moves any more.
func (e *Engine) settle(st *state.State, a *state.Attempt) {
	if a.Done || !e.cfg.ExecutorEnabled {
		return
	}
	for moved := true; moved; {
		moved = false
		for _, t := range slices.Clone(st.Tasks(a.ID)) {
			switch t.State {
			case state.Blocked:
				moved = e.unblock(st, t) || moved
			case state.Ready:
				e.enqueue(st, t)
				moved = true
			case state.Planned:
				moved = e.finishPlanned(st, a, t) || moved
			}
		}
	}
	if tasks := st.Tasks(a.ID); len(tasks) > 0 && tasks[0].State.Done() {
		now := e.now()
		a.Done, a.Success, a.FinishedAt = true, tasks[0].State == state.Success, &now
		st.Put(a)
	}
}

// mayStart tells whether a blocked task's upstreams are done.
func mayStart(st *state.State, t *state.Task) bool {
	for _, up := range t.Upstreams {
		if st.Task(t.AttemptID, up).State != state.Success {
			return false
		}
	}
	return true
}

func (e *Engine) unblock(st *state.State, t *state.Task) bool {
	parent := st.Task(t.AttemptID, t.ParentID)
	if parent == nil || (parent.State != state.Planned && parent.State != state.Success) || !mayStart(st, t) {
		return false
	}
	switch {
	case t.Group:
		t.State = state.Planned
	case t.CancelRequested:
		t.State = state.Canceled
	default:
		t.State = state.Ready
	}
	t.UpdatedAt = e.now()
	st.Put(t)
	return true
}

// enqueue hands a task to the agent, which the API shows as running from here
// on. A group that comes back from waiting starts its children anew instead.
func (e *Engine) enqueue(st *state.State, t *state.Task) {
	now := e.now()
	t.UpdatedAt = now
	if t.Group {
		e.copyForRetry(st, t)
		t.State = state.Planned
	} else {
		t.State, t.Queued = state.Running, true
		if t.StartedAt == nil {
			t.StartedAt = &now
		}
	}
	st.Put(t)
}

// finishPlanned ends a task whose own work is done once its children are.
func (e *Engine) finishPlanned(st *state.State, a *state.Attempt, t *state.Task) bool {
	children := st.Children(t)
	for _, c := range children {
		if c.State.Progressing() || (c.State == state.Blocked && mayStart(st, c)) {
			return false
		}
	}
	switch {
	case t.CancelRequested:
		t.State = state.Canceled
	case t.DelayedError:
		t.State = state.Failed
	case t.DelayedGroupError:
		t.State = state.GroupError
	case !anyFailed(children):
		t.State = state.Success
	default:
		e.groupFailed(st, a, t)
	}
	t.UpdatedAt = e.now()
	st.Put(t)
	return true
}

// anyFailed looks at the newest task of each name: a group's retry leaves the
// old ones in place.
func anyFailed(children []*state.Task) bool {
	newest := map[string]*state.Task{}
	for _, c := range children {
		newest[c.FullName] = c
	}
	for _, c := range newest {
		if c.State == state.Failed || c.State == state.GroupError {
			return true
		}
	}
	return false
}

func (e *Engine) groupFailed(st *state.State, a *state.Attempt, t *state.Task) {
	// An invalid _retry of a group is ignored, as Digdag does.
	if r, err := retryOf(t.Config(), t.StateParams); err == nil && r.again() {
		at := e.now().Add(r.interval())
		t.State, t.RetryAt, t.StateParams = state.GroupRetryWaiting, &at, r.nextState()
		return
	}
	added := false
	if t.ParentID == 0 {
		added = e.generate(st, a, t, "^failure-alert", builtin("notify", "Workflow session attempt failed"), 0, false) != nil
	}
	if errorTask := e.addError(st, a, t, e.errorParams(st, t)); errorTask != nil {
		added = true
	}
	if added {
		t.DelayedGroupError = true
	} else {
		t.State = state.GroupError
	}
}

// errorParams are what a group's _error sees: what its tasks stored, and the
// errors of them all in one.
func (e *Engine) errorParams(st *state.State, group *state.Task) *conf.Object {
	params, failure := conf.New(), conf.New()
	for _, d := range st.Descendants(group) {
		params.Merge(d.StoreParams)
		failure.Merge(d.Error)
	}
	params.Set("error", failure)
	return params
}

// addError generates the ^error of a task if it has an _error, with params as
// its exports.
func (e *Engine) addError(st *state.State, a *state.Attempt, t *state.Task, params *conf.Object) *state.Task {
	config := t.Config().Object("_error").Clone()
	if config.Len() == 0 {
		return nil
	}
	export := config.Object("_export").Clone()
	for _, k := range params.Keys() {
		export.Set(k, params.Get(k))
	}
	config.Set("_export", export)
	return e.generate(st, a, t, "^error", config, 0, false)
}

// generate adds tasks under a task. The configuration was compiled before, when
// the project was pushed, or is compiled by the caller who wants the error.
func (e *Engine) generate(st *state.State, a *state.Attempt, parent *state.Task, name string, config *conf.Object, upstream int64, initial bool) *state.Task {
	tasks, err := dig.Compile(parent.FullName, name, config)
	if err != nil {
		return nil
	}
	added := e.insert(st, a, parent.ID, tasks, initial, e.resumable(st, a))
	if upstream != 0 {
		added[0].Upstreams = append(added[0].Upstreams, upstream)
	}
	return added[0]
}

// insert stores compiled tasks. Those that an earlier attempt finished, by name,
// are taken from there.
func (e *Engine) insert(st *state.State, a *state.Attempt, parent int64, tasks []dig.Task, initial bool, resumed map[string]*state.Task) []*state.Task {
	added := make([]*state.Task, len(tasks))
	for i, ct := range tasks {
		local := ct.Config.Clone()
		local.Delete("_export")
		t := &state.Task{
			ID: st.NextID("task"), AttemptID: a.ID, ParentID: parent, FullName: ct.FullName, Group: ct.Group,
			Local: local, Export: ct.Config.Object("_export").Clone(), State: state.Blocked, Initial: initial,
			ExportParams: conf.New(), StoreParams: conf.New(), StateParams: conf.New(), Error: conf.New(), UpdatedAt: e.now(),
		}
		if ct.Parent >= 0 {
			t.ParentID = added[ct.Parent].ID
		}
		for _, up := range ct.Upstreams {
			t.Upstreams = append(t.Upstreams, added[up].ID)
		}
		if old := resumed[ct.FullName]; old != nil {
			t.State, t.Local, t.Export, t.UpdatedAt = state.Success, old.Local, old.Export, old.UpdatedAt
			t.ExportParams, t.StoreParams, t.Error = old.ExportParams, old.StoreParams, old.Error
		}
		added[i] = t
		st.Put(t)
	}
	return added
}

// copyForRetry adds the first generation of a group's tasks once more.
func (e *Engine) copyForRetry(st *state.State, group *state.Task) {
	ids := map[int64]int64{group.ID: group.ID}
	descendants := st.Descendants(group)
	slices.SortFunc(descendants, func(a, b *state.Task) int { return int(a.ID - b.ID) })
	for _, old := range descendants {
		if !old.Initial || generated(group, old) {
			continue
		}
		t := &state.Task{
			ID: st.NextID("task"), AttemptID: old.AttemptID, ParentID: ids[old.ParentID], FullName: old.FullName, Group: old.Group,
			Local: old.Local, Export: old.Export, State: state.Blocked,
			ExportParams: conf.New(), StoreParams: conf.New(), StateParams: conf.New(), Error: conf.New(), UpdatedAt: e.now(),
		}
		for _, up := range old.Upstreams {
			t.Upstreams = append(t.Upstreams, ids[up])
		}
		ids[old.ID] = t.ID
		st.Put(t)
	}
}
