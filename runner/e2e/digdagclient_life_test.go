package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/plugins/digdag/client"
)

// The client on schedules, over turns of the clock, and on what goes away.

func TestDigdagClientSchedules(t *testing.T) {
	d := onDigdag(t)
	c, ctx := clientOf(d, client.Options{}), d.Context()
	project := d.Push(digdagtest.Files{
		"daily.dig": "timezone: Europe/Berlin\nschedule: {daily>: '07:00:00'}\n+a: {echo>: a}\n",
		"plain.dig": "+a: {echo>: a}\n",
	})
	w := definition(d, c, project, "daily")
	of := listOf(t, c.Schedules(ctx, client.ScheduleFilter{Project: w.Project.ID}))
	if len(of) != 1 || of[0].Workflow != (client.Ref{ID: w.ID, Name: "daily"}) || of[0].NextRunTime.Before(time.Now()) || !of[0].NextRunTime.After(of[0].NextScheduleTime) {
		t.Fatalf("schedules %+v", of)
	}
	s := of[0]
	if all := listOf(t, c.Schedules(ctx, client.ScheduleFilter{})); !slices.ContainsFunc(all, func(x client.Schedule) bool { return x.ID == s.ID }) {
		t.Errorf("not in the list: %+v", all)
	}
	if none := listOf(t, c.Schedules(ctx, client.ScheduleFilter{Project: w.Project.ID, Workflow: "plain"})); len(none) != 0 {
		t.Errorf("of a workflow without: %+v", none)
	}
	if off := sure[client.Schedule](t)(c.Disable(ctx, s.ID)); off.DisabledAt.IsZero() || sure[client.Schedule](t)(c.Schedule(ctx, s.ID)).DisabledAt.IsZero() {
		t.Errorf("disabled: %+v", off)
	}
	if on := sure[client.Schedule](t)(c.Enable(ctx, s.ID, client.EnableRequest{})); !on.DisabledAt.IsZero() {
		t.Errorf("enabled: %+v", on)
	}

	day := func(n int) time.Time {
		y, m, dd := s.NextScheduleTime.Date()
		return sure[client.SessionTime](t)(c.LocalSessionTime(ctx, w.ID, time.Date(y, m, dd+n, 0, 0, 0, 0, time.UTC), client.TruncateNot)).SessionTime
	}
	dry := sure[client.Schedule](t)(c.Skip(ctx, s.ID, client.SkipRequest{NextTime: day(3), DryRun: true}))
	if !dry.NextScheduleTime.Equal(day(3)) || !sure[client.Schedule](t)(c.Schedule(ctx, s.ID)).NextScheduleTime.Equal(day(0)) {
		t.Errorf("a skip that is not meant: %+v, want %s", dry, day(3))
	}
	skipped := sure[client.Schedule](t)(c.Skip(ctx, s.ID, client.SkipRequest{Count: 2, FromTime: day(0)}))
	if !skipped.NextScheduleTime.Equal(day(2)) {
		t.Errorf("two skipped: %+v, want %s", skipped, day(2))
	}
	if _, err := c.Skip(ctx, s.ID, client.SkipRequest{NextTime: day(1)}); codeOf(err) != client.CodeConflict {
		t.Errorf("a skip back: %v", err)
	}

	from := day(-4)
	plan := sure[client.Backfilled](t)(c.Backfill(ctx, s.ID, client.BackfillRequest{FromTime: from, AttemptName: "bf", Count: 2, DryRun: true}))
	if len(plan.Attempts) != 2 || !plan.Attempts[1].SessionTime.Equal(day(-3)) {
		t.Errorf("a backfill that is not meant: %+v", plan)
	}
	done := sure[client.Backfilled](t)(c.Backfill(ctx, s.ID, client.BackfillRequest{FromTime: from, AttemptName: "bf", Count: 2}))
	if len(done.Attempts) != 2 || done.Attempts[0].RetryAttemptName != "bf" || !done.Attempts[0].SessionTime.Equal(from) {
		t.Fatalf("a backfill: %+v", done)
	}
	for _, a := range done.Attempts {
		d.Wait(string(a.ID))
	}
	if _, err := c.Backfill(ctx, s.ID, client.BackfillRequest{FromTime: from, AttemptName: "bf", Count: 2}); codeOf(err) != client.CodeConflict {
		t.Errorf("the same backfill: %v", err)
	}
	if _, err := c.Backfill(ctx, s.ID, client.BackfillRequest{FromTime: from, AttemptName: "many", Count: 100}); codeOf(err) != client.CodeBadRequest {
		t.Errorf("a backfill of more than there are: %v", err)
	}
	sure[client.Schedule](t)(c.Disable(ctx, s.ID))
}

