package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/engine"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

func (s *server) schedules(r *http.Request) (v any, err error) {
	after, err := queryID(r, "last_id", 0)
	if err != nil {
		return nil, err
	}
	project := int64(0)
	if r.PathValue("id") != "" {
		if project, err = pathID(r); err != nil {
			return nil, err
		}
	}
	s.store.View(func(st *state.State) {
		if project != 0 {
			if _, err = live(st, project); err != nil {
				return
			}
		}
		var shapes []any
		for _, id := range state.IDs(st.Schedules) {
			sc := st.Schedules[id]
			if sc.Workflow == "" || st.Projects[sc.ProjectID].DeletedAt != nil || id <= after || len(shapes) == 100 ||
				(project != 0 && sc.ProjectID != project) || (r.URL.Query().Has("workflow") && r.URL.Query().Get("workflow") != sc.Workflow) {
				continue
			}
			shapes = append(shapes, scheduleShape(st, sc, false))
		}
		v = list("schedules", shapes)
	})
	return v, err
}

func (s *server) schedule(r *http.Request) (any, error) { return s.oneSchedule(r, false) }

func (s *server) oneSchedule(r *http.Request, summary bool) (v any, err error) {
	id, err := pathID(r)
	if err != nil {
		return nil, err
	}
	s.store.View(func(st *state.State) {
		sc := st.Schedules[id]
		if sc == nil || sc.Workflow == "" {
			err = engine.MissingError(fmt.Sprintf("schedule id=%d", id))
			return
		}
		if _, err = live(st, sc.ProjectID); err == nil {
			v = scheduleShape(st, sc, summary)
		}
	})
	return v, err
}

func (s *server) disableSchedule(r *http.Request) (any, error) { return s.setDisabled(r, true) }

func (s *server) setDisabled(r *http.Request, off bool) (any, error) {
	if _, err := s.oneSchedule(r, true); err != nil {
		return nil, err
	}
	id, _ := pathID(r)
	if err := s.engine.DisableSchedule(id, off); err != nil {
		return nil, err
	}
	return s.oneSchedule(r, true)
}

func (s *server) enableSchedule(r *http.Request) (any, error) {
	var body struct {
		SkipSchedule bool   `json:"skipSchedule"`
		NextTime     string `json:"nextTime"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	if _, err := s.oneSchedule(r, true); err != nil {
		return nil, err
	}
	if body.SkipSchedule {
		skip := engine.Skip{To: time.Now()}
		if body.NextTime != "" {
			var err error
			if skip.To, err = s.timeOfSchedule(r, body.NextTime); err != nil {
				return nil, err
			}
		}
		id, _ := pathID(r)
		if _, err := s.engine.SkipSchedule(id, skip); err != nil {
			return nil, err
		}
	}
	return s.setDisabled(r, false)
}

func (s *server) skipSchedule(r *http.Request) (any, error) {
	var body struct {
		Count       *int       `json:"count"`
		FromTime    *time.Time `json:"fromTime"`
		NextTime    string     `json:"nextTime"`
		NextRunTime *time.Time `json:"nextRunTime"`
		DryRun      *bool      `json:"dryRun"`
	}
	if err := decode(r, &body, "dryRun"); err != nil {
		return nil, err
	}
	if body.NextTime == "" && (body.Count == nil || body.FromTime == nil) {
		return nil, engine.InvalidError("nextTime or (fromTime and count) are required")
	}
	if _, err := s.oneSchedule(r, true); err != nil {
		return nil, err
	}
	skip := engine.Skip{RunTime: body.NextRunTime, DryRun: *body.DryRun}
	if body.NextTime != "" {
		var err error
		if skip.To, err = s.timeOfSchedule(r, body.NextTime); err != nil {
			return nil, err
		}
	} else {
		skip.From, skip.Count = *body.FromTime, *body.Count
	}
	id, _ := pathID(r)
	moved, err := s.engine.SkipSchedule(id, skip)
	if err != nil {
		return nil, err
	}
	var v any
	s.store.View(func(st *state.State) { v = scheduleShape(st, &moved, true) })
	return v, nil
}

func (s *server) backfill(r *http.Request) (any, error) {
	var body struct {
		FromTime    *time.Time `json:"fromTime"`
		AttemptName *string    `json:"attemptName"`
		Count       *int       `json:"count"`
		DryRun      *bool      `json:"dryRun"`
	}
	if err := decode(r, &body, "fromTime", "dryRun", "attemptName"); err != nil {
		return nil, err
	}
	if _, err := s.oneSchedule(r, true); err != nil {
		return nil, err
	}
	id, _ := pathID(r)
	ids, times, err := s.engine.BackfillSchedule(id, engine.Backfill{From: *body.FromTime, Name: *body.AttemptName, Count: body.Count, DryRun: *body.DryRun})
	if err != nil {
		return nil, err
	}
	var v any
	s.store.View(func(st *state.State) {
		sc := st.Schedules[id]
		shapes := []any{}
		for _, attempt := range ids {
			shapes = append(shapes, attemptShape(st, st.Attempts[attempt]))
		}
		if *body.DryRun {
			for _, at := range times {
				shapes = append(shapes, dryShape(st, sc, at, *body.AttemptName))
			}
		}
		v = object("id", idText(id), "project", idAndName(st, sc.ProjectID),
			"workflow", object("id", idText(sc.WorkflowID), "name", sc.Workflow), "attempts", shapes)
	})
	return v, nil
}

// timeOfSchedule reads a time that may lack its offset: then it is in the zone
// of the schedule.
func (s *server) timeOfSchedule(r *http.Request, text string) (at time.Time, err error) {
	id, _ := pathID(r)
	s.store.View(func(st *state.State) {
		at, err = localTime(text, st.Workflows[st.Schedules[id].WorkflowID].TimeZone)
	})
	return at, err
}

func localTime(text, zone string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}, err
	}
	const layout = "2006-01-02T15:04:05"
	at, err := time.ParseInLocation(layout, text, location)
	if err != nil {
		return at, engine.InvalidError("Invalid timestamp format: " + text)
	}
	return firstOf(at, layout), nil
}

// firstOf is the first of the times that a clock shows twice, as Java takes them; Go
// promises neither.
func firstOf(at time.Time, layout string) time.Time {
	_, before := at.Add(-24 * time.Hour).Zone()
	_, now := at.Zone()
	if first := at.Add(time.Duration(now-before) * time.Second); first.Format(layout) == at.Format(layout) {
		return first
	}
	return at
}

// decode reads the JSON body of a request; the required keys must be in it.
func decode(r *http.Request, into any, required ...string) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if len(data) == 0 && len(required) == 0 {
		return nil
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return httpError{http.StatusBadRequest, "RESTEASY003065: Cannot consume content type"}
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(data, &keys); err != nil {
		return engine.InvalidError(err.Error())
	}
	lacking := slices.DeleteFunc(slices.Clone(required), func(k string) bool { return keys[k] != nil })
	if len(lacking) > 0 {
		return engine.InvalidError(fmt.Sprintf("some of required attributes are not set [%s]", strings.Join(lacking, ", ")))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return engine.InvalidError(err.Error())
	}
	return nil
}
