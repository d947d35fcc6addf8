package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/runner/internal/checker/threshold"
	"github.com/outrider-run/outrider/runner/internal/db"
	"github.com/outrider-run/outrider/runner/internal/db/dbtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	workflows = 5000
	openRuns  = 500
	perFlow   = 40 // successes of each: 200,000 in all
)

// manyAt is what a source with many workflows says at a minute: of the open runs some
// have ended.
func manyAt(minute float64, ended int) checker.Report {
	s := observe.Snapshot{Engine: "digdag", At: at(minute)}
	for i := range workflows {
		s.Schedules = append(s.Schedules, observe.Schedule{ID: fmt.Sprint(i), Project: fmt.Sprint("p", i%200), Workflow: fmt.Sprint("w", i), NextRun: at(float64(60 * i))})
	}
	for i := range openRuns {
		r := runOf(i, fmt.Sprint("o", i), -float64(i), 0)
		r.State = observe.Running
		if i < ended {
			r.State, r.Ended = observe.Success, s.At
		}
		s.Runs = append(s.Runs, r)
	}
	return checker.Report{Source: "prod", Snapshot: s}
}

func runOf(i int, id string, from, minutes float64) observe.Run {
	r := observe.Run{
		ID: id, Project: fmt.Sprint("p", i%200), Workflow: fmt.Sprint("w", i), Session: "s" + id, Try: 1,
		State: observe.Success, Time: at(from), Created: at(from), Ended: at(from + minutes), Link: "http://digdag:65432/attempts/" + id,
	}
	r.Address = r.Project + "/" + r.Workflow + "@" + id
	return r
}

func manyRules(t testing.TB) checker.Config {
	t.Helper()
	c := checker.Config{Rules: ruleSet(t)}
	c.Policy.Routes = []alert.Route{{Receiver: "slack", Repeat: threshold.Duration(time.Hour)}}
	return c
}

// fill makes the store hold many workflows with their histories.
func fill(t testing.TB, s *Store) {
	t.Helper()
	past := observe.Snapshot{Engine: "digdag", At: at(-1)}
	for i := range workflows {
		for n := range perFlow {
			past.Runs = append(past.Runs, runOf(i, fmt.Sprint("h", i, "-", n), float64(-60000+n*1440+i%60), 30+float64(n%7)))
		}
	}
	for i, report := range []checker.Report{{Source: "prod", Snapshot: past}, manyAt(1, 0)} {
		if _, err := onePass(t.Context(), s, manyRules(t), report, at(float64(i))); err != nil {
			t.Fatal(err)
		}
	}
}

// onePass loads, passes and commits.
func onePass(ctx context.Context, s *Store, c checker.Config, report checker.Report, now time.Time) (r checker.Result, err error) {
	turn, ok, err := s.Begin(ctx, time.Minute)
	if err != nil || !ok {
		return r, errors.Join(err, errors.New("it is another's turn"))
	}
	defer func() { err = errors.Join(err, turn.End(ctx)) }()
	l, err := s.Load(ctx)
	if err != nil {
		return r, err
	}
	r = checker.Pass(l.State, []checker.Report{report}, c, now)
	return r, s.Commit(ctx, turn, Passed{
		Before: l.State, Result: r, Events: r.Events, At: now,
		Cursors: map[string]json.RawMessage{"prod": json.RawMessage(`{"high":1}`)},
	})
}

// BenchmarkPass is a pass over 5,000 workflows and 500 open runs, of which 100 end: all
// of it, and its parts that are the store's.
func BenchmarkPass(b *testing.B) {
	for _, kind := range []struct {
		name db.Kind
		url  func(testing.TB) string
	}{{db.SQLite, dbtest.SQLite}, {db.Postgres, dbtest.Postgres}} {
		s := open(b, kind.url(b))
		fill(b, s)
		b.Run(string(kind.name)+"/load", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if l, err := s.Load(b.Context()); err != nil || len(l.State.Sources["prod"].Workflows) != workflows {
					b.Fatal(err)
				}
			}
		})
		b.Run(string(kind.name)+"/commit", func(b *testing.B) {
			b.ReportAllocs()
			turn, _, err := s.Begin(b.Context(), time.Hour)
			if err != nil {
				b.Fatal(err)
			}
			l, err := s.Load(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			r := checker.Pass(l.State, []checker.Report{manyAt(2, 100)}, manyRules(b), at(2))
			for b.Loop() {
				p := Passed{Before: l.State, Result: r, At: at(2), Cursors: map[string]json.RawMessage{"prod": json.RawMessage(`{"high":1}`)}}
				if err := s.Commit(b.Context(), turn, p); err != nil {
					b.Fatal(err)
				}
			}
			if err := turn.End(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkProcess is such a pass by a process of its own, with its start: what it takes
// of the CPU, and of memory at most.
func BenchmarkProcess(b *testing.B) {
	for _, kind := range []struct {
		name db.Kind
		url  func(testing.TB) string
	}{{db.SQLite, dbtest.SQLite}, {db.Postgres, dbtest.Postgres}} {
		url := kind.url(b)
		s := open(b, url)
		fill(b, s)
		b.Run(string(kind.name), func(b *testing.B) {
			var cpu time.Duration
			var peak int64
			for b.Loop() {
				p := start(b, "pass", url)
				var kilobytes int64
				if _, err := fmt.Sscanf(p.line(b), "VmHWM: %d kB", &kilobytes); err != nil {
					b.Fatal(err)
				}
				peak = max(peak, kilobytes)
				if err := p.Wait(); err != nil {
					b.Fatal(err)
				}
				cpu += p.ProcessState.SystemTime() + p.ProcessState.UserTime()
			}
			b.ReportMetric(float64(cpu.Milliseconds())/float64(b.N), "cpu-ms/op")
			b.ReportMetric(float64(peak)/1024, "peak-MB")
		})
	}
}

// childPass makes one such pass and prints how much memory it had at most, which rusage
// does not know: it counts the parent in. URL.
func childPass(args []string) error {
	ctx := context.Background()
	s, err := Open(ctx, args[0])
	if err != nil {
		return err
	}
	rules, err := rule.NewSet(nil)
	if err != nil {
		return err
	}
	if _, err := onePass(ctx, s, checker.Config{Rules: rules}, manyAt(2, 100), at(2)); err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Print(line)
		}
	}
	return s.Close()
}
