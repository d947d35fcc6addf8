package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// TestObserveGivesUp: a run that was open and that the server does not give by its id
// is told, and then no more: no pass fails of it.
func TestObserveGivesUp(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		s.run("etl", "a/b", nil)
		s.run("etl", "denied", nil)
		first, _ := s.observe(nil)
		s.runs = nil
		s.run("etl", "manual__1", nil)
		s.instead["/dags/etl/dagRuns/denied"] = func(w http.ResponseWriter, _ *http.Request) { s.fail(w, 403, "viewer-trigger") }
		out, _ := s.observe(fields{"cursor": first.Cursor})
		if len(out.Runs) != 1 || len(out.Blind) != 2 || !strings.HasPrefix(out.Blind[0], "run etl@a%2Fb: it was open, and is looked at no more: ") || !strings.Contains(out.Blind[0], "slash") || !strings.HasPrefix(out.Blind[1], "run etl@denied: ") {
			t.Errorf("%+v, blind %q", out.Runs, out.Blind)
		}
		if out, _ = s.observe(fields{"cursor": out.Cursor}); len(out.Runs) != 1 || len(out.Blind) != 0 {
			t.Errorf("%+v, blind %q", out.Runs, out.Blind)
		}
	})
}

// TestObserveReports: what a real server sent, as it is reported.
func TestObserveReports(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		open := s.run("etl", "scheduled__2026-11-21T23:00:00+00:00", fields{"run_type": "scheduled", "logical_date": "2026-11-21T23:00:00Z"})
		open["execution_date"] = open["logical_date"]
		queued := s.run("etl", "a b/c%", fields{"state": "queued", "start_date": nil, "run_type": map[int]string{1: "dataset_triggered", 2: "asset_triggered"}[s.api]})
		failed := s.run("etl", "manual__1", nil)
		s.end(failed, "failed", s.now.Add(-time.Hour))
		s.dag("etl", fields{"next_dagrun_create_after": stamp(s.now), "tags": []fields{{"name": "team:data"}, {"name": "nightly"}, {"name": "x"}, {"name": "outrider:threshold=usual*1.5"}, {"name": "outrider:off"}, {"name": "outrider:runbook=https://wiki/a=b"}}})
		s.dag("off", fields{"is_paused": true, "has_import_errors": true, "tags": []fields{}, "owners": []string{}})
		out, _ := s.observe(fields{"history_from": s.now.Add(-2 * time.Hour), "deep": true})
		if out.Engine != "airflow" || !out.At.Equal(s.now) && out.At.Sub(s.now).Abs() > 3*time.Second || len(out.Runs) != 3 {
			t.Fatalf("%+v", out)
		}
		byID := map[string]observe.Run{}
		for _, r := range out.Runs {
			byID[r.Session] = r
		}
		r := byID["scheduled__2026-11-21T23:00:00+00:00"]
		if r.ID != "etl@scheduled__2026-11-21T23:00:00+00:00" || r.Address != r.ID || r.State != observe.Running || r.Trigger != "schedule" || !r.Time.Equal(time.Date(2026, 11, 21, 23, 0, 0, 0, time.UTC)) || r.Started.IsZero() || r.Created.IsZero() || r.Created.After(r.Started) || !r.Ended.IsZero() || r.Params != nil || !strings.HasPrefix(r.Link, s.URL+"/dags/etl/") {
			t.Errorf("%+v", r)
		}
		if r = byID["a b/c%"]; r.ID != "etl@a b%2Fc%25" || r.State != observe.Queued || !r.Started.IsZero() || r.Created.IsZero() || r.Trigger != "dataset" || r.Labels == nil || queued["state"] != "queued" {
			t.Errorf("%+v", r)
		}
		if r = byID["manual__1"]; r.State != observe.Failed || !r.Ended.Equal(s.now.Add(-time.Hour)) || r.Trigger != "manual" {
			t.Errorf("%+v", r)
		}
		etl, off := out.Schedules[0], out.Schedules[1]
		if etl.ID != "etl" || etl.Off || etl.Expression != "* * * * *" || etl.NextRun.IsZero() || etl.NextSession.IsZero() || etl.MaxActive != 1 || etl.Broken != "" || etl.Labels["team"] != "data" || etl.Labels["tags"] != "nightly,x" ||
			etl.Labels[observe.LabelThreshold] != "usual*1.5" || etl.Labels[observe.LabelOff] != "true" || etl.Labels[observe.LabelRunbook] != "https://wiki/a=b" {
			t.Errorf("%+v", etl)
		}
		if off.Labels == nil || len(off.Labels) > 0 {
			t.Errorf("labels %v, want them known to be none", off.Labels)
		}
		if !off.Off || off.Broken != "its file has an import error, and this is what it was before" {
			t.Errorf("%+v", off)
		}
		want := map[string]float64{"open_runs": 2, "queued_runs": 1, "dags": 2, "paused_dags": 1, "broken_dags": 1, "import_errors": 1, "import_error": 1, "pool_slots": 128, "dags_at_max_active_runs": 1, "overdue_dags": 0}
		for _, x := range out.Signals {
			if v, ok := want[x.Name]; ok {
				if delete(want, x.Name); x.Value != v {
					t.Errorf("%s is %v, want %v", x.Name, x.Value, v)
				}
			}
			if x.Name == "import_error" && (!strings.HasSuffix(x.Labels["file"], "broken.py") || x.Labels["error"] != "ModuleNotFoundError: No module named 'does_not_exist_xyz'") {
				t.Errorf("%+v", x)
			}
		}
		if len(want) > 0 {
			t.Errorf("there is no %v", want)
		}
	})
}

