package engine

import (
	"fmt"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// TakenError says that there is one of that name already.
type TakenError string

func (e TakenError) Error() string { return "Resource already exists: " + string(e) }

// Push stores a revision of a project, and the project if it is new. Schedules
// that have not run yet start at from.
func (e *Engine) Push(name, revision string, defs []dig.Definition, archive []byte, md5 string, from time.Time) (project int64, err error) {
	err = e.change(func(st *state.State) error {
		p := st.ProjectNamed(name)
		if p == nil {
			p = &state.Project{ID: st.NextID("project"), Name: name, CreatedAt: e.now()}
		}
		for _, r := range st.Revisions {
			if r.ProjectID == p.ID && r.Name == revision {
				return TakenError(fmt.Sprintf("revision=%s in project id=%d", revision, p.ID))
			}
		}
		r := &state.Revision{ID: st.NextID("revision"), ProjectID: p.ID, Name: revision, MD5: md5, CreatedAt: e.now()}
		if err := e.store.SaveArchive(r.ID, archive); err != nil {
			return fmt.Errorf("keep the archive: %w", err)
		}
		var workflows []*state.Workflow
		for _, d := range defs {
			workflows = append(workflows, &state.Workflow{ID: st.NextID("workflow"), ProjectID: p.ID, RevisionID: r.ID, Definition: d})
		}
		schedules, err := e.reschedule(st, p, workflows, from)
		if err != nil {
			return err
		}
		st.Put(p, r)
		for _, w := range workflows {
			st.Put(w)
		}
		for _, s := range schedules {
			st.Put(s)
		}
		project = p.ID
		return nil
	})
	return project, err
}

// DeleteProject hides a project; what runs of it runs on.
func (e *Engine) DeleteProject(id int64) error {
	return e.change(func(st *state.State) error {
		now := e.now()
		st.Projects[id].DeletedAt = &now
		st.Put(st.Projects[id])
		return nil
	})
}
