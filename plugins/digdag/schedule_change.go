package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/plugins/digdag/internal/address"
	"github.com/outrider-run/outrider/sdk"
)

// scheduler does one action to schedules.
type scheduler struct {
	c   *client.Client
	run *sdk.Run
	p   scheduleParams
}

func (d scheduler) do(ctx context.Context, s client.Schedule, w client.Workflow) (scheduled, error) {
	out := scheduled{Schedule: scheduleTold(s, w), Address: address.Address{Project: s.Project.Name, Workflow: s.Workflow.Name}.String()}
	now, err := s, error(nil)
	switch d.p.Action {
	case "next":
		out.Next, err = d.next(ctx, s, w)
	case "enable":
		now, err = d.enable(ctx, s, w)
	case "disable":
		now, err = d.disable(ctx, s)
	case "skip":
		now, err = d.skip(ctx, s, w)
	case "backfill":
		err = d.backfill(ctx, s, w, &out)
	}
	if err != nil {
		return scheduled{}, err
	}
	if !now.DisabledAt.Equal(s.DisabledAt) || !now.NextRunTime.Equal(s.NextRunTime) || !now.NextScheduleTime.Equal(s.NextScheduleTime) {
		out.Before, out.Schedule, out.Changed = new(out.Schedule), scheduleTold(now, w), true
	}
	return out, nil
}

// next are the session times to come, which the server counts.
func (d scheduler) next(ctx context.Context, s client.Schedule, w client.Workflow) ([]time.Time, error) {
	if s.NextRunTime.Year() >= end || w.ID == "" {
		return nil, nil
	}
	want := d.p.Count
	if want == 0 {
		want = 5
	}
	list := []time.Time{s.NextScheduleTime}
	for len(list) < want {
		at, err := d.c.TruncatedSessionTime(ctx, w.ID, list[len(list)-1], client.TruncateNextSchedule)
		if err != nil {
			return nil, err
		}
		if at.SessionTime.Year() >= end || !at.SessionTime.After(list[len(list)-1]) {
			break
		}
		list = append(list, at.SessionTime)
	}
	return list, nil
}

func (d scheduler) enable(ctx context.Context, s client.Schedule, w client.Workflow) (client.Schedule, error) {
	if s.DisabledAt.IsZero() {
		return s, nil
	}
	r := client.EnableRequest{Skip: d.p.Skip}
	if d.p.To != "" {
		to, err := d.time(ctx, w, d.p.To)
		if err != nil {
			return s, err
		}
		r.SkipTo = to
	}
	missed := s.NextRunTime.Before(time.Now())
	if missed && !d.p.Skip {
		d.run.Log().Warn("all sessions that were missed start at once; skip_missed leaves them out", "schedule", s.Project.Name+"/"+s.Workflow.Name, "first", s.NextScheduleTime.Format(time.RFC3339))
	}
	if d.p.DryRun {
		s.DisabledAt = time.Time{}
		return s, nil
	}
	// Digdag refuses to skip where nothing was missed.
	if r.Skip && r.SkipTo.IsZero() && !s.NextScheduleTime.Before(time.Now()) {
		r = client.EnableRequest{}
	}
	return d.c.Enable(ctx, s.ID, r)
}

func (d scheduler) disable(ctx context.Context, s client.Schedule) (client.Schedule, error) {
	switch {
	case !s.DisabledAt.IsZero():
		return s, nil
	case d.p.DryRun:
		s.DisabledAt = time.Now().UTC().Truncate(time.Second)
		return s, nil
	}
	return d.c.Disable(ctx, s.ID)
}

// skipped is the checkpoint of a skip: where the schedule goes on.
type skipped struct {
	Schedule client.ID `json:"schedule"`
	To       time.Time `json:"to"`
}

// skip leaves sessions out. A count becomes a time first, since a count is not skipped
// twice by mistake only so.
func (d scheduler) skip(ctx context.Context, s client.Schedule, w client.Workflow) (client.Schedule, error) {
	var was skipped
	again, err := d.run.Restore(&was)
	if err != nil {
		return s, err
	}
	var to time.Time
	switch {
	case again && was.Schedule == s.ID:
		to = was.To
	case d.p.Count > 0:
		dry, err := d.c.Skip(ctx, s.ID, client.SkipRequest{Count: d.p.Count, FromTime: s.NextScheduleTime, DryRun: true})
		if err != nil {
			return s, err
		}
		to = dry.NextScheduleTime
	default:
		if to, err = d.time(ctx, w, d.p.To); err != nil {
			return s, err
		}
	}
	if !s.NextScheduleTime.Before(to) {
		d.run.Log().Info("it goes on no earlier than that already", "next", s.NextScheduleTime.Format(time.RFC3339))
		return s, nil
	}
	if !d.p.DryRun {
		if err := d.run.Checkpoint(ctx, skipped{s.ID, to}); err != nil {
			return s, err
		}
	}
	now, err := d.c.Skip(ctx, s.ID, client.SkipRequest{NextTime: to, DryRun: d.p.DryRun})
	if err != nil {
		return s, err
	}
	now.DisabledAt = s.DisabledAt
	return now, nil
}

func (d scheduler) backfill(ctx context.Context, s client.Schedule, w client.Workflow, out *scheduled) error {
	from, err := d.time(ctx, w, d.p.From)
	if err != nil {
		return err
	}
	name := attemptName(d.run, d.p.Name)
	b, err := d.c.Backfill(ctx, s.ID, client.BackfillRequest{FromTime: from, AttemptName: name, Count: d.p.Count, DryRun: d.p.DryRun})
	var e *client.Error
	if errors.As(err, &e) && e.Code == client.CodeConflict && d.p.Name == "" {
		// The name is the run's own: an earlier try of it has started them.
		page, listed := d.c.AttemptsPage(ctx, client.AttemptFilter{Project: s.Project.Name, Workflow: s.Workflow.Name, IncludeRetried: true})
		if listed != nil {
			return listed
		}
		for _, a := range page {
			if a.RetryAttemptName == name {
				out.Attempts = append(out.Attempts, attemptRun(d.c, a))
			}
		}
		d.run.Log().Info("an earlier try of this run started the backfill", "attempts", len(out.Attempts))
		return nil
	}
	if err != nil {
		return err
	}
	for _, a := range b.Attempts {
		r := attemptRun(d.c, a)
		if d.p.DryRun {
			r.ID, r.Session, r.Link, r.Created = "", "", "", time.Time{}
		}
		r.Trigger = "backfill"
		out.Attempts = append(out.Attempts, r)
	}
	out.Changed = len(b.Attempts) > 0
	d.run.Log().Info("backfill", "sessions", len(b.Attempts), "name", name, "dry_run", d.p.DryRun)
	return nil
}

// time reads a time, of a clock in the workflow's zone where it has none.
func (d scheduler) time(ctx context.Context, w client.Workflow, text string) (time.Time, error) {
	a, err := address.Parse("p/w@" + text)
	if err == nil && a.Task == "" {
		switch a.Session.Kind {
		case address.Today, address.Date, address.Local, address.Instant:
			return address.FindTime(ctx, d.c, w, a.Session, time.Now())
		}
	}
	return time.Time{}, sdk.Permanent(sdk.Code("bad_time", fmt.Errorf("%.60q is no time; want today, a date (2026-11-22), or a time (2026-11-22T03:00:00, with +09:00 or in the workflow's zone)", text)))
}
