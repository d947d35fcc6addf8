package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

type scheduleParams struct {
	source
	Address string `json:"address" help:"PROJECT/WORKFLOW, or a pattern such as etl_* or etl/*; skip and backfill want one workflow" default:"*"`
	Action  string `json:"action" help:"what to do" enum:"list,next,enable,disable,skip,backfill" default:"list"`
	Count   int    `json:"count" help:"next: how many times of each (5); skip: how many of the next sessions to leave out; backfill: how many sessions, 0 for all until the next one" default:"0" min:"0" max:"1000"`
	From    string `json:"from,omitempty" help:"backfill: the first session time, as 2026-11-01 in the workflow's zone or 2026-11-01T07:00:00+09:00"`
	To      string `json:"to,omitempty" help:"skip: the session time to go on with; enable: with skip_missed, the same"`
	Skip    bool   `json:"skip_missed" help:"enable: leave out the sessions that were missed, which start at once else" default:"false"`
	Name    string `json:"name,omitempty" help:"backfill: of the attempts; else one made of the run's key"`
	DryRun  bool   `json:"dry_run" help:"change nothing, and tell what would be done" default:"false"`
}

// Validate checks what a tag cannot say.
func (p scheduleParams) Validate() error {
	one := strings.Contains(p.Address, "/") && !strings.ContainsAny(p.Address, "*?[")
	var all []error
	no := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	switch {
	case p.Action == "skip" && (p.To == "") == (p.Count == 0):
		no("skip: want either count or to")
	case p.Action == "backfill" && p.From == "":
		no("backfill: from when? give from")
	}
	if !one && (p.Action == "skip" || p.Action == "backfill") {
		no("address: %s is for one workflow, PROJECT/WORKFLOW, not for %q", p.Action, p.Address)
	}
	if p.From != "" && p.Action != "backfill" {
		no("from: it is for backfill, not for %s", p.Action)
	}
	if p.Name != "" && p.Action != "backfill" {
		no("name: it is for backfill, not for %s", p.Action)
	}
	if p.To != "" && p.Action != "skip" && (p.Action != "enable" || !p.Skip) {
		no("to: it is for skip, and for enable with skip_missed")
	}
	if p.Skip && p.Action != "enable" {
		no("skip_missed: it is for enable, not for %s", p.Action)
	}
	return errors.Join(all...)
}

type scheduleOutput struct {
	Schedules []scheduled `json:"schedules" help:"those that the address names, as they are now"`
	Changed   int         `json:"changed" help:"how many were changed, or would be"`
	DryRun    bool        `json:"dry_run,omitempty"`
}

type scheduled struct {
	Schedule observe.Schedule  `json:"schedule"`
	Address  string            `json:"address"`
	Changed  bool              `json:"changed,omitempty" help:"or would be, with dry_run"`
	Before   *observe.Schedule `json:"before,omitempty" help:"of one that was changed"`
	Next     []time.Time       `json:"next,omitempty" help:"the session times to come"`
	Attempts []observe.Run     `json:"attempts,omitempty" help:"of a backfill; with dry_run they have no ids"`
}

func scheduleComponent() sdk.Component {
	return sdk.Define("digdag.schedule", schedule,
		sdk.Doc(`Lists and changes the schedules of workflows on Digdag.

list tells each with what a person wrote, its zone and its next run; next tells the session times to come; enable and disable do what they say, and one that was so already is unchanged. After enable all sessions that were missed start at once, unless skip_missed leaves them out. skip leaves out the next count sessions, or all before to: no trace of them remains. backfill starts sessions of the past, from a time on, one after the other; until their turn they have no tasks and cannot be killed.

A retry of the run skips and backfills nothing twice: where a skip ends is kept in a checkpoint, and the name of a backfill's attempts is made of the run's key. dry_run tells what would be done.`),
		sdk.Example("All schedules", `{"endpoint": "http://digdag.internal:65432"}`),
		sdk.Example("Stop all of a project", `{"endpoint": "http://digdag.internal:65432", "address": "etl/*", "action": "disable"}`),
		sdk.Example("Fill a week", `{"endpoint": "http://digdag.internal:65432", "address": "etl/daily", "action": "backfill", "from": "2026-11-01", "count": 7, "dry_run": true}`))
}