// TestObserveDetails: tasks, and what the one that failed first said in the end.
func TestObserveDetails(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		r := s.run("etl", "manual__1", nil)
		s.task(r, "extract", "success", nil)
		s.task(r, "load", "failed", fields{"try_number": 2, "map_index": 3})
		s.task(r, "notify", "", nil)
		s.logs["load[3] 2"] = "copying\nno such table\n"
		_, without := s.observe(nil)
		out, requests := s.observe(fields{"details": []string{"etl@manual__1", "etl@manual__1"}})
		run := out.Runs[0]
		if requests != without+2 || len(run.Tasks) != 3 || run.LogTail != "copying\nno such table" {
			t.Errorf("%d requests, %d without: %+v", requests, without, run)
		}
		for i, want := range []observe.Task{{Name: "extract", State: observe.Success, Tries: 1}, {Name: "load[3]", State: observe.Failed, Tries: 2}, {Name: "notify", State: observe.Queued, Word: "none"}} {
			if got := run.Tasks[i]; got.Name != want.Name || got.State != want.State || want.Tries > 0 && got.Tries != want.Tries || want.Word != "" && got.Word != want.Word {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
		// One that has ended long ago, and one that there is not.
		old := s.run("etl", "manual__0", nil)
		s.end(old, "success", s.now.Add(-time.Hour))
		s.instead["/dags/etl/dagRuns/none"] = func(w http.ResponseWriter, _ *http.Request) { s.fail(w, 404, "dagrun-404") }
		out, _ = s.observe(fields{"details": []string{"etl@manual__0", "etl@none"}})
		if len(out.Runs) != 2 || out.Runs[1].ID != "etl@manual__0" || out.Runs[1].State != observe.Success || !slices.Equal(out.Blind, []string{"run etl@none, asked for in details: the server has none"}) {
			t.Errorf("%+v, %q", out.Runs, out.Blind)
		}
	})
}

