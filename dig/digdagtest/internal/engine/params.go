package engine

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// ancestors are the parents of a task, the root first.
func ancestors(st *state.State, t *state.Task) []*state.Task {
	var list []*state.Task
	for p := st.Task(t.AttemptID, t.ParentID); p != nil; p = st.Task(t.AttemptID, p.ParentID) {
		list = append(list, p)
	}
	slices.Reverse(list)
	return list
}

// farToNear lists what a task can have parameters from: for each ancestor and
// itself the tasks that it waited for, with all under them, then the ancestor.
func farToNear(st *state.State, t *state.Task) []*state.Task {
	var list []*state.Task
	for _, step := range append(ancestors(st, t), t) {
		walked := map[int64]bool{}
		var upstream func(*state.Task)
		upstream = func(of *state.Task) {
			ids := slices.Sorted(slices.Values(of.Upstreams))
			for _, id := range ids {
				if !walked[id] {
					walked[id] = true
					up := st.Task(t.AttemptID, id)
					upstream(up)
					list = append(append(list, up), st.Descendants(up)...)
				}
			}
		}
		upstream(step)
		if step != t {
			list = append(list, step)
		}
	}
	return list
}

// params are what a task sees from outside: the attempt's own, then what its
// ancestors export and earlier tasks stored, nearer over farther.
func params(st *state.State, a *state.Attempt, t *state.Task) *conf.Object {
	p := a.Params.Clone()
	parents := ancestors(st, t)
	for _, s := range farToNear(st, t) {
		if slices.Contains(parents, s) {
			p.Merge(s.Export)
			p.Merge(s.ExportParams)
		}
		p.Merge(s.StoreParams)
	}
	p.Merge(t.Export)
	return p
}

// runtimeParams are the variables that Digdag sets itself and nobody can
// override.
func runtimeParams(st *state.State, a *state.Attempt, t *state.Task, given *conf.Object) (*conf.Object, error) {
	zone, err := time.LoadLocation(a.TimeZone)
	if err != nil {
		return nil, err
	}
	session := st.Sessions[a.SessionID]
	p := conf.New()
	p.Set("timezone", a.TimeZone)
	p.Set("session_uuid", session.UUID)
	p.Set("session_time", FormatTime(session.Time, zone))
	p.Set("session_id", number(session.ID))
	setTimes(p, "session_", session.Time.In(zone))
	for _, prefix := range []string{"last_session_", "last_executed_session_", "next_session_"} {
		at, err := time.Parse("2006-01-02T15:04:05-07:00", conf.String(given.Get(prefix+"time")))
		switch {
		case err == nil:
			setTimes(p, prefix, at.In(zone))
		case prefix == "last_executed_session_" && !given.Has(prefix+"time"):
			for _, k := range []string{"time", "date", "date_compact", "local_time"} {
				p.Set(prefix+k, "")
			}
			p.Set(prefix+"tz_offset", time.Unix(0, 0).In(zone).Format("-0700"))
			p.Set(prefix+"unixtime", "")
		}
	}
	p.Set("project_id", number(a.ProjectID))
	if a.RetryName != "" {
		p.Set("retry_attempt_name", a.RetryName)
	}
	p.Set("attempt_id", number(a.ID))
	p.Set("task_name", t.FullName)
	return p, nil
}

func setTimes(p *conf.Object, prefix string, at time.Time) {
	p.Set(prefix+"date", at.Format("2006-01-02"))
	p.Set(prefix+"date_compact", at.Format("20060102"))
	p.Set(prefix+"local_time", at.Format("2006-01-02 15:04:05"))
	p.Set(prefix+"tz_offset", at.Format("-0700"))
	p.Set(prefix+"unixtime", number(at.Unix()))
}

// FormatTime writes a session time, in its workflow's zone.
func FormatTime(t time.Time, zone *time.Location) string {
	return t.In(zone).Format("2006-01-02T15:04:05-07:00")
}

func number(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }
