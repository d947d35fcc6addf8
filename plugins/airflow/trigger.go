package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type triggerParams struct {
	source
	Address     string                     `json:"address" help:"DAG, with @2026-11-22 or @2026-11-22T07:00:00 for a logical date, or @ID for the run's id" min:"1"`
	Conf        map[string]json.RawMessage `json:"conf,omitempty" help:"the run's conf, of any JSON"`
	LogicalDate string                     `json:"logical_date,omitempty" help:"as behind @; without one Airflow 3 has none, and Airflow 2 takes now"`
	RunID       string                     `json:"run_id,omitempty" help:"of the run; else one made of the run's key and what is asked for"`
	Note        string                     `json:"note,omitempty" help:"shown with the run in Airflow"`
	Unpause     bool                       `json:"unpause" help:"unpause the DAG if it is paused, which lets its schedule go on, too" default:"false"`
	Wait        bool                       `json:"wait" help:"wait for the end, and fail when it failed" default:"false"`
	pace
}

type triggerOutput struct {
	Run       observe.Run `json:"run" help:"the run; with wait as it ended"`
	Existed   bool        `json:"existed" help:"it was there already, and nothing was started"`
	OtherConf bool        `json:"other_conf,omitempty" help:"the one that existed has another conf than was given"`
	Paused    bool        `json:"paused,omitempty" help:"the DAG is paused: the run stays queued until somebody unpauses it"`
}

func triggerComponent() sdk.Component {
	return sdk.Define("airflow.trigger", triggerRun,
		sdk.Doc(`Starts a run of a DAG on Airflow 3 or 2.

The run's id is given, or made of the key of the Outrider run, the address, the logical date and the conf. One that there is already, by its id or its logical date, is no error: existed says so, and the run counts as unchanged. A retry of the Outrider run with the same conf starts no second one: it goes on with the first one, and when that has ended, as where the task was cleared, starts nothing and says so. Outside of Digdag and Airflow, and on a shared ledger without a name for the instance, an Outrider run has no key but its own id: give run_id there, or a retry starts another. Airflow 3 gives the run no logical date unless one is given, Airflow 2 takes now.

A paused DAG takes the run in and does not start it: paused and a warning say so, with wait it is the failure dag_paused and nothing was done, and unpause unpauses it. A DAG whose file cannot be read is dag_broken with what Python said, one that is in no file any more is dag_stale; both start nothing. With wait it goes on as airflow.wait does and fails with run_failed.`),
		sdk.Example("A DAG, now", `{"endpoint": "http://airflow.internal:8080", "user": "outrider", "password": "env:AIRFLOW_PASSWORD", "address": "daily", "conf": {"region": "eu"}}`),
		sdk.Example("A logical date, to its end", `{"endpoint": "http://airflow.internal:8080", "token_command": ["gcloud", "auth", "print-access-token"], "address": "daily@2026-11-22", "wait": true}`))
}

// asks is a run as it is to be, and whether its id is our own.
type asks struct {
	client.Trigger
	own bool
}

func triggerRun(ctx context.Context, run *sdk.Run, p triggerParams) (triggerOutput, error) {
	a, err := parseAddress(p.Address)
	if err != nil {
		return triggerOutput{}, err
	}
	if a.Task != "" {
		return triggerOutput{}, sdk.Permanent(sdk.Code("bad_address", fmt.Errorf("address %q: Airflow starts no single task; leave out /%s, or run it again with airflow.clear", p.Address, a.TaskName())))
	}
	c, err := p.open(run)
	if err != nil {
		return triggerOutput{}, err
	}
	defer c.Close()
	doing := "triggering " + p.Address
	d, err := address.FindDAG(ctx, c, a)
	if err != nil {
		return triggerOutput{}, told(doing, err)
	}
	own, err := ownID(run, p)
	if err != nil {
		return triggerOutput{}, err
	}
	wanted, err := planTrigger(a, p, address.Zone(d), time.Now(), own)
	if err != nil {
		return triggerOutput{}, err
	}
	if err := startable(ctx, c, d); err != nil {
		return triggerOutput{}, told(doing, err)
	}
	if d.Paused && p.Wait && !p.Unpause {
		return triggerOutput{}, sdk.Code("dag_paused", fmt.Errorf("%s: the DAG %s is paused, so that the run would not start and the wait not end: unpause it, or set unpause; nothing was done", doing, d.ID))
	}
	r, existed, err := submit(ctx, c, wanted)
	if err != nil {
		return triggerOutput{}, told(doing, err)
	}
	// After the run is there, lest a refusal leaves the DAG's schedule on.
	if d.Paused && p.Unpause {
		if d, err = c.Pause(ctx, d.ID, false); err != nil {
			return triggerOutput{}, told("unpausing "+d.ID, err)
		}
		run.Log().Info("the DAG was paused and goes on", "dag", wanted.DAG)
	}
	out := triggerOutput{Existed: existed, Paused: d.Paused && !r.Ended()}
	sayTriggered(run, c, wanted, r, p.Conf, &out)
	out.Run = runTold(c, r)
	waits := p.Wait && !r.Ended()
	if p.Wait {
		f := follower{watch: watch{pace: p.pace, run: run, began: time.Now()}, c: c, adopted: existed}
		last, err := f.follow(ctx, r)
		if err != nil {
			return triggerOutput{}, err
		}
		out.Run = last.Run
	}
	if out.Existed && !waits {
		return out, sdk.Unchanged()
	}
	return out, nil
}

// sayTriggered logs what became of it. A run of our own id was started by an earlier
// try; one that has ended since is not started again.
func sayTriggered(run *sdk.Run, c *client.Client, wanted asks, r client.DAGRun, conf map[string]json.RawMessage, out *triggerOutput) {
	link := c.Link(r.DAG, r.ID, "", -1)
	if out.Existed && !holds(r.Conf, conf) {
		out.OtherConf = true
		run.Log().Warn("the run that there is has another conf than was given", "run", r.ID)
	}
	switch {
	case out.Existed && wanted.own && r.ID == wanted.ID && r.Ended():
		run.Log().Warn("an earlier try of this run started it, and it has ended since: nothing was started; to run it again clear it, or give run_id", "run", r.ID, "state", r.State, "link", link)
	case out.Existed && wanted.own && r.ID == wanted.ID && !out.OtherConf:
		out.Existed = false
		run.Log().Info("an earlier try of this run started it", "run", r.ID, "state", r.State, "link", link)
	case out.Existed:
		run.Log().Info("there is this run already", "run", r.ID, "state", r.State, "link", link)
	default:
		run.Log().Info("triggered", "run", r.ID, "link", link)
	}
	if out.Paused {
		run.Log().Warn("the DAG is paused: the run stays queued until somebody unpauses it", "dag", r.DAG, "run", r.ID)
	}
}

// planTrigger is what is asked for.
func planTrigger(a address.Address, p triggerParams, zone *time.Location, now time.Time, own string) (asks, error) {
	no := func(code, format string, args ...any) (asks, error) {
		return asks{}, sdk.Permanent(sdk.Code(code, fmt.Errorf(format, args...)))
	}
	q := asks{Trigger: client.Trigger{DAG: a.DAG, ID: p.RunID, Note: p.Note}}
	when := a.Run
	switch {
	case a.Run.Kind == address.Latest:
		return no("bad_address", "address %q: @latest names a run that there is, not one to start; leave it out, or give a logical date or an id", p.Address)
	case a.Run.Kind == address.ID && p.RunID != "" && p.RunID != a.Run.ID:
		return no("bad_params", "run_id %q: address %q names another", p.RunID, p.Address)
	case a.Run.Kind == address.ID:
		q.ID, when = a.Run.ID, address.Run{}
	}
	if p.LogicalDate != "" {
		given, err := address.ParseRun(p.LogicalDate)
		if _, isTime := given.Moment(zone, now); err != nil || !isTime {
			return no("bad_params", "logical_date %.60q: want today, a date (2026-11-22), or a time (2026-11-22T07:00:00, with +09:00 or in the DAG's zone)", p.LogicalDate)
		}
		if when.Kind != address.None {
			return no("bad_params", "logical_date %s: address %q names one, too", p.LogicalDate, p.Address)
		}
		when = given
	}
	if when.Kind != address.None {
		q.Logical, _ = when.Moment(zone, now)
	}
	if len(p.Conf) > 0 {
		raw, err := json.Marshal(p.Conf)
		if err != nil {
			return asks{}, err
		}
		q.Conf = raw
	}
	if q.own = q.ID == ""; q.own {
		q.ID = own
	}
	return q, nil
}

// startable is why a DAG starts no run, whatever is sent. Airflow 2 goes on to call one
// broken whose file has been mended and holds it no more.
func startable(ctx context.Context, c *client.Client, d client.DAG) error {
	if !d.Broken && !d.Stale {
		return nil
	}
	var all []client.ImportError
	if d.Broken {
		var err error
		if all, err = c.ImportErrors(ctx); err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(e client.ImportError) bool { return !sameFile(d.File, e.File) })
	}
	if d.Stale && len(all) == 0 {
		return sdk.Code("dag_stale", fmt.Errorf("the DAG %s is in no file any more (it was in %s), so that Airflow starts no run of it", d.ID, d.File))
	}
	return sdk.Code("dag_broken", fmt.Errorf("the file of the DAG %s cannot be read, so that Airflow starts no run of it: %s", d.ID, brokenBy(d, all)))
}

// submit asks for the run. One of the same logical date is as good as one of the same
// id.
func submit(ctx context.Context, c *client.Client, q asks) (client.DAGRun, bool, error) {
	r, existed, err := c.Trigger(ctx, q.Trigger)
	var conflict *client.Error
	if errors.As(err, &conflict) && conflict.Code == client.CodeConflict && len(conflict.Near) > 0 {
		r, err = c.Run(ctx, q.DAG, conflict.Near[0])
		return r, err == nil, err
	}
	return r, existed, err
}
