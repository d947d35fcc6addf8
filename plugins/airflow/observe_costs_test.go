package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestObserveCosts counts requests: with 200 DAGs and 50 open runs no more than 7, and
// deep 12.
func TestObserveCosts(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		for i := range 200 {
			s.dag(fmt.Sprintf("dag%03d", i), nil)
		}
		for i := range 50 {
			r := s.run(fmt.Sprintf("dag%03d", i), "manual__1", nil)
			s.task(r, "t", "running", nil)
		}
		first, requests := s.observe(nil)
		if requests > 7 || len(first.Runs) != 50 || len(first.Schedules) != 200 || len(first.Blind) != 0 {
			t.Errorf("%d requests, %d runs, %d schedules, blind %q", requests, len(first.Runs), len(first.Schedules), first.Blind)
		}
		deep, requests := s.observe(fields{"deep": true, "cursor": first.Cursor})
		if requests > 12 || len(deep.Blind) != 0 {
			t.Errorf("deep: %d requests, blind %q", requests, deep.Blind)
		}
		// Each run more in 90 is a request: pages have rows in common.
		for i := range 60 {
			s.run("dag000", fmt.Sprintf("manual__%d", i+2), nil)
		}
		if more, again := s.observe(fields{"cursor": first.Cursor}); again != 8 || len(more.Runs) != 110 {
			t.Errorf("%d requests, %d runs", again, len(more.Runs))
		}
	})
}

// TestObserveCostsOfStale: of the DAGs that Airflow ever knew only those are looked for whose
// file has an import error, with one request.
func TestObserveCostsOfStale(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		gone := fields{"is_stale": true, "is_active": false, "fileloc": "/dags/gone.py", "relative_fileloc": "gone.py"}
		for i := range 200 {
			s.dag(fmt.Sprintf("dag%03d", i), nil)
		}
		_, without := s.observe(nil)
		file := s.first("import-errors", "import_errors")["filename"]
		s.dags = append([]fields{s.dag("broken", gone.with(fields{"has_import_errors": true, "fileloc": file, "relative_fileloc": file}))}, s.dags[:200]...)
		out, few := s.observe(fields{"deep": true})
		if len(out.Blind) > 0 {
			t.Errorf("blind %q", out.Blind)
		}
		for i := range 1500 {
			s.dag(fmt.Sprintf("old%04d", i), gone)
		}
		out, requests := s.observe(fields{"deep": true})
		if requests > 12 || requests != few || without > 7 {
			t.Errorf("%d requests, %d with no stale ones, %d not deep", requests, few, without)
		}
		if len(out.Schedules) != 201 || out.Schedules[0].ID != "broken" || !strings.Contains(out.Schedules[0].Broken, "does_not_exist_xyz") {
			t.Errorf("%d schedules: %+v", len(out.Schedules), out.Schedules[0])
		}
		// Airflow 2 cannot pick them.
		var blind []string
		if s.api == 1 {
			blind = []string{"dags of broken files: 1500 that are in no file any more were not looked at; some may be of a file with an import error"}
		}
		if !slices.Equal(out.Blind, blind) {
			t.Errorf("blind %q", out.Blind)
		}
	})
}
