package main

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestObserveKeepsToItsRequests: no look sends more than it may. What they do not suffice for
// is blind, and the looks after it tell each end once, and what is open.
func TestObserveKeepsToItsRequests(t *testing.T) {
	for most := 4; most <= 9; most++ {
		t.Run(strconv.Itoa(most), func(t *testing.T) {
			s := serve(t)
			s.schedules = 120
			for range 20 { // old ones that are open, far from one another
				s.start(1)
				s.run(120)
			}
			s.attempts.now = s.attempts.now.Add(time.Second)
			ask := fields{"requests": most, "history_from": s.attempts.now.Add(-time.Hour)}
			ended := map[string]int{}
			blind := 0
			look := func() (cut bool) {
				t.Helper()
				before := len(s.asked)
				out, o := s.see(t, ask)
				if o.Err() != nil {
					t.Fatal(o.Err())
				}
				if sent := len(s.asked) - before; sent > most || sent != out.Requests {
					t.Errorf("%d requests, told as %d, may be %d: %v", sent, out.Requests, most, s.asked[before:])
				}
				for _, r := range out.Runs {
					if r.State.Ended() {
						ended[r.ID]++
					} else {
						ended[r.ID] += 0
					}
				}
				blind += len(out.Blind)
				ask["cursor"] = out.Cursor
				return out.Cut
			}
			for i := 0; look(); i++ {
				if i > 40 {
					t.Fatal("no look is the last")
				}
			}
			s.run(730) // while nobody looks
			for i := 0; look(); i++ {
				if i > 40 {
					t.Fatal("no look is the last")
				}
			}
			if len(ended) != 20*121+730 || blind == 0 {
				t.Errorf("%d attempts, %d times blind", len(ended), blind)
			}
			for id, times := range ended {
				n, err := strconv.Atoi(id)
				if err != nil {
					t.Fatal(err)
				}
				if open := n <= 20*121 && n%121 == 1; times > 1 || times == 0 != open {
					t.Errorf("the end of %s was told %d times", id, times)
				}
			}
		})
	}
}

// TestObserveWithTooFewRequests: where tries use them up, nothing is told, and nothing lost.
func TestObserveWithTooFewRequests(t *testing.T) {
	s := serve(t)
	s.start(1)
	out := s.must(t, 1+1+1, nil)
	s.instead["/api/attempts"] = answer(503, "text/plain", "no")
	before := len(s.asked)
	got, o := s.see(t, fields{"cursor": out.Cursor, "requests": 4})
	if o.Err() != nil || len(s.asked)-before != 4 || fmt.Sprint(got.Cursor) != fmt.Sprint(out.Cursor) || len(got.Runs) > 0 || len(got.Health) != 1 {
		t.Fatalf("%v, %d requests, %+v", o.Err(), len(s.asked)-before, got)
	}
	for i, begin := range []string{"runs: ", "schedules: not looked at"} {
		if !strings.HasPrefix(got.Blind[i], begin) {
			t.Errorf("blind %q", got.Blind)
		}
	}
	if !strings.Contains(got.Blind[0], "4 requests are sent, and no more may be (requests)") {
		t.Errorf("blind %q", got.Blind)
	}
}
