package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// daily is the schedule 2 of demo/daily, as a server shows it.
func scheduleScript(t *testing.T, shown string) script {
	daily := strings.Replace(workflow("daily", "60"), `"+a"`, `"schedule":{"daily>":"07:00:00"},"+a"`, 1)
	return script{
		"GET /api/projects":                            {{body: demo}},
		"GET /api/projects/1/workflows":                {{body: `{"workflows":[` + daily + `]}`}},
		"GET /api/projects/1/schedules":                {{body: `{"schedules":[` + sample(t, shown) + `]}`}},
		"GET /api/schedules":                           {{body: sample(t, "schedules")}},
		"GET /api/workflows":                           {{body: `{"workflows":[` + daily + `]}`}},
		"POST /api/schedules/2/disable":                {{body: sample(t, "schedule_disable")}},
		"POST /api/schedules/2/enable":                 {{body: sample(t, "schedule_enable")}},
		"POST /api/schedules/2/backfill":               {{body: sample(t, "schedule_backfill")}},
		"GET /api/workflows/60/truncated_session_time": {{body: with(t, "workflow_truncated", map[string]any{"sessionTime": "2026-11-25T00:00:00+09:00"})}},
		"POST /api/schedules/2/skip":                   {{body: with(t, "schedule_skip", map[string]any{"id": "2", "nextScheduleTime": "2026-11-25T00:00:00+09:00", "nextRunTime": "2026-11-24T22:00:00Z"})}},
	}
}

func scheduleRun(t *testing.T, d *digdagServer, params string, options ...sdktest.Option) (scheduleOutput, sdktest.Outcome) {
	t.Helper()
	o := sdktest.RunJSON(t, scheduleComponent(), `{"endpoint":"`+d.URL+`",`+params+`}`, options...)
	var out scheduleOutput
	if o.Err() == nil {
		if err := o.Decode(&out); err != nil {
			t.Fatal(err)
		}
	}
	return out, o
}

func TestScheduleLists(t *testing.T) {
	out, o := scheduleRun(t, serveScript(t, scheduleScript(t, "schedule")), `"address":"d*/d*"`)
	if o.Err() != nil || len(out.Schedules) != 1 {
		t.Fatalf("%+v, %v", out, o.Err())
	}
	s := out.Schedules[0]
	if s.Schedule.Expression != "daily>: 07:00:00" || s.Schedule.Zone != "Asia/Tokyo" || s.Schedule.Off || s.Address != "demo/daily" || s.Schedule.NextRun.Format(time.RFC3339) != "2026-11-22T22:00:00Z" {
		t.Errorf("%+v", s)
	}
	ended := strings.NewReplacer("2026-11-22T22:00:00Z", "9999-01-01T00:00:00Z").Replace(sample(t, "schedule"))
	sc := scheduleScript(t, "schedule")
	sc["GET /api/projects/1/schedules"] = []reply{{body: `{"schedules":[` + ended + `]}`}}
	out, o = scheduleRun(t, serveScript(t, sc), `"address":"demo/daily","action":"next"`)
	if o.Err() != nil || !out.Schedules[0].Schedule.NextRun.IsZero() || out.Schedules[0].Next != nil {
		t.Errorf("one that is over: %+v, %v", out, o.Err())
	}
	out, o = scheduleRun(t, serveScript(t, scheduleScript(t, "schedule")), `"address":"demo/daily","action":"next","count":3`)
	if o.Err() != nil || len(out.Schedules[0].Next) != 2 { // the server of this test knows no later one
		t.Errorf("%+v, %v", out, o.Err())
	}
}

