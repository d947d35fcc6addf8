package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type startParams struct {
	source
	Address      string                     `json:"address" help:"PROJECT/WORKFLOW, with @today, @2026-11-22 or @2026-11-22T07:00:00 for a session time other than now" min:"1"`
	Params       map[string]json.RawMessage `json:"params,omitempty" help:"the session's parameters, of any JSON"`
	RetryAttempt string                     `json:"retry_attempt,omitempty" help:"start another attempt of the session, of this name"`
	Wait         bool                       `json:"wait" help:"wait for the end, and fail when it failed" default:"false"`
	pace
}

type startOutput struct {
	Run         observe.Run `json:"run" help:"the attempt; with wait as it ended"`
	Existed     bool        `json:"existed" help:"the session had it already, and nothing was started"`
	OtherParams bool        `json:"other_params,omitempty" help:"the one that existed has other params than were given"`
}

func startComponent() sdk.Component {
	return sdk.Define("digdag.start", start,
		sdk.Doc(`Starts a workflow on Digdag.

A session is known by project, workflow and session time, in whole seconds. Without @ that is now: if somebody else started a session within this second, the next free one is taken. A named session that there is already is no error: existed says so, run is its latest attempt, and the run counts as unchanged. retry_attempt starts another attempt of a session; there is one of each name.

A retry of the run starts no second attempt: the session time is kept in a checkpoint before Digdag is asked. With wait the run goes on as digdag.wait does and fails with attempt_failed or attempt_killed. When as many attempts run as the server allows, the code is too_many_attempts, and a retry helps.`),
		sdk.Example("A workflow, now", `{"endpoint": "http://digdag.internal:65432", "address": "etl/daily", "params": {"region": "eu"}}`),
		sdk.Example("Today's session in the workflow's zone, to its end", `{"endpoint": "http://digdag.internal:65432", "address": "etl/daily@today", "wait": true}`))
}

// begun is the checkpoint of a start: what Digdag was asked for.
type begun struct {
	Address     string    `json:"address"`
	SessionTime time.Time `json:"session_time"`
}

func start(ctx context.Context, run *sdk.Run, p startParams) (startOutput, error) {
	a, err := parseAddress(p.Address)
	if err != nil {
		return startOutput{}, err
	}
	if a.Task != "" {
		return startOutput{}, sdk.Permanent(sdk.Code("bad_address", fmt.Errorf("address %q: Digdag starts no single task; leave out %s", p.Address, a.Task)))
	}
	c, err := p.open(run)
	if err != nil {
		return startOutput{}, err
	}
	defer c.Close()
	s, err := submit(ctx, run, c, a, p)
	if err != nil {
		return startOutput{}, told("starting "+p.Address, err)
	}
	out := startOutput{Run: attemptRun(c, s.Attempt), Existed: s.Existed}
	if s.Existed {
		out.OtherParams = !holds(s.Attempt.Params, p.Params)
		run.Log().Info("the session has this attempt already", "attempt", s.Attempt.ID, "session", out.Run.Address, "state", out.Run.State)
		if out.OtherParams {
			run.Log().Warn("it has other params than were given", "attempt", s.Attempt.ID)
		}
	} else {
		run.Log().Info("started", "attempt", s.Attempt.ID, "session", out.Run.Address, "link", out.Run.Link)
	}
	waits := p.Wait && !s.Attempt.Done
	if p.Wait {
		w := follower{c: c, run: run, pace: p.pace}
		last, err := w.session(ctx, s.Attempt)
		if err != nil {
			return startOutput{}, err
		}
		out.Run = last.Run
	}
	if s.Existed && !waits {
		return out, sdk.Unchanged()
	}
	return out, nil
}

// submit asks for the attempt, in the same session over all retries of the run.
func submit(ctx context.Context, run *sdk.Run, c *client.Client, a address.Address, p startParams) (client.Started, error) {
	var was begun
	again, err := run.Restore(&was)
	if err != nil {
		return client.Started{}, err
	}
	again = again && was.Address == p.Address
	r := client.StartRequest{RetryAttemptName: p.RetryAttempt, Params: given(p.Params)}
	switch _, w, err := address.FindWorkflow(ctx, c, a); {
	case err != nil:
		return client.Started{}, err
	case again:
		r.Workflow, r.SessionTime = w.ID, was.SessionTime
	default:
		r.Workflow = w.ID
		if r.SessionTime, err = sessionTime(ctx, c, w, a); err != nil {
			return client.Started{}, err
		}
	}
	for {
		if err := run.Checkpoint(ctx, begun{p.Address, r.SessionTime}); err != nil {
			return client.Started{}, err
		}
		s, err := c.Start(ctx, r)
		if err != nil || !s.Existed {
			return s, err
		}
		if (again || s.Unsure) && holds(s.Attempt.Params, p.Params) {
			run.Log().Info("an earlier try of this run started it", "attempt", s.Attempt.ID)
			s.Existed = false
			return s, nil
		}
		if a.Session.Kind != address.None {
			return s, nil
		}
		// Somebody's session of the same second is not the one that was asked for.
		again, r.SessionTime = false, r.SessionTime.Add(time.Second)
	}
}

// sessionTime is the time that an address names, of @latest and of an id that of the
// session that there is.
func sessionTime(ctx context.Context, c *client.Client, w client.Workflow, a address.Address) (time.Time, error) {
	if a.Session.Kind != address.Latest && a.Session.Kind != address.Number {
		return address.FindTime(ctx, c, w, a.Session, time.Now())
	}
	s, err := address.FindSession(ctx, c, a, time.Now())
	return s.SessionTime, err
}

// given is never null.
func given(params map[string]json.RawMessage) map[string]json.RawMessage {
	if params == nil {
		return map[string]json.RawMessage{}
	}
	return params
}

// holds reports whether an attempt's params have all that were given, as they are;
// Digdag adds its own to those of a workflow with a schedule.
func holds(params json.RawMessage, wanted map[string]json.RawMessage) bool {
	var has map[string]json.RawMessage
	if len(wanted) == 0 {
		return true
	}
	if json.Unmarshal(params, &has) != nil {
		return false
	}
	for name, want := range wanted {
		if got, ok := has[name]; !ok || !sameJSON(got, want) {
			return false
		}
	}
	return true
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	for raw, to := range map[*json.RawMessage]*any{&a: &x, &b: &y} {
		d := json.NewDecoder(bytes.NewReader(*raw))
		d.UseNumber()
		if d.Decode(to) != nil {
			return false
		}
	}
	return reflect.DeepEqual(x, y)
}
