package api

import (
	"strconv"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/engine"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// object makes a JSON object with its keys in this order.
func object(pairs ...any) *conf.Object {
	o := conf.New()
	for i := 0; i < len(pairs); i += 2 {
		o.Set(pairs[i].(string), pairs[i+1])
	}
	return o
}

func idText(id int64) string { return strconv.FormatInt(id, 10) }

// instant writes a moment: whole seconds, UTC.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func optional(t *time.Time) any {
	if t == nil {
		return nil
	}
	return instant(*t)
}

// zoned writes a session time in its workflow's zone.
func zoned(t time.Time, zone string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	return engine.FormatTime(t, loc)
}

func projectShape(st *state.State, p *state.Project) *conf.Object {
	rev := st.LatestRevision(p.ID)
	return object("id", idText(p.ID), "name", p.Name, "revision", rev.Name, "createdAt", instant(p.CreatedAt),
		"updatedAt", instant(rev.CreatedAt), "deletedAt", optional(p.DeletedAt), "archiveType", "db", "archiveMd5", rev.MD5)
}

func idAndName(st *state.State, project int64) *conf.Object {
	return object("id", idText(project), "name", st.Projects[project].Name)
}

func workflowShape(st *state.State, w *state.Workflow) *conf.Object {
	return object("id", idText(w.ID), "name", w.Name, "project", idAndName(st, w.ProjectID),
		"revision", st.Revisions[w.RevisionID].Name, "timezone", w.TimeZone, "config", w.Config)
}

func attemptShape(st *state.State, a *state.Attempt) *conf.Object {
	session := st.Sessions[a.SessionID]
	status := "running"
	switch {
	case a.Success:
		status = "success"
	case a.Done && a.CancelRequested:
		status = "killed"
	case a.Done:
		status = "error"
	}
	return object("status", status, "id", idText(a.ID), "index", a.Index, "project", idAndName(st, a.ProjectID),
		"workflow", object("name", session.Workflow, "id", idText(a.WorkflowID)), "sessionId", idText(session.ID),
		"sessionUuid", session.UUID, "sessionTime", zoned(session.Time, a.TimeZone), "retryAttemptName", retryName(a),
		"done", a.Done, "success", a.Success, "cancelRequested", a.CancelRequested, "params", a.Params,
		"createdAt", instant(a.CreatedAt), "finishedAt", optional(a.FinishedAt))
}

// dryShape is an attempt that a backfill would make.
func dryShape(st *state.State, sc *state.Schedule, at time.Time, name string) *conf.Object {
	return object("status", "running", "id", "0", "index", 0, "project", idAndName(st, sc.ProjectID),
		"workflow", object("name", sc.Workflow, "id", idText(sc.WorkflowID)), "sessionId", "0", "sessionUuid", dryUUID,
		"sessionTime", zoned(at, st.Workflows[sc.WorkflowID].TimeZone), "retryAttemptName", name,
		"done", false, "success", false, "cancelRequested", false, "params", object(), "createdAt", instant(time.Now()), "finishedAt", nil)
}

const dryUUID = "00000000-0000-0000-0000-000000000000"

func retryName(a *state.Attempt) any {
	if a.RetryName == "" {
		return nil
	}
	return a.RetryName
}

func sessionShape(st *state.State, s *state.Session) *conf.Object {
	a := st.Attempts[s.LastAttempt]
	return object("id", idText(s.ID), "project", idAndName(st, s.ProjectID),
		"workflow", object("name", s.Workflow, "id", idText(a.WorkflowID)), "sessionUuid", s.UUID,
		"sessionTime", zoned(s.Time, a.TimeZone),
		"lastAttempt", object("id", idText(a.ID), "retryAttemptName", retryName(a), "done", a.Done, "success", a.Success,
			"cancelRequested", a.CancelRequested, "params", a.Params, "createdAt", instant(a.CreatedAt), "finishedAt", optional(a.FinishedAt)))
}

func taskShape(t *state.Task) *conf.Object {
	upstreams := []any{}
	for _, id := range t.Upstreams {
		upstreams = append(upstreams, idText(id))
	}
	var parent any
	if t.ParentID != 0 {
		parent = idText(t.ParentID)
	}
	exports := t.Export.Clone()
	exports.Merge(t.ExportParams)
	return object("id", idText(t.ID), "fullName", t.FullName, "parentId", parent, "config", t.Config(), "upstreams", upstreams,
		"state", string(t.State), "cancelRequested", t.CancelRequested, "exportParams", exports, "storeParams", t.StoreParams,
		"stateParams", t.StateParams, "updatedAt", instant(t.UpdatedAt), "retryAt", optional(t.RetryAt),
		"startedAt", optional(t.StartedAt), "error", t.Error, "isGroup", t.Group)
}

func scheduleShape(st *state.State, s *state.Schedule, summary bool) *conf.Object {
	zone := st.Workflows[s.WorkflowID].TimeZone
	o := object("id", idText(s.ID), "project", idAndName(st, s.ProjectID), "workflow", object("id", idText(s.WorkflowID), "name", s.Workflow),
		"nextRunTime", instant(s.NextRun), "nextScheduleTime", zoned(s.NextTime, zone))
	if summary {
		o.Set("createdAt", instant(s.CreatedAt))
		o.Set("updatedAt", instant(s.CreatedAt))
	}
	o.Set("disabledAt", optional(s.DisabledAt))
	return o
}

// list wraps shapes as the API does.
func list(name string, shapes []any) *conf.Object {
	if shapes == nil {
		shapes = []any{}
	}
	return object(name, shapes)
}
