package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// seen is a run that airflow.status shows.
func (s *lookServer) status(address string) (out statusOutput) {
	s.t.Helper()
	if o := s.see(statusComponent(), fields{"address": address}, &out); o.Err() != nil {
		s.t.Fatal(o.Err())
	}
	return out
}

// TestStatusWarns says why nothing may go on.
func TestStatusWarns(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		r := s.run("etl", "manual__1", fields{"state": "queued", "start_date": nil})
		d := s.dag("etl", nil)
		warned := func(want ...string) {
			t.Helper()
			out := s.status("etl")
			if len(out.Warnings) != len(want) || len(out.Blind) > 0 || out.Failed == nil {
				t.Fatalf("%q, blind %q", out.Warnings, out.Blind)
			}
			for i := range want {
				if !strings.Contains(out.Warnings[i], want[i]) {
					t.Errorf("%q, want %q", out.Warnings[i], want[i])
				}
			}
		}
		warned()
		d["is_paused"] = true
		warned("DAG etl is paused: no run and no task of it starts until it is unpaused")
		if !s.status("etl").Paused {
			t.Error("it is not paused")
		}
		d["is_paused"], d["has_import_errors"] = false, true
		for _, name := range []string{"fileloc", "relative_fileloc"} { // as the import error has it
			if d[name] != nil {
				d[name] = s.first("import-errors", "import_errors")["filename"]
			}
		}
		warned("broken.py: ModuleNotFoundError: No module named 'does_not_exist_xyz'")
		d["has_import_errors"], d["is_stale"], d["is_active"] = false, true, false
		warned("broken.py: ModuleNotFoundError: No module named 'does_not_exist_xyz'")
		d["fileloc"], d["relative_fileloc"] = "/dags/gone.py", "gone.py"
		warned("DAG etl is in no file any more")
		d["is_stale"], d["is_active"] = false, true
		s.beats(10 * time.Minute)
		parts := []string{"Airflow's scheduler is not well: its last heartbeat was 10 minutes before the server's time; nothing starts without it"}
		if s.api == 2 {
			parts = append(parts, "Airflow's dag_processor is not well")
		}
		warned(parts...)
		// What has ended waits for nobody.
		s.end(r, "success", s.now)
		warned()
	})
}

// TestStatusTries: of what was tried more than once, each try.
func TestStatusTries(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		r := s.run("etl", "manual__1", nil)
		s.dag("etl", nil)
		s.task(r, "extract", "success", nil)
		s.task(r, "load", "running", fields{"try_number": 2, "start_date": stamp(s.now.Add(-time.Minute))})
		s.task(r, "check", "failed", fields{"try_number": 3, "start_date": stamp(s.now.Add(-time.Hour)), "end_date": stamp(s.now.Add(-time.Hour + 90*time.Second))})
		s.logs["check 3"] = "no such table\n"
		out := s.status("etl@manual__1")
		var got []string
		for _, one := range out.Tries {
			got = append(got, fmt.Sprint(one.Task, " ", one.Try, " ", one.Word))
		}
		if want := []string{"check 1 failed", "check 2 failed", "check 3 failed", "load 1 running", "load 2 running"}; !slices.Equal(got, want) || out.Tries[2].Took != 90 {
			t.Errorf("%q, %+v", got, out.Tries)
		}
		if len(out.Failed) != 1 || out.Failed[0].Name != "check" || out.Failed[0].Tries != 3 || out.LogTail != "no such table" || out.Tasks[1].Name != "check" {
			t.Errorf("%+v", out)
		}
	})
}

// TestStatusFits: very many long names and texts are cut to what fits, of which what
// failed comes first.
func TestStatusFits(t *testing.T) {
	var out statusOutput
	long := strings.Repeat("x", 200)
	for i := range 5000 {
		task := observe.Task{Name: fmt.Sprintf("%s[%d]", long, i), State: observe.Success, Word: "success"}
		switch {
		case i%100 == 7:
			task.State, task.Word = observe.Failed, "failed"
			out.Failed = append(out.Failed, task)
		case i%100 == 8:
			task.State, task.Word = observe.Running, "running"
		}
		out.Tasks = append(out.Tasks, task)
		out.Tries = append(out.Tries, statusTry{Task: long, Try: i})
	}
	out.LogTail = strings.Repeat(long+"\n", 500)
	out.Warnings, out.Blind = []string{strings.Repeat("w", 1<<20)}, []string{strings.Repeat("b", 1<<20)}
	got := fitted(out)
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if len(raw) > mostStatus || len(raw) < mostStatus*8/10 {
		t.Errorf("%d bytes", len(raw))
	}
	failed, open := 0, 0
	for _, x := range got.Tasks {
		switch x.State {
		case observe.Failed:
			failed++
		case observe.Running:
			open++
		}
	}
	if failed != 50 || open == 0 || len(got.Failed) != 50 || len(got.Blind) != 3 || got.LogTail == "" {
		t.Errorf("%d failed, %d open, %d in failed, %q", failed, open, len(got.Failed), got.Blind[1:])
	}
	for i, x := range got.Tasks[1:] {
		if taskNumber(x.Name) <= taskNumber(got.Tasks[i].Name) {
			t.Fatal("out of order")
		}
	}
}

func taskNumber(name string) (n int) {
	_, _ = fmt.Sscanf(name[strings.IndexByte(name, '['):], "[%d]", &n)
	return n
}

// TestStatusRefuses what is not there, with what is near.
func TestStatusRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		s.dag("etl_daily", nil)
		for address, want := range map[string]string{"etl_dayly": "near: etl_daily", "etl_daily": "etl_daily has no run", "": "address", "etl daily": "no DAG's id"} {
			var out statusOutput
			if o := s.see(statusComponent(), fields{"address": address}, &out); o.State != sdktest.Permanent || !strings.Contains(o.Error, want) {
				t.Errorf("%q: %s, %s", address, o.State, o.Error)
			}
		}
	})
}