func schedule(ctx context.Context, run *sdk.Run, p scheduleParams) (scheduleOutput, error) {
	c, err := p.open(run)
	if err != nil {
		return scheduleOutput{}, err
	}
	defer c.Close()
	doing := p.Action + " of the schedules " + p.Address
	found, flows, err := schedules(ctx, c, p.Address)
	if err != nil {
		return scheduleOutput{}, told(doing, err)
	}
	change := scheduler{c: c, run: run, p: p}
	out := scheduleOutput{Schedules: []scheduled{}, DryRun: p.DryRun}
	for i, s := range found {
		run.Progress(float64(i), float64(len(found)), s.Project.Name+"/"+s.Workflow.Name)
		w := flows[workflowKey{s.Project.ID, s.Workflow.Name}]
		one, err := change.do(ctx, s, w)
		if err != nil {
			if out.Changed > 0 {
				doing = fmt.Sprintf("%s, after %d of %d were changed", doing, out.Changed, len(found))
			}
			return out, told(doing, fmt.Errorf("%s/%s: %w", s.Project.Name, s.Workflow.Name, err))
		}
		if one.Changed {
			out.Changed++
		}
		out.Schedules = append(out.Schedules, one)
	}
	if out.Changed == 0 && p.Action != "list" && p.Action != "next" {
		return out, sdk.Unchanged()
	}
	return out, nil
}

// workflowKey is what a workflow is known by over all pushes.
type workflowKey struct {
	project client.ID
	name    string
}

// schedules are those that an address or a pattern names, with the workflows that there
// are in their projects.
func schedules(ctx context.Context, c *client.Client, text string) ([]client.Schedule, map[workflowKey]client.Workflow, error) {
	flows := map[workflowKey]client.Workflow{}
	var filter client.ScheduleFilter
	match := func(client.Schedule) bool { return true }
	if one := strings.Contains(text, "/") && !strings.ContainsAny(text, "*?["); one {
		a, err := parseAddress(text)
		if err != nil {
			return nil, nil, err
		}
		if a.Session.Kind != address.None || a.Task != "" {
			return nil, nil, sdk.Permanent(sdk.Code("bad_address", fmt.Errorf("address %q: a schedule is of a workflow, not of a session or task", text)))
		}
		p, w, err := address.FindWorkflow(ctx, c, a)
		if err != nil {
			return nil, nil, err
		}
		flows[workflowKey{p.ID, w.Name}] = w
		filter = client.ScheduleFilter{Project: p.ID, Workflow: w.Name}
	} else {
		pattern, err := address.ParsePattern(text)
		if err != nil {
			return nil, nil, sdk.Permanent(sdk.Code("bad_address", err))
		}
		match = func(s client.Schedule) bool { return pattern.Match(s.Project.Name, s.Workflow.Name) }
		for w, err := range c.AllWorkflows(ctx) {
			if err != nil {
				return nil, nil, err
			}
			flows[workflowKey{w.Project.ID, w.Name}] = w
		}
	}
	var list []client.Schedule
	for s, err := range c.Schedules(ctx, filter) {
		if err != nil {
			return nil, nil, err
		}
		if match(s) {
			list = append(list, s)
		}
	}
	if filter.Workflow != "" && len(list) == 0 {
		return nil, nil, sdk.Permanent(sdk.Code("no_schedule", fmt.Errorf("workflow %s has no schedule: block", text)))
	}
	return list, flows, nil
}

// end is the year in which Digdag puts the next run of a schedule that is over.
const end = 9999

// scheduleTold is a schedule as all engines' are told.
func scheduleTold(s client.Schedule, w client.Workflow) observe.Schedule {
	out := observe.Schedule{
		ID: string(s.ID), Project: s.Project.Name, Workflow: s.Workflow.Name,
		Disabled: s.DisabledAt, Off: !s.DisabledAt.IsZero(), Zone: w.Timezone, Expression: expression(w.Config),
	}
	if s.NextRunTime.Year() < end {
		out.NextRun, out.NextSession = s.NextRunTime, s.NextScheduleTime
	}
	return out
}

// expression is what stands under schedule:, such as daily>: 07:00:00.
func expression(config json.RawMessage) string {
	var w struct{ Schedule map[string]json.RawMessage }
	if json.Unmarshal(config, &w) != nil {
		return ""
	}
	for name, raw := range w.Schedule {
		if strings.HasSuffix(name, ">") {
			var text string
			if json.Unmarshal(raw, &text) != nil {
				text = string(raw)
			}
			return name + ": " + text
		}
	}
	return ""
}