// TestDigdagClientTimes asks over both turns of the clock in Berlin in 2026.
func TestDigdagClientTimes(t *testing.T) {
	d := onDigdag(t)
	c, ctx := clientOf(d, client.Options{}), d.Context()
	project := d.Push(digdagtest.Files{
		"w.dig":     "timezone: Europe/Berlin\nschedule: {daily>: '07:00:00'}\n+a: {echo>: a}\n",
		"plain.dig": "+a: {echo>: a}\n",
	})
	w, plain := definition(d, c, project, "w"), definition(d, c, project, "plain")
	clock := func(text string) time.Time {
		at, err := time.Parse("2006-01-02 15:04:05", text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, x := range []struct {
		local string
		mode  client.Truncate
		want  string
	}{
		{"2026-03-29 00:00:00", client.TruncateNot, "2026-03-29T00:00:00+01:00"},
		{"2026-03-29 02:30:00", client.TruncateNot, "2026-03-29T03:30:00+02:00"}, // skipped
		{"2026-03-30 00:00:00", client.TruncateNot, "2026-03-30T00:00:00+02:00"}, // 23 h later
		{"2026-10-25 02:30:00", client.TruncateNot, "2026-10-25T02:30:00+02:00"}, // comes twice
		{"2026-10-26 00:00:00", client.TruncateNot, "2026-10-26T00:00:00+01:00"}, // 25 h later
		{"2026-03-29 12:34:56", client.TruncateDay, "2026-03-29T00:00:00+01:00"},
		{"2026-03-29 12:34:56", client.TruncateHour, "2026-03-29T12:00:00+02:00"},
		{"2026-03-29 00:00:00", client.TruncateSchedule, "2026-03-29T00:00:00+01:00"},
		{"2026-03-29 00:00:00", client.TruncateNextSchedule, "2026-03-30T00:00:00+02:00"},
	} {
		got, err := c.LocalSessionTime(ctx, w.ID, clock(x.local), x.mode)
		if err != nil || got.SessionTime.Format(time.RFC3339) != x.want || got.Timezone != "Europe/Berlin" || got.Project.Name != project {
			t.Errorf("%s, %q: %+v, %v, want %s", x.local, x.mode, got, err, x.want)
		}
	}
	got, err := c.TruncatedSessionTime(ctx, w.ID, time.Date(2026, 10, 25, 23, 30, 0, 0, time.UTC), client.TruncateDay)
	if err != nil || got.SessionTime.Format(time.RFC3339) != "2026-10-26T00:00:00+01:00" {
		t.Errorf("a moment: %+v, %v", got, err)
	}
	if _, err := c.TruncatedSessionTime(ctx, plain.ID, time.Now(), client.TruncateSchedule); codeOf(err) != client.CodeBadRequest {
		t.Errorf("of a workflow without a schedule: %v", err)
	}
}

func TestDigdagClientDeletedProject(t *testing.T) {
	d := onDigdag(t)
	c, ctx := clientOf(d, client.Options{}), d.Context()
	project := d.Push(digdagtest.Files{"w.dig": "+a: {echo>: a}\n"})
	p := sure[client.Project](t)(c.ProjectNamed(ctx, project))
	a := d.Wait(d.Start(project, "w").ID)
	if err := d.Send(ctx, "DELETE", "/api/projects/"+string(p.ID), nil, nil); err != nil {
		t.Fatal(err)
	}
	_, byID := c.Project(ctx, p.ID)
	_, byName := c.ProjectNamed(ctx, project)
	_, workflow := c.WorkflowNamed(ctx, p, "w")
	_, sessions := c.SessionsPage(ctx, client.SessionFilter{Project: p.ID})
	for i, err := range []error{byID, byName, workflow, sessions} {
		if codeOf(err) != client.CodeNotFound {
			t.Errorf("%d: %v", i, err)
		}
	}
	if got := sure[client.Attempt](t)(c.Attempt(ctx, client.ID(a.ID))); got.Project.Name != project || got.State() != client.Success {
		t.Errorf("its attempt is %+v", got)
	}
	if tasks := sure[[]client.Task](t)(c.Tasks(ctx, client.ID(a.ID))); len(tasks) != 2 {
		t.Errorf("its tasks are %+v", tasks)
	}
}

// TestDigdagClientServerGone kills the server, and starts it on another port.
func TestDigdagClientServerGone(t *testing.T) {
	d := onOwnDigdag(t)
	old := d.URL
	project := d.Push(digdagtest.Files{"w.dig": "+a: {echo>: a}\n"})
	a := d.Wait(d.Start(project, "w").ID)
	c := clientOf(d, client.Options{})
	sure[client.Attempt](t)(c.Attempt(d.Context(), client.ID(a.ID)))
	if err := d.Kill9(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Attempt(d.Context(), client.ID(a.ID)); codeOf(err) != client.CodeUnreachable || !strings.Contains(err.Error(), "does the server run? (after 3 tries)") {
		t.Errorf("a server that is gone: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := d.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	c = clientOf(d, client.Options{Endpoints: []string{old, d.URL}})
	if got := sure[client.Attempt](t)(c.Attempt(ctx, client.ID(a.ID))); got.State() != client.Success || c.Endpoint() != d.URL {
		t.Errorf("%+v from %s", got, c.Endpoint())
	}
}
