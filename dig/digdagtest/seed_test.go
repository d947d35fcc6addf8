package digdagtest

import (
	"fmt"
	"testing"
)

// A long history is there as if it had run.
func TestSeed(t *testing.T) {
	s := onOwn(t, nil)
	sessions := 2000
	if s.Real {
		sessions = 30 // it runs them
	}
	project := s.Push(Files{"a.dig": "+x: {echo>: x}\n", "b.dig": "schedule: {daily>: '07:00:00'}\n+x: {echo>: x}\n+g: {+y: {echo>: y}}\n"})
	if err := s.Seed(s.Context(), sessions); err != nil {
		t.Fatal(err)
	}
	a := s.Start(project, "b")
	s.Wait(a.ID)
	seen, last := 0, ""
	for {
		var page struct{ Attempts []Attempt }
		if err := s.Get(s.Context(), "/api/attempts?include_retried=true"+last, &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Attempts) == 0 {
			break
		}
		for _, x := range page.Attempts {
			if !x.Done || !x.Success || x.FinishedAt == nil || x.Index != 1 {
				t.Errorf("%+v", x)
			}
			seen++
		}
		last = "&last_id=" + page.Attempts[len(page.Attempts)-1].ID
	}
	if seen != sessions+1 || a.ID != fmt.Sprint(sessions+1) {
		t.Errorf("%d attempts are there, and the last is %s; want %d", seen, a.ID, sessions+1)
	}
	r := s.Result(must2(t)(s.Attempt(s.Context(), "2")))
	for _, x := range r.Tasks {
		if x.State != "success" || x.IsGroup != (x.StartedAt == nil) {
			t.Errorf("%+v", x)
		}
	}
	if !s.Real { // it outlives a restart
		if err := s.Kill9(); err != nil {
			t.Fatal(err)
		}
		if err := s.Restart(s.Context()); err != nil {
			t.Fatal(err)
		}
		if again := must2(t)(s.Attempt(s.Context(), a.ID)); !again.Success {
			t.Errorf("%+v", again)
		}
	}
}

// BenchmarkList is a page of the newest attempts on a long history.
func BenchmarkList(b *testing.B) {
	for _, sessions := range []int{2000, 20000} {
		b.Run(fmt.Sprint(sessions), func(b *testing.B) {
			double, err := shared.double()
			if err != nil {
				b.Fatal(err)
			}
			b.Setenv("OUTRIDER_TEST_DIGDAG", "double")
			server, err := Start(b.Context(), Options{Dir: b.TempDir(), Double: double})
			if err != nil {
				b.Fatal(err)
			}
			defer server.Stop()
			s := server.For(b)
			s.Push(Files{"a.dig": "+x: {echo>: x}\n", "b.dig": "+x: {echo>: x}\n"})
			if err := s.Seed(s.Context(), sessions); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := s.Get(s.Context(), "/api/attempts?include_retried=true", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
