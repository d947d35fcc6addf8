package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestObserveKeepsToItsRequests: no look sends more than it may. What they do not suffice for
// is blind, and the looks after it tell each end once.
func TestObserveKeepsToItsRequests(t *testing.T) {
	onBoth(t, func(t *testing.T, s *lookServer) {
		for i := range 350 {
			s.dag(fmt.Sprintf("dag%03d", i), nil)
		}
		open := s.run("dag000", "open", nil)
		for i := range 650 {
			s.end(s.run("dag001", fmt.Sprintf("manual__%d", i), nil), "success", s.now.Add(-time.Hour+time.Duration(i)*time.Second))
		}
		for most := 4; most <= 14; most++ {
			ask := fields{"requests": most, "deep": true, "history_from": s.now.Add(-2 * time.Hour), "details": []string{"dag000@open"}}
			ended := map[string]int{}
			blind := strings.Builder{}
			for range 12 {
				out, requests := s.observe(ask)
				if requests > most {
					t.Errorf("%d requests, may be %d", requests, most)
				}
				for _, r := range out.Runs {
					if r.State.Ended() {
						ended[r.ID]++
					}
				}
				for _, h := range out.Health {
					if h.Name == "database" && !h.OK {
						t.Errorf("%d: %+v", most, h)
					}
				}
				if out.Cursor != nil {
					ask["cursor"] = out.Cursor
				}
				blind.WriteString(strings.Join(out.Blind, "\n"))
			}
			for id, times := range ended {
				if times != 1 {
					t.Errorf("%d: the end of %s was told %d times", most, id, times)
				}
			}
			if !strings.Contains(blind.String(), "a higher requests ") || most >= 8 && len(ended) != 650 {
				t.Errorf("%d: %d ends, blind %s", most, len(ended), blind.String())
			}
		}
		if open["state"] != "running" {
			t.Error("it was to be open")
		}
	})
}
