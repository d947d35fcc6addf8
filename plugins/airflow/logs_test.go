package main

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// textsOf are the lines of a task, or of all.
func textsOf(out logsOutput, task string) (all []string) {
	for _, l := range out.Lines {
		if l.Task == task || task == "" {
			all = append(all, l.Text)
		}
	}
	return all
}

// TestLogsFollow: a log grows and is cut short in between, the server has trouble, the
// task is tried again: each line is told once.
func TestLogsFollow(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		r := s.run("etl", "manual__1", nil)
		load := s.task(r, "load", "queued", fields{"try_number": 1})
		steps := []func(){
			func() {},
			func() { load["state"] = "running" }, // and there is no log yet
			func() { s.logs["load 1"] = "one\n" },
			func() { s.logs["load 1"] = "one\ntwo\n" },
			func() { s.logs["load 1"] = "one\n" },
			func() { s.logs["load 1"], load["state"] = "one\ntwo\nthree\n", "up_for_retry" },
			func() { load["state"], load["try_number"] = "queued", 2 },
			func() { load["state"], s.logs["load 2"] = "running", "again\n" },
			func() { s.logs["load 2"], load["state"] = "again\ndone\n", "success"; s.end(r, "success", s.now) },
		}
		trouble := 0
		at := "/dags/etl/dagRuns/manual__1"
		s.instead[at] = func(w http.ResponseWriter, _ *http.Request) {
			if trouble++; trouble%4 == 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			if len(steps) > 0 {
				steps[0]()
				steps = steps[1:]
			}
			s.give(w, r)
		}
		var out logsOutput
		o := s.see(logsComponent(), fields{"address": "etl@manual__1", "follow": true, "every": "1s", "request_timeout": "2s"}, &out)
		if o.Err() != nil {
			t.Fatal(o.Err())
		}
		want := []string{"one", "two", "three", "again", "done"}
		if got := textsOf(out, "load"); !slices.Equal(got, want) || out.Count != 5 || out.Note != "" {
			t.Errorf("%q, %q", got, out.Note)
		}
		var told []string
		for _, l := range o.Logs {
			if l.Fields["task"] == "load" {
				told = append(told, l.Message)
			}
		}
		if !slices.Equal(told, want) {
			t.Errorf("told %q", told)
		}
		if len(out.Tries) != 2 || !out.Tries[0].Whole || !out.Tries[1].Whole || out.Tries[1].Try != 2 || out.Tries[1].Lines != 2 {
			t.Errorf("%+v", out.Tries)
		}
	})
}

// TestLogsOf what an address and try name.
func TestLogsOf(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		s.dag("etl", nil)
		r := s.run("etl", "manual__1", nil)
		s.task(r, "load", "failed", fields{"try_number": 2, "map_index": 0})
		s.task(r, "load", "success", fields{"map_index": 1})
		s.task(r, "check", "", nil)
		s.end(r, "failed", s.now)
		s.logs["load[0] 1"], s.logs["load[0] 2"], s.logs["load[1] 1"] = "a\nb\n", "c\n", "d\n"
		for _, c := range []struct {
			address string
			try     int
			want    string
		}{
			{"etl", 0, "a b c d"},
			{"etl/load", 0, "a b c d"},
			{"etl/load[0]", 0, "a b c"},
			{"etl/load[0]", 2, "c"},
			{"etl/load[1]", 0, "d"},
			{"etl/check", 0, ""},
		} {
			var out logsOutput
			if o := s.see(logsComponent(), fields{"address": c.address, "try": c.try}, &out); o.Err() != nil {
				t.Fatal(o.Err())
			}
			got := textsOf(out, "")
			slices.Sort(got)
			if text := strings.Join(got, " "); text != c.want || (c.want == "") != (out.Note == "no task of it began") {
				t.Errorf("%s, try %d: %q, %q", c.address, c.try, text, out.Note)
			}
		}
		for _, c := range []struct {
			address string
			try     int
			want    string
		}{
			{"etl/loadd", 0, "near: load"},
			{"etl/load[2]", 0, "it has [0] to [1]"},
			{"etl/load[0]", 3, "there is no try 3, they go up to 2"},
			{"etl@none", 0, `no run "none"`},
		} {
			var out logsOutput
			if o := s.see(logsComponent(), fields{"address": c.address, "try": c.try}, &out); o.State != sdktest.Permanent || o.Code != "not_found" || !strings.Contains(o.Error, c.want) {
				t.Errorf("%s, try %d: %s, %q, %s", c.address, c.try, o.State, o.Code, o.Error)
			}
		}
	})
}

