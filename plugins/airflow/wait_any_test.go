package main

import (
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

const (
	openRuns2 = "GET /dags/daily/dagRuns?queued,running"
	overRuns  = "GET /dags/daily/dagRuns?success,failed"
)

// sincePlay answers what runs of daily are open, and which have ended.
func sincePlay(t *testing.T, api int, open, over []answer) play {
	return play{
		"GET /dags/daily/details":         {{body: dagIs(t, api, nil)}},
		"GET /dags/daily/dagRuns?success": {{body: runs()}},
		openRuns2:                         open,
		overRuns:                          over,
	}
}

func TestWaitSince(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		one := func(id, state string) answer { return answer{body: runs(runIn(t, api, id, state, nil))} }
		none := answer{body: runs()}
		for name, c := range map[string]struct {
			open, over []answer
			grace      time.Duration
			run, code  string
		}{
			"there is one":             {[]answer{none}, []answer{one("a", "success")}, 0, "a", ""},
			"one that comes":           {[]answer{none, none, one("b", "queued"), none}, []answer{none, none, none, one("b", "success")}, 0, "b", ""},
			"while another is open":    {[]answer{one("b", "running"), none}, []answer{one("a", "failed"), {body: runs(runIn(t, api, "b", "success", nil), runIn(t, api, "a", "failed", nil))}}, 0, "b", ""},
			"a failure":                {[]answer{none}, []answer{one("a", "failed")}, 0, "", "run_failed"},
			"a failure that is spared": {[]answer{none}, []answer{one("a", "failed"), {body: runs(runIn(t, api, "b", "success", nil), runIn(t, api, "a", "failed", nil))}}, time.Hour, "b", ""},
			// A proxy may drop what it does not know of a query.
			"one from before": {[]answer{none}, []answer{{body: runs(runIn(t, api, "a", "success", map[string]any{"end_date": "2026-11-20T00:00:00Z"}))}, one("b", "success")}, 0, "b", ""},
		} {
			p := sincePlay(t, api, c.open, c.over)
			p["GET /dags/daily/dagRuns/a/taskInstances"] = []answer{{body: tasks(taskIn(t, api, "load", "upstream_failed", nil))}}
			s := actsOn(t, api, p)
			out, o := sdktest.Run(t, wait, waitParams{source: s.on(), Address: "daily", Since: "2026-11-21T08:00:00+09:00", Grace: c.grace, pace: atOnce})
			if o.Code != c.code || out.Run.Session != c.run {
				t.Errorf("%s: %q %s, %+v", name, o.Code, o.Error, out.Run)
			}
			if q := s.requests(overRuns)[0].query; !strings.Contains(q, "end_date_gte=2026-11-20T23%3A00%3A00") {
				t.Errorf("%s: asked for %s", name, q)
			}
		}
	})
}

// TestWaitSinceForATask: one that ended before then does not count, and one in a run
// that goes on does.
func TestWaitSinceForATask(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		in := func(state, end string) answer {
			var at any = end
			if end == "" {
				at = nil
			}
			return answer{body: tasks(taskIn(t, api, "load", state, map[string]any{"end_date": at}))}
		}
		a, b := runIn(t, api, "a", "failed", nil), runIn(t, api, "b", "running", nil)
		p := sincePlay(t, api, []answer{{body: runs(b)}}, []answer{{body: runs(a)}})
		p["GET /dags/daily/dagRuns/a/taskInstances"] = []answer{in("success", "2026-11-21T01:00:00Z")}
		p["GET /dags/daily/dagRuns/b/taskInstances"] = []answer{in("", ""), in("running", ""), in("success", "2026-11-21T23:10:00Z")}
		s := actsOn(t, api, p)
		out, o := sdktest.Run(t, wait, waitParams{source: s.on(), Address: "daily/load", Since: "2026-11-21T12:00:00Z", pace: atOnce})
		if o.Err() != nil || out.Run.Session != "b" || out.Run.State != observe.Running || out.Task == nil || out.Task.State != observe.Success {
			t.Errorf("%+v, %v", out, o.Err())
		}
		if n := len(s.requests("GET /dags/daily/dagRuns/a/taskInstances")); n != 1 {
			t.Errorf("a run that ended was looked into %d times", n)
		}

		// In none of them it may succeed any more.
		p = sincePlay(t, api, []answer{{body: runs(b)}}, []answer{{body: runs(a)}})
		p["GET /dags/daily/dagRuns/a/taskInstances"] = []answer{in("success", "2026-11-21T01:00:00Z")}
		p["GET /dags/daily/dagRuns/b/taskInstances"] = []answer{in("failed", "2026-11-21T23:10:00Z")}
		p["GET /dags/daily/dagRuns/r1/taskInstances/load/logs/1"] = []answer{{status: 403, body: `{"detail":"no"}`}}
		p["GET /dags"] = []answer{{body: `{"dags":[` + dagIs(t, api, nil) + `],"total_entries":1}`}}
		_, o = sdktest.Run(t, wait, waitParams{source: actsOn(t, api, p).on(), Address: "daily/load", Since: "2026-11-21T12:00:00Z", pace: atOnce})
		if o.Code != "task_failed" || !strings.Contains(o.Error, "load of run daily@b failed in try 1") {
			t.Errorf("%q %s", o.Code, o.Error)
		}
	})
}

