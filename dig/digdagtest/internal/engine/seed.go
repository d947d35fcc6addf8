package engine

import (
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/dig"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// seedLot is how many sessions go into one change.
const seedLot = 100

// Seed adds sessions that ended well, evenly over all workflows of the newest
// revisions, of session times from 1970 on. Their tasks are done, but nothing
// ran and there are no logs.
func (e *Engine) Seed(count int) error {
	for done := 0; done < count; done += seedLot {
		err := e.change(func(st *state.State) error {
			workflows := newest(st)
			if len(workflows) == 0 {
				return InvalidError("no workflow is there to seed sessions of")
			}
			for i := done; i < min(done+seedLot, count); i++ {
				if err := e.seed(st, workflows[i%len(workflows)], i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func newest(st *state.State) (list []*state.Workflow) {
	for _, id := range state.IDs(st.Projects) {
		if st.Projects[id].DeletedAt == nil {
			list = append(list, st.WorkflowsOf(st.LatestRevision(id).ID)...)
		}
	}
	return list
}

func (e *Engine) seed(st *state.State, w *state.Workflow, n int) error {
	tasks, err := dig.Compile("", "+"+w.Name, w.Config)
	if err != nil {
		return err
	}
	at := time.Unix(0, 0).UTC().Add(time.Duration(n) * time.Minute)
	for st.SessionAt(w.ProjectID, w.Name, at) != nil {
		at = at.Add(time.Second)
	}
	a := e.newAttempt(st, w, Request{SessionTime: at, Params: conf.New()})
	now := e.now()
	for _, t := range e.insert(st, a, 0, tasks, true, nil) {
		t.State = state.Success
		if !t.Group {
			t.StartedAt = &now
		}
	}
	a.Done, a.Success, a.FinishedAt = true, true, &now
	st.Put(a)
	return nil
}