// TestObserveHealth: by what Airflow says, and by the age of the heartbeat on the
// server's clock, which may not be ours.
func TestObserveHealth(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		part := func(name string) (observe.Health, bool) {
			s.t.Helper()
			out, _ := s.observe(nil)
			at := slices.IndexFunc(out.Health, func(h observe.Health) bool { return h.Name == name })
			if at < 0 {
				return observe.Health{}, false
			}
			return out.Health[at], true
		}
		if h, _ := part("scheduler"); !h.OK || h.Note != "" || h.Heartbeat.IsZero() {
			t.Errorf("%+v", h)
		}
		if h, _ := part("database"); !h.OK {
			t.Errorf("%+v", h)
		}
		if _, ok := part("triggerer"); ok {
			t.Error("there is a triggerer that never ran")
		}
		if _, ok := part("dag_processor"); ok != (s.api == 2) {
			t.Errorf("a DAG processor: %v", ok)
		}
		s.now = s.now.Add(-24 * time.Hour)
		s.beats(5 * time.Second)
		if h, _ := part("scheduler"); !h.OK {
			t.Errorf("with another clock: %+v", h)
		}
		s.beats(3 * time.Minute)
		if h, _ := part("scheduler"); h.OK || !strings.HasPrefix(h.Note, "its last heartbeat was 3 minutes before") {
			t.Errorf("with an old heartbeat: %+v", h)
		}
		s.beats(time.Second)
		s.health["scheduler"].(map[string]any)["status"] = "unhealthy"
		if h, _ := part("scheduler"); h.OK || !strings.HasPrefix(h.Note, "Airflow says unhealthy") {
			t.Errorf("unhealthy: %+v", h)
		}
		s.health["metadatabase"].(map[string]any)["status"] = "unhealthy"
		if h, _ := part("database"); h.OK || h.Note != "Airflow says unhealthy" {
			t.Errorf("unhealthy: %+v", h)
		}
		s.health["dag_processor"] = map[string]any{"status": nil, "latest_dag_processor_heartbeat": nil}
		if h, ok := part("dag_processor"); ok != (s.api == 2) || h.OK || ok && h.Note != "none ever ran" {
			t.Errorf("no DAG processor: %+v", h)
		}
	})
}

// TestObserveLate: a DAG whose time has passed is late only without an open run, and
// the scheduler's health says so.
func TestObserveLate(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		next := map[int]string{1: "next_dagrun_create_after", 2: "next_dagrun_run_after"}[s.api]
		for id, paused := range map[string]bool{"busy": false, "late": false, "off": true} {
			s.dag(id, fields{next: stamp(s.now.Add(-10 * time.Minute)), "is_paused": paused})
		}
		s.dag("soon", fields{next: stamp(s.now.Add(-4 * time.Minute))})
		s.dag("none", fields{next: nil})
		s.run("busy", "manual__1", nil)
		out, _ := s.observe(nil)
		at := slices.IndexFunc(out.Signals, func(x observe.Signal) bool { return x.Name == "overdue_dags" })
		if at < 0 || out.Signals[at].Value != 1 {
			t.Errorf("%+v", out.Signals)
		}
		for _, h := range out.Health {
			if h.Name == "scheduler" && (!h.OK || !strings.HasPrefix(h.Note, "1 DAG(s) let their time pass and have no open run; late was to run at ")) {
				t.Errorf("%+v", h)
			}
		}
	})
}

// TestObserveBlind: what the server does not show is told part by part, and the cursor
// stays where runs were not seen.
func TestObserveBlind(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		deep := []string{"runs", "import errors", "dags", "pools", "task instances", "jobs"}
		if s.api == 1 {
			deep = deep[:5]
		}
		s.dag("etl", nil)
		s.run("etl", "manual__1", nil)
		first, _ := s.observe(nil)
		parts := func(params fields) (names []string, out observe.Snapshot, requests int) {
			s.t.Helper()
			out, requests = s.observe(params.with(fields{"deep": true, "cursor": first.Cursor}))
			for _, b := range out.Blind {
				name, _, _ := strings.Cut(b, ": ")
				names = append(names, name)
			}
			return names, out, requests
		}
		names, out, _ := parts(fields{"user": "", "password": ""})
		if !slices.Equal(names, deep) || string(out.Cursor) != string(first.Cursor) || len(out.Runs)+len(out.Schedules) > 0 || len(out.Health) < 3 {
			t.Errorf("without a login: %q, %+v", out.Blind, out)
		}
		forbidden := func(w http.ResponseWriter, _ *http.Request) { s.fail(w, 403, "viewer-trigger") }
		for path, want := range map[string]string{"/importErrors": "import errors", "/pools": "pools", "/dags": "dags", "/dags/~/dagRuns": "runs", "/dags/~/dagRuns/~/taskInstances": "task instances"} {
			s.instead[path] = forbidden
			names, out, _ := parts(fields{})
			if delete(s.instead, path); !slices.Equal(names, []string{want}) || !strings.Contains(out.Blind[0], "not looked at: ") {
				t.Errorf("403 of %s: %q", path, out.Blind)
			}
			if same := string(out.Cursor) == string(first.Cursor); same != (want == "runs") {
				t.Errorf("403 of %s: the cursor is the same: %v", path, same)
			}
		}
	})
}

