package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest/internal/conf"
	"github.com/outrider-run/outrider/dig/digdagtest/internal/state"
)

// polling is no failure: the task is to be run again after a while.
type polling struct {
	after time.Duration
	state *conf.Object
}

func again(after time.Duration, state *conf.Object) *failure {
	return &failure{poll: &polling{after, state}}
}

// wait polls until its time is over.
func (j *job) wait() (*conf.Object, *failure) {
	text, f := j.text(j.config, "_command")
	if f != nil {
		return nil, f
	}
	length, err := ParseDuration(text)
	blocking, blockingErr := conf.Bool(j.config.Get("blocking"))
	every := time.Duration(0)
	if j.config.Has("poll_interval") && err == nil {
		every, err = ParseDuration(conf.String(j.config.Get("poll_interval")))
	}
	switch {
	case err != nil || blockingErr != nil:
		return nil, fail(configError("Invalid configuration"))
	case blocking && every > 0:
		return nil, fail(configError("poll_interval can't be specified with blocking:true"))
	}
	now := j.engine.now()
	began := now
	if v := j.stateParams.Get("wait_start_time_millis"); v != nil {
		n, err := strconv.ParseInt(conf.String(v), 10, 64)
		if err != nil {
			return nil, fail(unexpected(err.Error()))
		}
		began = time.UnixMilli(n)
	}
	if now.After(began.Add(length)) {
		return conf.New(), nil
	}
	left := max(began.Add(length).Sub(now).Truncate(time.Second), time.Second)
	if blocking {
		time.Sleep(left)
		return conf.New(), nil
	}
	if every > 0 {
		left = every
	}
	s := j.stateParams.Clone()
	s.Set("wait_start_time_millis", json.Number(strconv.FormatInt(began.UnixMilli(), 10)))
	return nil, again(left, s)
}

// require starts a session of another workflow, or finds it started, and polls
// for its end.
func (j *job) require() (*conf.Object, *failure) {
	workflow, f := j.text(j.config, "_command")
	if f != nil {
		return nil, f
	}
	text, f := j.text(j.config, "session_time")
	if f != nil {
		return nil, f
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, fail(configError("Expected instant type for key 'session_time' but got " + conf.Text(text)))
	}
	rerun := "none"
	if j.config.Has("rerun_on") {
		rerun = conf.String(j.config.Get("rerun_on"))
	}
	ignore, err := conf.Bool(j.config.Get("ignore_failure"))
	switch {
	case rerun != "none" && rerun != "failed" && rerun != "all":
		return nil, fail(configError("invalid rerun_on option:" + rerun))
	case err != nil:
		return nil, fail(configError("ignore_failure: " + err.Error()))
	case j.local.Has("project_id") && j.local.Has("project_name"):
		return nil, fail(configError("Both project_id and project_name can't be set"))
	}
	request := Request{SessionTime: at, Params: j.config.Object("params")}
	for _, name := range []any{j.local.Get("retry_attempt_name"), j.stateParams.Get("rerun_on_retry_attempt_name")} {
		if name != nil {
			request.RetryName = conf.String(name)
		}
	}
	attempt, conflict, err := j.engine.submitNamed(j, workflow, request)
	s := j.stateParams.Clone()
	var missing MissingError
	var limit LimitError
	switch {
	case errors.As(err, &missing):
		return nil, &failure{message: fmt.Sprintf("Dependent workflow does not exist. %s, workflowName:%s", err, workflow)}
	case errors.As(err, &limit):
		return nil, &failure{message: err.Error(), kind: "attempt limit exceeded"}
	case err != nil:
		return nil, fail(unexpected(err.Error()))
	case !conflict:
		s.Set("require_kicked", true)
		return nil, nextPoll(s)
	case !attempt.Done:
		return nil, nextPoll(s)
	}
	if !s.Has("require_kicked") && (rerun == "all" || (rerun == "failed" && !attempt.Success)) {
		s.Set("rerun_on_retry_attempt_name", newUUID())
		return nil, nextPoll(s)
	}
	if !ignore && !attempt.Success {
		return nil, &failure{message: fmt.Sprintf("Dependent workflow failed. Session id: %d, attempt id: %d", attempt.SessionID, attempt.ID)}
	}
	return conf.New(), nil
}

// nextPoll waits 1 s, then twice as long each time, up to 10 s.
func nextPoll(s *conf.Object) *failure {
	n, _ := conf.Int(s.Get("retry")) // absent: the first time
	s.Set("retry", json.Number(strconv.Itoa(n+1)))
	return again(time.Duration(min(math.Pow(2, float64(n)), 10))*time.Second, s)
}

// submitNamed starts a workflow of the newest revision of the job's project, or
// of the one that the task names, and gives a copy of the attempt.
func (e *Engine) submitNamed(j *job, workflow string, r Request) (attempt state.Attempt, conflict bool, err error) {
	err = e.change(func(st *state.State) error {
		project := st.Projects[j.projectID]
		if j.local.Has("project_name") {
			project = st.ProjectNamed(conf.String(j.config.Get("project_name")))
		} else if j.local.Has("project_id") {
			id, err := conf.Int(j.config.Get("project_id"))
			if err != nil {
				return InvalidError("project_id: " + err.Error())
			}
			project = st.Projects[int64(id)]
		}
		if project == nil {
			return MissingError("project")
		}
		for _, w := range st.WorkflowsOf(st.LatestRevision(project.ID).ID) {
			if w.Name == workflow {
				r.WorkflowID = w.ID
			}
		}
		id, taken, err := e.submit(st, r)
		if err != nil {
			return err
		}
		attempt, conflict = *st.Attempts[id], taken
		return nil
	})
	return attempt, conflict, err
}
