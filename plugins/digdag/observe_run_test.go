package main

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

func TestRunOfARecordedAttempt(t *testing.T) {
	a := recorded[client.Attempt](t, "attempt_retried", "")
	got := runOf(a, originOf(a), "http://digdag")
	want := observe.Run{
		ID: "34", Address: "demo/retry@34", Project: "demo", Workflow: "retry", Session: "31", Time: a.SessionTime, Try: 2,
		State: observe.Failed, Trigger: "retry", Link: "http://digdag/attempts/34",
		Created: time.Date(2026, 11, 21, 23, 16, 12, 0, time.UTC), Ended: time.Date(2026, 11, 21, 23, 16, 16, 0, time.UTC),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestStateOfAnAttempt(t *testing.T) {
	for flags, want := range map[client.Flags]observe.State{
		{}:                                  observe.Running,
		{CancelRequested: true}:             observe.Cancelling,
		{Done: true}:                        observe.Failed,
		{Done: true, CancelRequested: true}: observe.Cancelled,
		{Done: true, Success: true}:         observe.Success,
		{Done: true, Success: true, CancelRequested: true}: observe.Success, // the cancel came late
	} {
		if got := attemptState(flags); got != want {
			t.Errorf("%+v: %s, want %s", flags, got, want)
		}
	}
	a := recorded[client.Attempt](t, "attempt_cancelling", "")
	if r := runOf(a, originOf(a), ""); r.State != observe.Cancelling || !r.CancelAsked || !r.Ended.IsZero() {
		t.Errorf("%+v", r)
	}
}

func TestTriggers(t *testing.T) {
	var got []string
	for _, file := range []string{"attempts", "attempts_scheduled", "schedule_backfill_queued"} {
		for _, a := range recorded[[]client.Attempt](t, file, "attempts") {
			if tr := trigger(a, originOf(a)); tr != "" {
				got = append(got, string(a.ID)+" "+tr)
			}
		}
	}
	// 245 and on are a backfill over sessions that there were: no answer tells that from
	// a retry.
	want := []string{"31 backfill", "30 backfill", "29 backfill", "28 schedule", "22 schedule", "21 schedule", "177 schedule", "176 schedule", "44 schedule", "245 retry", "246 retry", "247 retry"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestABackfillWaitsInTurn: only the first of those that are open runs.
func TestABackfillWaitsInTurn(t *testing.T) {
	states := func(file string, change func([]client.Attempt)) (all []string) {
		attempts := recorded[[]client.Attempt](t, file, "attempts")
		slices.SortFunc(attempts, func(a, b client.Attempt) int { return b.ID.Compare(a.ID) })
		change(attempts)
		rows, err := rowsOf(attempts, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range runsOf(rows, nil, "") {
			if !r.State.Ended() {
				all = append(all, r.ID+" "+string(r.State))
			}
		}
		return all
	}
	as := func([]client.Attempt) {}
	for _, c := range []struct {
		name, file string
		change     func([]client.Attempt)
		want       []string
	}{
		{"a new one", "attempts", as, []string{"31 queued", "30 queued", "29 running"}},
		{"over old sessions", "schedule_backfill_queued", as, []string{"247 queued", "246 queued", "245 running"}},
		{"the first is done", "attempts", func(a []client.Attempt) { a[2].Done = true }, []string{"31 queued", "30 running"}},
		{"one is killed", "attempts", func(a []client.Attempt) { a[1].CancelRequested = true }, []string{"31 queued", "30 cancelling", "29 running"}},
		{"retries of other names", "attempts", func(a []client.Attempt) { a[0].RetryAttemptName = "r" }, []string{"31 running", "30 queued", "29 running"}},
		{"another project", "attempts", func(a []client.Attempt) { a[1].Project.ID = "9" }, []string{"31 running", "30 running", "29 running"}},
	} {
		if got := states(c.file, c.change); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestScheduleReports(t *testing.T) {
	now := time.Date(2026, 11, 21, 23, 17, 30, 0, time.UTC)
	recordedOnes := recorded[[]client.Schedule](t, "schedules", "schedules")
	got := schedulesOf(recordedOnes, nil)
	if len(got) != 2 || got[0].ID != "1" || got[0].Project != "demo" || got[0].Workflow != "sched" || !got[0].NextRun.Equal(now.Add(-30*time.Second)) ||
		got[0].NextSession.Format(time.RFC3339) != "2026-11-22T08:17:00+09:00" || got[0].Off {
		t.Errorf("%+v", got)
	}
	ended, off := recordedOnes[0], recordedOnes[0]
	ended.NextRunTime = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	off.DisabledAt = now
	many := schedulesOf([]client.Schedule{recordedOnes[0], ended, off}, nil)
	if !many[1].NextRun.IsZero() || many[1].Off || !many[2].Off || !many[2].Disabled.Equal(now) {
		t.Errorf("%+v", many)
	}
	for at, wantLate := range map[time.Time]int{now: 0, now.Add(5 * time.Minute): 1, now.Add(24 * time.Hour): 1} {
		health := healthOf("0.10.5", "http://digdag", many, at)
		signals := scheduleSignals(many, at)
		if len(health) != 2 || !health[0].OK || health[1].Name != "scheduler" || health[1].OK != (wantLate == 0) ||
			signals[0].Value != 3 || signals[1].Value != 1 || signals[2].Value != float64(wantLate) {
			t.Errorf("at %s: %+v, %+v; want %d late", at, health, signals, wantLate)
		}
	}
	if health := healthOf("0.10.5", "http://digdag", many[1:], now.AddDate(1, 0, 0)); len(health) != 1 {
		t.Errorf("of schedules that do not run: %+v", health)
	}
}

func TestAttemptSignals(t *testing.T) {
	runs := []observe.Run{{State: observe.Running}, {State: observe.Queued}, {State: observe.Cancelling}, {State: observe.Failed}}
	value := func(all []observe.Signal, name string) float64 {
		at := slices.IndexFunc(all, func(s observe.Signal) bool { return s.Name == name })
		if at < 0 {
			return -1
		}
		return all[at].Value
	}
	got := attemptSignals(runs, 7)
	for name, want := range map[string]float64{"open_attempts": 3, "queued_attempts": 1, "cancelling_attempts": 1, "new_attempts": 7, "open_attempts_limit": 100} {
		if value(got, name) != want {
			t.Errorf("%s: %v, want %v", name, value(got, name), want)
		}
	}
}

// TestAttemptLimit: the default holds until more are open; then as many may be, at least.
func TestAttemptLimit(t *testing.T) {
	for open, want := range map[int]observe.Signal{
		0:   {Value: 100, Labels: map[string]string{"from": "Digdag's default"}},
		100: {Value: 100, Labels: map[string]string{"from": "Digdag's default"}},
		101: {Value: 101, Labels: map[string]string{"from": "at least what is open"}},
		450: {Value: 450, Labels: map[string]string{"from": "at least what is open"}},
	} {
		runs := slices.Repeat([]observe.Run{{State: observe.Running}}, open)
		signals := attemptSignals(append(runs, observe.Run{State: observe.Success}), 0)
		want.Name = "open_attempts_limit"
		if last := signals[len(signals)-1]; signals[0].Value != float64(open) || !reflect.DeepEqual(last, want) {
			t.Errorf("%d open: %+v", open, signals)
		}
	}
}