// TestWaitSinceForATaskSkipsWhatIsDeleted between the list and the look into it.
func TestWaitSinceForATaskSkipsWhatIsDeleted(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		a, b := runIn(t, api, "a", "failed", nil), runIn(t, api, "b", "failed", nil)
		done := answer{body: tasks(taskIn(t, api, "load", "success", map[string]any{"end_date": "2026-11-21T23:10:00Z"}))}
		undone := answer{body: tasks(taskIn(t, api, "load", "failed", nil))}
		none := answer{body: runs()}
		for name, c := range map[string]struct {
			over []answer
			ofA  []answer
			want string
		}{
			"another has it":       {[]answer{{body: runs(a, b)}}, []answer{nothing}, "b"},
			"one comes":            {[]answer{{body: runs(a)}, none, {body: runs(b)}}, []answer{nothing}, "b"},
			"after a look into it": {[]answer{{body: runs(a)}, {body: runs(b)}}, []answer{undone, nothing}, "b"},
		} {
			p := sincePlay(t, api, []answer{none}, c.over)
			p["GET /dags/daily/dagRuns/a/taskInstances"] = c.ofA
			p["GET /dags/daily/dagRuns/b/taskInstances"] = []answer{done}
			p["GET /dags/daily/dagRuns/a"] = []answer{nothing}
			p["GET /dags/daily"] = []answer{{body: dagIs(t, api, nil)}}
			p["GET /dags/daily/dagRuns"] = []answer{{body: runs(b)}}
			out, o := sdktest.Run(t, wait, waitParams{source: actsOn(t, api, p).on(), Address: "daily/load", Since: "2026-11-21T12:00:00Z", pace: atOnce})
			if o.Err() != nil || out.Run.Session != c.want {
				t.Errorf("%s: %+v, %q %v", name, out, o.Code, o.Err())
			}
		}
	})
}

// TestWaitSinceTellsThatTheDAGIsGone: Airflow lists nothing of one.
func TestWaitSinceTellsThatTheDAGIsGone(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		none := answer{body: runs()}
		for name, list := range map[string]answer{"lists nothing": none, "answers 404": nothing} {
			p := sincePlay(t, api, []answer{none, list}, []answer{none, list})
			// It is asked for at the start, then for what is wrong, and then it is gone.
			p["GET /dags/daily/details"] = []answer{{body: dagIs(t, api, nil)}, {body: dagIs(t, api, nil)}, {body: dagIs(t, api, nil)}, nothing}
			p["GET /dags/daily"], p["GET /dags"] = []answer{nothing}, []answer{{body: `{"dags":[],"total_entries":0}`}}
			_, o := sdktest.Run(t, wait, waitParams{source: actsOn(t, api, p).on(), Address: "daily", Since: "24h", pace: atOnce})
			if o.Code != "dag_deleted" || o.State != sdktest.Permanent {
				t.Errorf("%s: %s %q %s", name, o.State, o.Code, o.Error)
			}
		}
	})
}

func TestSince(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 29, 12, 0, 30, 0, time.UTC) // 14:00:30 there; 02:00 to 03:00 was skipped
	for text, want := range map[string]string{
		"90m": "2026-03-29T10:30:30Z", "03:00": "2026-03-29T01:00:00Z", "02:30": "2026-03-29T01:30:00Z", "14:00": "2026-03-29T12:00:00Z",
		"15:00": "2026-03-28T14:00:00Z", "14:00:31": "2026-03-28T13:00:31Z", "today": "2026-03-28T23:00:00Z", "2026-03-30": "2026-03-29T22:00:00Z",
		"2026-03-28T03:00": "2026-03-28T02:00:00Z", "2026-03-28T03:00:00+09:00": "2026-03-27T18:00:00Z",
	} {
		s, err := parseSince(text)
		if got := s.in(berlin, now).UTC().Format(time.RFC3339); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-5m", "0s", "24:00", "latest", "noon", "manual__1", "2026-02-30"} {
		if s, err := parseSince(text); err == nil || !strings.Contains(err.Error(), "want a duration") {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
	}
}
