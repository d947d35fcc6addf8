package checker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/history"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
	"github.com/outrider-run/outrider/sdk/observe"
)

// nightly is a past of a daily run of half an hour, from a month before t0 on; change
// makes of some what they were.
func nightly(days int, change map[int]func(*observe.Run)) Past {
	p := Past{Source: "prod", From: t0, To: t0.AddDate(0, 0, days)}
	for i := -30; i < days; i++ {
		r := run(fmt.Sprint("r", i), float64(i*1440+60), 30, observe.Success)
		if f := change[i]; f != nil {
			f(&r)
		}
		p.Runs = append(p.Runs, r)
	}
	return p
}

func fired(r Replayed) string {
	var lines []string
	for _, f := range r.Fired {
		line := fmt.Sprintf("%s %s at %s", f.Rule, f.Address, f.At.Format("02 15:04"))
		if !f.Resolved.IsZero() {
			line += " until " + f.Resolved.Format("02 15:04")
		}
		if f.New {
			line += " new"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func TestBacktest(t *testing.T) {
	slow := func(r *observe.Run) { r.Ended = r.Created.Add(2 * time.Hour) }
	fails := func(r *observe.Run) { r.State = observe.Failed }
	p := nightly(10, map[int]func(*observe.Run){3: slow, 5: fails, -3: fails, -5: slow})
	r := Backtest(p, rules(t, ""), nil)
	expect(t, "the built-in rules", fired(r), "running prod:etl/daily@r3 at 05 03:00 until 05 03:00; failed prod:etl/daily@r5 at 07 01:30 until 08 01:30")
	if r.Runs != 10 || r.ByRule["running"] != 1 || r.ByWorkflow["prod:etl/daily"] != 2 || r.New != 0 {
		t.Errorf("%+v", r)
	}
	if !slices.Contains(r.Blind, rule.Late) || slices.Contains(r.Blind, rule.Running) || slices.Contains(r.Blind, rule.Task) {
		t.Errorf("blind for %v", r.Blind)
	}
	more := rules(t, "[{name: strict, kind: running, threshold: 20m, for: 3}, {name: morning, kind: deadline, by: '02:00'}]")
	r = Backtest(p, more, rules(t, ""))
	if r.ByRule["strict"] != 10 || r.ByRule["morning"] != 2 || r.ByRule["failed"] != 1 || r.New != 11 {
		t.Errorf("%v, %d new: %s", r.ByRule, r.New, fired(r))
	}
	for _, f := range r.Fired {
		if f.Rule == "strict" && f.New == (f.Address == "prod:etl/daily@r3") {
			t.Errorf("%+v: the built-in rule told of r3 alone", f)
		}
	}
	expect(t, "less", fired(Backtest(p, rules(t, "[{name: a, kind: running, off: true}, {name: b, kind: failed, failures: 2}]"), nil)), "")
}

func TestBacktestOfOverlapsAndGaps(t *testing.T) {
	p := nightly(4, map[int]func(*observe.Run){
		1: func(r *observe.Run) { r.Ended = r.Created.Add(25 * time.Hour) },
		3: func(r *observe.Run) { r.State = observe.Cancelled },
	})
	p.To = at(5 * 1440)
	r := Backtest(p, rules(t, "[{name: a, kind: running, off: true}, {name: two, kind: overlap}, {name: gap, kind: fresh, threshold: 26h}]"), nil)
	expect(t, "overlap and gap", fired(r), "gap prod:etl/daily at 03 04:00 until 04 01:30; two prod:etl/daily at 04 01:00 until 04 01:30; gap prod:etl/daily at 05 05:00")
}

func TestSuggest(t *testing.T) {
	p := nightly(0, nil)
	for i := range p.Runs {
		from := p.Runs[i].Created
		p.Runs[i].Tasks = []observe.Task{{Name: "+daily+[x]", State: observe.Success, Started: from, Ended: from.Add(10 * time.Minute)}}
	}
	odd := run("o", -9000, 5, observe.Success)
	odd.Workflow = "odd"
	s, _ := history.Fold(history.Source{}, observe.Snapshot{At: t0, Runs: append(p.Runs, odd)})
	all := Suggest("prod", s, func(*history.Workflow) bool { return true })
	var list []rule.Rule
	var texts []string
	for _, x := range all {
		list = append(list, x.Rule)
		texts = append(texts, fmt.Sprintf("%s %s %s", x.Rule.Name, x.Rule.Kind, x.Rule.Threshold))
		if x.Why == "" {
			t.Errorf("%s has no reason", x.Rule.Name)
		}
	}
	expect(t, "suggested", strings.Join(texts, "; "), "etl/daily-running running 45m; etl/daily-fresh fresh 1d1h; etl/daily-task+daily+[x] task 15m")
	set, err := rule.NewSet(list)
	if err != nil {
		t.Fatal(err)
	}
	if d := set.Decide(rule.Task, rule.Subject{Source: "prod", Project: "etl", Workflow: "daily", Task: "+daily+[x]"}, rule.Owner{}); len(d) != 1 {
		t.Errorf("%+v", d)
	}
	if d := set.Decide(rule.Task, rule.Subject{Source: "prod", Project: "etl", Workflow: "daily", Task: "+daily+x"}, rule.Owner{}); len(d) != 0 {
		t.Errorf("a name was taken for a pattern: %+v", d)
	}
	// What was suggested tells nothing of the past that it was made of.
	if r := Backtest(Past{Source: "prod", Runs: p.Runs, From: t0.AddDate(0, 0, -20), To: t0}, set, nil); len(r.Fired) > 0 {
		t.Errorf("%s", fired(r))
	}
	if none := Suggest("prod", s, func(*history.Workflow) bool { return false }); len(none) > 0 {
		t.Errorf("%+v", none)
	}
}

// BenchmarkBacktest replays 90 days of 20 hourly workflows.
func BenchmarkBacktest(b *testing.B) {
	p := Past{Source: "prod", From: t0, To: t0.AddDate(0, 0, 90)}
	for w := range 20 {
		for i := range 90 * 24 {
			r := run(fmt.Sprint(w, "-", i), float64(i*60), 20+float64(i%7), observe.Success)
			r.Workflow, r.Address = fmt.Sprint("w", w), fmt.Sprintf("etl/w%d@%d", w, i)
			p.Runs = append(p.Runs, r)
		}
	}
	set := rules(b, "[{name: morning, kind: deadline, by: '07:00'}]")
	for b.Loop() {
		Backtest(p, set, nil)
	}
}