// TestLogsUnread: what cannot be read stops nothing else.
func TestLogsUnread(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		r := s.run("etl", "manual__1", nil)
		s.task(r, "lost", "failed", nil)
		s.task(r, "denied", "failed", nil)
		s.task(r, "down", "failed", nil)
		s.task(r, "load", "success", nil)
		s.end(r, "failed", s.now)
		s.logs["load 1"] = "a\nb\nc\n"
		s.instead["/dags/etl/dagRuns/manual__1/taskInstances/down/logs/1"] = func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
		}
		s.instead["/dags/etl/dagRuns/manual__1/taskInstances/denied/logs/1"] = func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"detail": "no"}`)
		}
		for _, follow := range []bool{false, true} {
			var out logsOutput
			if o := s.see(logsComponent(), fields{"address": "etl", "lines": 2, "follow": follow, "every": "1s", "outage": "1s"}, &out); o.Err() != nil {
				t.Fatal(o.Err())
			}
			if got := textsOf(out, "load"); !slices.Equal(got, []string{"b", "c"}) || !out.Cut || out.Count != 3 || out.Note != "3 log(s) could not be read: error in tries says why" {
				t.Errorf("%q, %q", got, out.Note)
			}
			for _, one := range out.Tries {
				if (one.Error == "") != (one.Task == "load") || !one.Whole {
					t.Errorf("%+v", one)
				}
			}
		}
	})
}

// TestLogsRecover: while one log cannot be got, the others are followed; what it said
// is told once it can.
func TestLogsRecover(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		r := s.run("etl", "manual__1", nil)
		s.task(r, "load", "success", nil)
		s.task(r, "check", "success", nil)
		s.end(r, "success", s.now)
		s.logs["load 1"], s.logs["check 1"] = "a\n", "b\n"
		path, asked := "/dags/etl/dagRuns/manual__1/taskInstances/load/logs/1", 0
		s.instead[path] = func(w http.ResponseWriter, _ *http.Request) {
			if asked++; asked == 5 { // more often than the client asks in a look
				delete(s.instead, path)
			}
			w.WriteHeader(http.StatusBadGateway)
		}
		var out logsOutput
		if o := s.see(logsComponent(), fields{"address": "etl", "follow": true, "every": "1s", "outage": "0s"}, &out); o.Err() != nil {
			t.Fatal(o.Err())
		}
		if got := textsOf(out, ""); !slices.Equal(got, []string{"b", "a"}) || out.Note != "" {
			t.Errorf("%q, %q", got, out.Note)
		}
	})
}

// TestLogsResumed: a sensor that reschedules itself, or whose trigger has fired, is
// before a start again, and still in its try.
func TestLogsResumed(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		r := s.run("etl", "manual__1", nil)
		s.dag("etl", nil)
		began, looked := s.now.Add(-time.Minute), s.now.Add(-time.Second)
		s.task(r, "sensor", "scheduled", fields{"try_number": 1, "start_date": stamp(began)})["end_date"] = stamp(looked)
		s.task(r, "fired", "queued", fields{"try_number": 2, "start_date": stamp(began)})
		s.task(r, "again", "queued", fields{"try_number": 2, "start_date": stamp(began)})["end_date"] = stamp(looked)
		s.task(r, "first", "queued", fields{"try_number": 1, "start_date": nil})
		s.logs["sensor 1"], s.logs["fired 1"], s.logs["fired 2"], s.logs["again 1"] = "s1\n", "f1\n", "f2\n", "a1\n"
		var out logsOutput
		if o := s.see(logsComponent(), fields{"address": "etl"}, &out); o.Err() != nil {
			t.Fatal(o.Err())
		}
		got := textsOf(out, "")
		if slices.Sort(got); !slices.Equal(got, []string{"a1", "f1", "f2", "s1"}) {
			t.Errorf("%q", got)
		}
		for _, one := range out.Tries {
			if goesOn := one.Task == "sensor" || one.Task == "fired" && one.Try == 2; one.Whole == goesOn || one.Started.Equal(began) != goesOn {
				t.Errorf("%+v", one)
			}
		}
		seen := s.status("etl@manual__1")
		tries := map[string]int{"sensor": 1, "fired": 2, "again": 1, "first": 0}
		for _, x := range seen.Tasks {
			if goesOn := x.Name == "sensor" || x.Name == "fired"; x.Tries != tries[x.Name] || x.State != observe.Queued || x.Started.Equal(began) != goesOn || !x.Ended.IsZero() {
				t.Errorf("%+v", x)
			}
		}
		if len(seen.Tasks) != 4 || seen.LogTail == "" {
			t.Errorf("%+v", seen)
		}
		s.end(r, "failed", s.now)
		for _, x := range s.status("etl@manual__1").Tasks {
			if x.State != observe.Skipped {
				t.Errorf("the run has ended: %+v", x)
			}
		}
	})
}

// TestTail: what Airflow puts around a task's words, and the frames of its own in a
// traceback, are left out.
func TestTail(t *testing.T) {
	var lines []client.LogLine
	for line := range strings.Lines(`host1
::group::Log message source details
*** Found local files:
***   * /logs/attempt=1.log
::endgroup::
::group::Pre task execution logs
no such table
::endgroup::
Traceback (most recent call last):
  File "/opt/venv/lib/python3.12/site-packages/airflow/models/taskinstance.py", line 1, in run
    raise AirflowException(
    ^^^^^^
  File "/opt/airflow/dags/etl.py", line 9, in load
    load()
airflow.exceptions.AirflowException: Bash command failed
`) {
		lines = append(lines, client.LogLine{Text: strings.TrimSuffix(line, "\n")})
	}
	want := `no such table
Traceback (most recent call last):
  File "/opt/airflow/dags/etl.py", line 9, in load
    load()
airflow.exceptions.AirflowException: Bash command failed`
	if got := tail(lines); got != want {
		t.Errorf("%s", got)
	}
	for range 100 {
		lines = append(lines, client.LogLine{Text: strings.Repeat("é", mostLine)})
	}
	if got := strings.Split(tail(lines), "\n"); len(got) != tailLines || len(got[0]) > mostLine+8 {
		t.Errorf("%d lines", len(got))
	}
}