// TestScheduleChanges: what it asks for, and that what was so already is unchanged.
func TestScheduleChanges(t *testing.T) {
	for name, c := range map[string]struct {
		shown, params  string
		asks, contains string // a request, and a part of its body
		unchanged      bool
	}{
		"disable":            {"schedule", `"action":"disable"`, "disable", "", false},
		"disable, dry":       {"schedule", `"action":"disable","dry_run":true`, "", "", false},
		"disable a disabled": {"schedule_disabled", `"action":"disable"`, "", "", true},
		"enable":             {"schedule_disabled", `"action":"enable"`, "enable", `"skipSchedule":false`, false},
		"enable, dry":        {"schedule_disabled", `"action":"enable","dry_run":true`, "", "", false},
		"enable an enabled":  {"schedule", `"action":"enable"`, "", "", true},
		"skip to":            {"schedule", `"action":"skip","to":"2026-11-25"`, "skip", `"nextTime":"2026-11-24T15:00:00Z"`, false},
		"skip to the past":   {"schedule", `"action":"skip","to":"2026-11-22T00:00:00Z"`, "", "", true},
		"backfill":           {"schedule", `"action":"backfill","from":"2026-11-11T00:00:00+09:00","count":3`, "backfill", `"count":3`, false},
		"backfill, dry":      {"schedule", `"action":"backfill","from":"2026-11-11T00:00:00+09:00","dry_run":true`, "backfill", `"dryRun":true`, false},
	} {
		d := serveScript(t, scheduleScript(t, c.shown))
		out, o := scheduleRun(t, d, `"address":"demo/daily",`+c.params)
		if o.Err() != nil || o.Unchanged != c.unchanged || (out.Changed == 1) == c.unchanged {
			t.Errorf("%s: %+v, %v, unchanged %v", name, out, o.Err(), o.Unchanged)
			continue
		}
		var posts []asked
		for _, verb := range []string{"disable", "enable", "skip", "backfill"} {
			posts = append(posts, d.requests("POST /api/schedules/2/"+verb)...)
		}
		if c.asks == "" && len(posts) > 0 || c.asks != "" && (len(posts) != 1 || !strings.HasSuffix(posts[0].request, c.asks) || !strings.Contains(posts[0].body, c.contains)) {
			t.Errorf("%s: asked %+v", name, posts)
		}
		if c.asks == "backfill" {
			if a := out.Schedules[0].Attempts; len(a) != 3 || strings.Contains(c.params, "dry") && a[0].ID != "" {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
}

// TestScheduleSkipsACountOnce: a count becomes a time, which a retry of the run takes
// from its checkpoint.
func TestScheduleSkipsACountOnce(t *testing.T) {
	d := serveScript(t, scheduleScript(t, "schedule"))
	_, o := scheduleRun(t, d, `"address":"demo/daily","action":"skip","count":2`)
	posts := d.requests("POST /api/schedules/2/skip")
	if o.Err() != nil || len(posts) != 2 || !strings.Contains(posts[0].body, `"dryRun":true`) || strings.Contains(posts[1].body, "count") || !strings.Contains(posts[1].body, `"nextTime":"2026-11-24T15:00:00Z"`) || len(o.Checkpoints) != 1 {
		t.Fatalf("%v, %+v", o.Err(), posts)
	}
	later := strings.Replace(sample(t, "schedule"), "2026-11-23T00:00:00+09:00", "2026-11-25T00:00:00+09:00", 1)
	s := scheduleScript(t, "schedule")
	s["GET /api/projects/1/schedules"] = []reply{{body: `{"schedules":[` + later + `]}`}}
	d = serveScript(t, s)
	if _, o := scheduleRun(t, d, `"address":"demo/daily","action":"skip","count":2`, sdktest.Restore(json.RawMessage(o.Checkpoints[0]))); o.Err() != nil || !o.Unchanged || len(d.requests("POST /api/schedules/2/skip")) != 0 {
		t.Errorf("%v, unchanged %v, %+v", o.Err(), o.Unchanged, d.asked)
	}
}

// TestScheduleBackfillsOnce: the name is the run's, so that a conflict is its own doing.
func TestScheduleBackfillsOnce(t *testing.T) {
	d := serveScript(t, scheduleScript(t, "schedule"))
	const params = `"address":"demo/daily","action":"backfill","from":"2026-11-11T00:00:00+09:00"`
	if _, o := scheduleRun(t, d, params, sdktest.Key("k")); o.Err() != nil {
		t.Fatal(o.Err())
	}
	var sent struct{ AttemptName string }
	if err := json.Unmarshal([]byte(d.requests("POST /api/schedules/2/backfill")[0].body), &sent); err != nil {
		t.Fatal(err)
	}
	s := scheduleScript(t, "schedule")
	s["POST /api/schedules/2/backfill"] = []reply{{status: 409, body: `{"message":"Attempt of project id=1 workflow=daily already exists","status":409}`}}
	s["GET /api/attempts"] = []reply{{body: `{"attempts":[` + attemptOf(t, "30", map[string]any{"retryAttemptName": sent.AttemptName}) + `,` + attemptOf(t, "29", nil) + `]}`}}
	out, o := scheduleRun(t, serveScript(t, s), params, sdktest.Key("k"))
	if o.Err() != nil || !o.Unchanged || len(out.Schedules[0].Attempts) != 1 || out.Schedules[0].Attempts[0].ID != "30" {
		t.Errorf("%+v, %v", out, o.Err())
	}
	// A name that somebody gave is another matter.
	if _, o := scheduleRun(t, serveScript(t, s), params+`,"name":"bf1"`); o.Code != "conflict" {
		t.Errorf("%q %s", o.Code, o.Error)
	}
}

func TestScheduleRefuses(t *testing.T) {
	none := scheduleScript(t, "schedule")
	none["GET /api/projects/1/schedules"] = []reply{{body: `{"schedules":[]}`}}
	d := serveScript(t, none)
	for params, want := range map[string]string{
		`"address":"demo/daily"`:                     "no_schedule",
		`"address":"demo/daily@today"`:               "bad_address",
		`"address":"demo/[a"`:                        "bad_address",
		`"action":"skip","count":1`:                  "bad_params",
		`"action":"skip","address":"demo/daily"`:     "bad_params",
		`"action":"backfill","address":"demo/daily"`: "bad_params",
		`"action":"list","from":"today"`:             "bad_params",
		`"action":"disable","skip_missed":true`:      "bad_params",
		`"action":"enable","to":"2026-11-25"`:        "bad_params",
	} {
		if _, o := scheduleRun(t, d, params); o.Code != want || o.State != sdktest.Permanent {
			t.Errorf("%s: %s %q %s", params, o.State, o.Code, o.Error)
		}
	}
	if _, o := scheduleRun(t, serveScript(t, scheduleScript(t, "schedule")), `"action":"skip","address":"demo/daily","to":"soon"`); o.Code != "bad_time" {
		t.Errorf("%q %s", o.Code, o.Error)
	}
}

func TestScheduleConforms(t *testing.T) {
	d := serveScript(t, scheduleScript(t, "schedule"))
	sdktest.Conform(t, scheduleComponent(),
		sdktest.Case{Params: `{"endpoint":"` + d.URL + `","user":"me","password":"correct horse"}`},
		sdktest.Case{Params: `{"endpoint":"` + d.URL + `","address":"demo/daily","action":"disable","secret_headers":{"x-key":"correct horse"}}`})
}
