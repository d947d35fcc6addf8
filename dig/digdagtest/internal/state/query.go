package state

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Tasks are the tasks of an attempt by id. The caller must not change the list.
func (st *State) Tasks(attempt int64) []*Task { return st.tasks[attempt] }

// Task finds a task of an attempt.
func (st *State) Task(attempt, id int64) *Task {
	for _, t := range st.tasks[attempt] {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// Children are the direct children of a task, by id.
func (st *State) Children(parent *Task) []*Task {
	var list []*Task
	for _, t := range st.tasks[parent.AttemptID] {
		if t.ParentID == parent.ID {
			list = append(list, t)
		}
	}
	return list
}

// Descendants are all tasks under a task, each before its own children.
func (st *State) Descendants(parent *Task) []*Task {
	var list []*Task
	for _, c := range st.Children(parent) {
		list = append(append(list, c), st.Descendants(c)...)
	}
	return list
}

// ProjectNamed finds a project that is not deleted.
func (st *State) ProjectNamed(name string) *Project {
	for _, p := range st.Projects {
		if p.Name == name && p.DeletedAt == nil {
			return p
		}
	}
	return nil
}

// LatestRevision is what a project runs.
func (st *State) LatestRevision(project int64) *Revision {
	var last *Revision
	for _, r := range st.Revisions {
		if r.ProjectID == project && (last == nil || r.ID > last.ID) {
			last = r
		}
	}
	return last
}

// WorkflowsOf are the workflows of a revision by id.
func (st *State) WorkflowsOf(revision int64) []*Workflow {
	var list []*Workflow
	for _, w := range st.Workflows {
		if w.RevisionID == revision {
			list = append(list, w)
		}
	}
	slices.SortFunc(list, func(a, b *Workflow) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// SessionAt finds the session of a workflow at a time of whole seconds.
func (st *State) SessionAt(project int64, workflow string, at time.Time) *Session {
	return st.sessionAt[sessionKey{project, workflow, at.Unix()}]
}

// AttemptsOf are the attempts of a session, in order. The caller must not change
// the list.
func (st *State) AttemptsOf(session int64) []*Attempt { return st.ofSession[session] }

// IDs lists the keys of one of the maps in order.
func IDs[T any](m map[int64]T) []int64 { return slices.Sorted(maps.Keys(m)) }

// Open are the attempts that are not done, by id.
func (st *State) Open() []int64 { return IDs(st.open) }

// Touched are the attempts that this transaction changed.
func (st *State) Touched() []int64 {
	ids := map[int64]bool{}
	for _, a := range st.dirty.Attempts {
		ids[a.ID] = true
	}
	for _, t := range st.dirty.Tasks {
		ids[t.AttemptID] = true
	}
	return IDs(ids)
}