// TestObserveWithoutAToken: a token command that fails is not run for each part, and
// what needs no login is seen.
func TestObserveWithoutAToken(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		s.dag("etl", nil)
		s.run("etl", "manual__1", nil)
		first, _ := s.observe(nil)
		count := filepath.Join(t.TempDir(), "count")
		out, _ := s.observe(fields{"user": "", "password": "", "deep": true, "cursor": first.Cursor, "token_command": []string{"sh", "-c", `echo x >>"$1"; exit 3`, "sh", count}})
		if len(out.Blind) < 5 || !strings.Contains(out.Blind[0], "runs: not looked at: the open ones: the token command sh failed") || string(out.Cursor) != string(first.Cursor) {
			t.Errorf("%q", out.Blind)
		}
		if len(out.Health) < 3 || slices.ContainsFunc(out.Health, func(h observe.Health) bool { return !h.OK }) {
			t.Errorf("%+v", out.Health)
		}
		if runs, err := os.ReadFile(count); err != nil || len(runs)/2 > 4 { // the version and the health are asked for with one, too
			t.Errorf("%d runs, %v", len(runs)/2, err)
		}
	})
}

// TestObserveFaults: what the list of runs answers, and what becomes of the pass.
func TestObserveFaults(t *testing.T) {
	gives := func(status int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	slow := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "3600")
		gives(429, "text/plain", "slow down")(w, r)
	}
	onBoth(t, func(t *testing.T, s *lookServer) {
		s.run("etl", "manual__1", nil)
		first, _ := s.observe(nil)
		for _, c := range []struct {
			name, path, code string
			serve            http.HandlerFunc
			state            sdktest.State
		}{
			{"429", "/dags/~/dagRuns", "rate_limited", slow, sdktest.Failed},
			{"404", "/dags/~/dagRuns", "not_found", gives(404, "application/json", `{"detail":"Not Found"}`), sdktest.Permanent},
			{"empty", "/dags/~/dagRuns", "bad_answer", gives(200, "application/json", ""), sdktest.Permanent},
			{"not JSON", "/dags/~/dagRuns", "bad_answer", gives(200, "application/json", "{nope"), sdktest.Permanent},
			{"of another", "/dags/~/dagRuns", "bad_answer", gives(200, "application/json", `{"items":[]}`), sdktest.Permanent},
			{"200 HTML", "/dags/~/dagRuns", "not_airflow", gives(200, "text/html", "<html>hi</html>"), sdktest.Permanent},
			{"200 HTML of the dags", "/dags", "not_airflow", gives(200, "text/html", "<html>hi</html>"), sdktest.Permanent},
			{"500 HTML", "/dags/~/dagRuns", "", gives(500, "text/html", "<html>oh</html>"), sdktest.Success},
			{"503", "/dags/~/dagRuns", "", gives(503, "", ""), sdktest.Success},
			{"503 of the dags", "/dags", "", gives(503, "", ""), sdktest.Success},
		} {
			s.instead[c.path] = c.serve
			var out observe.Snapshot
			o := s.see(observeComponent(), fields{"cursor": first.Cursor}, &out)
			delete(s.instead, c.path)
			if o.State != c.state || o.Code != c.code {
				t.Errorf("%s: %s, code %q: %s", c.name, o.State, o.Code, o.Error)
			}
			if c.name == "429" && o.RetryAfter.Hours() != 1 {
				t.Errorf("again after %s", o.RetryAfter)
			}
			if c.state != sdktest.Success {
				continue
			}
			sick := slices.ContainsFunc(out.Health, func(h observe.Health) bool { return h.Name == "database" && !h.OK })
			if ofRuns := c.path != "/dags"; len(out.Blind) != 1 || sick != ofRuns || ofRuns != (len(out.Runs) == 0) || ofRuns != (string(out.Cursor) == string(first.Cursor)) {
				t.Errorf("%s: blind %q, %+v", c.name, out.Blind, out.Health)
			}
		}
	})
}

