package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestObservePoolHolders: of a pool that is more than half taken its largest holders are
// told, without a request more, and of no other.
func TestObservePoolHolders(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		hogs, loads := s.run("hogs", "manual__1", nil), s.run("loads", "manual__2", nil)
		in := func(pool string, slots int) fields { return fields{"pool": pool, "pool_slots": slots} }
		s.task(hogs, "sum", "running", in("warehouse", 2))
		s.task(hogs, "sum", "queued", in("warehouse", 1).with(fields{"map_index": 1}))
		s.task(loads, "copy", "queued", in("warehouse", 1))
		s.task(loads, "waits", "scheduled", in("warehouse", 9)) // of Airflow's pools it holds nothing
		s.task(loads, "sleeps", "deferred", in("warehouse", 1))
		s.task(loads, "other", "running", in("default_pool", 60))
		pool := s.first("pools", "pools")
		serve := func(changes fields) {
			warehouse := pool.with(fields{"name": "warehouse", "slots": 4, "running_slots": 2, "queued_slots": 2, "occupied_slots": 4, "open_slots": 0}).with(changes)
			half := pool.with(fields{"running_slots": 64, "occupied_slots": 64, "open_slots": 64})
			s.instead["/pools"] = func(w http.ResponseWriter, _ *http.Request) {
				s.give(w, fields{"pools": []fields{half, warehouse}, "total_entries": 2})
			}
		}
		holders := func(blind string) (all []string) {
			t.Helper()
			out, requests := s.observe(fields{"deep": true})
			if requests > 12 || len(out.Blind) > 0 != (blind != "") || blind != "" && !strings.HasPrefix(out.Blind[0], blind) {
				t.Errorf("%d requests, blind %q", requests, out.Blind)
			}
			for _, x := range out.Signals {
				if x.Name == "pool_holder_slots" {
					all = append(all, x.Labels["pool"]+" "+x.Labels["dag"]+" "+x.Labels["task"]+" "+string(rune('0'+int(x.Value))))
				}
			}
			return all
		}
		serve(nil)
		if got := holders(""); !slices.Equal(got, []string{"warehouse hogs sum 3", "warehouse loads copy 1"}) {
			t.Errorf("%q", got)
		}
		serve(fields{"slots": 5, "occupied_slots": 5, "deferred_slots": 1, "include_deferred": true})
		if got := holders(""); !slices.Equal(got, []string{"warehouse hogs sum 3", "warehouse loads copy 1", "warehouse loads sleeps 1"}) {
			t.Errorf("with those that are deferred: %q", got)
		}
		serve(fields{"slots": 8, "open_slots": 4})
		if got := holders(""); len(got) > 0 {
			t.Errorf("of pools that are half open: %q", got)
		}
		serve(nil)
		s.instead["/dags/~/dagRuns/~/taskInstances"] = func(w http.ResponseWriter, _ *http.Request) { s.fail(w, 403, "dag-404") }
		if got := holders("task instances: not looked at: "); len(got) > 0 {
			t.Errorf("held by %q, and nobody could look", got)
		}
	})
}