func TestObserveAnotherEndpoint(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		s.run("etl", "manual__1", nil)
		var out observe.Snapshot
		o := s.see(observeComponent(), fields{"endpoint": []string{"http://127.0.0.1:1", s.URL}}, &out)
		if o.Err() != nil || len(out.Runs) != 1 {
			t.Fatalf("%v, %+v", o.Err(), out.Runs)
		}
		if want := (observe.Health{Name: "endpoint http://127.0.0.1:1", Note: "it failed, and " + s.URL + " was asked"}); !slices.Contains(out.Health, want) {
			t.Errorf("%+v", out.Health)
		}
	})
}

func TestObserveRefuses(t *testing.T) {
	t.Setenv("OUTRIDER_AIRFLOW_ENDPOINT", "")
	onBoth(t, func(t *testing.T, s *lookServer) {
		for name, c := range map[string]struct {
			params   fields
			contains string
		}{
			"no id":       {fields{"details": []string{"etl"}}, `details: "etl" is no run's id; ids are DAG@RUN`},
			"a task":      {fields{"details": []string{"etl@x/t"}}, `details: "etl@x/t" is no run's id`},
			"no cursor":   {fields{"cursor": "1"}, "cursor: it is not one that airflow.observe returned; leave it out to begin anew"},
			"another's":   {fields{"cursor": fields{"high": 3}}, "cursor: it is of version 0, and this is 1"},
			"no URL":      {fields{"endpoint": "ftp://x"}, "endpoint"},
			"no limit":    {fields{"limit": 0}, "limit"},
			"no endpoint": {fields{"endpoint": ""}, "which Airflow?"},
		} {
			var out observe.Snapshot
			if o := s.see(observeComponent(), c.params, &out); o.State != sdktest.Permanent || !strings.Contains(o.Error, c.contains) {
				t.Errorf("%s: %s: %s", name, o.State, o.Error)
			}
		}
		if len(s.asked) != 0 {
			t.Errorf("asked %v", s.asked)
		}
	})
}

// TestObserveEnds: cancelled while the server does not answer.
func TestObserveEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		ctx, cancel := context.WithCancel(t.Context())
		s.instead["/dags/~/dagRuns"] = func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		}
		var out observe.Snapshot
		if o := s.see(observeComponent(), nil, &out, sdktest.Context(ctx)); o.State != sdktest.Cancelled {
			t.Errorf("%s: %s", o.State, o.Error)
		}
	})
}

// TestLooksConform: what looks keeps to what every component has to.
func TestLooksConform(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		r := s.run("etl", "manual__1", nil)
		s.task(r, "load", "failed", nil)
		s.logs["load 1"] = "no such table\n"
		s.end(r, "failed", s.now)
		s.dag("etl", nil)
		login := `"endpoint": "` + s.URL + `", "user": "u", "password": "correct horse", "secret_headers": {"X-Key": "battery staple"}`
		sdktest.Conform(t, observeComponent(), sdktest.Case{Params: `{` + login + `, "deep": true, "details": ["etl@manual__1"]}`})
		sdktest.Conform(t, statusComponent(), sdktest.Case{Params: `{` + login + `, "address": "etl"}`})
		sdktest.Conform(t, logsComponent(), sdktest.Case{Params: `{` + login + `, "address": "etl", "stream": true}`})
	})
}
