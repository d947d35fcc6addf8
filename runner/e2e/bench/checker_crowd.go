package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/sdk/observe"
)

// What a pass looks at.
const (
	crowdWorkflows = 5_000
	crowdOpen      = 500
	crowdLong      = 10      // of those that are open, over their threshold
	crowdPast      = 100     // successes of each workflow: as many as are remembered
	crowdAtOnce    = 30_000  // runs of the past in a snapshot: a message of a plugin holds no more
	crowdLedger    = 200_000 // runs in the ledger
	crowdNames     = 50      // their names
	crowdPasses    = 100     // after which the state is to be as large as before
)

// crowd is a source with much on it, told by the stand-in, beside a ledger with much in it.
type crowd struct {
	checker
	began time.Time
	round int
	gone  []int // by slot, how many runs of it have ended
}

// crowded measures passes over much.
func (b *bench) crowded() ([]figure, error) {
	dir := filepath.Join(b.state, "crowd")
	c, err := b.newChecker("crowd", fmt.Sprintf(`
sources:
  crowd: {engine: stand, file: %[1]s/snapshot.json, watch: {limit: %[2]d}}
  ledger: {engine: outrider}
receivers: {log: {file: %[1]s/told.ndjson}}
routes: [{receiver: log}]
`, dir, crowdAtOnce))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "recording %d runs, and %d of %d workflows; this takes a minute\n", crowdLedger, crowdPast*crowdWorkflows, crowdWorkflows)
	at := store{"ledger", "sqlite:" + filepath.Join(dir, "ledger.db")}
	if err := b.fill(at, crowdLedger, crowdNames, time.Now().Add(-crowdLedger*every*time.Millisecond)); err != nil {
		return nil, err
	}
	w := &crowd{checker: c, began: time.Now().Add(-20 * time.Minute).UTC(), gone: make([]int, crowdOpen)}
	if err := w.learn(); err != nil {
		return nil, err
	}
	return w.measure()
}

// learn lets the checker learn the past, by passes.
func (w *crowd) learn() error {
	for from := 0; from < crowdWorkflows*crowdPast; from += crowdAtOnce {
		err := w.write(func(put func(observe.Run) error) error {
			for i := from; i < min(from+crowdAtOnce, crowdWorkflows*crowdPast); i++ {
				n := i / crowdWorkflows
				began := w.began.Add(-time.Duration(crowdPast-n) * 6 * time.Hour)
				r := w.run(i%crowdWorkflows, fmt.Sprintf("h%d", i), began)
				r.State, r.Ended = observe.Success, began.Add(time.Duration(30+i%7)*time.Minute)
				if err := put(r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		p, _, err := w.pass()
		if err != nil {
			return err
		}
		if _, _, _, err := p.of("crowd"); err != nil {
			return err
		}
	}
	return nil
}

// measure makes passes during which runs begin and end.
func (w *crowd) measure() ([]figure, error) {
	var cpu, peaks []float64
	var before, after int64
	for n := range crowdPasses + 10 {
		if err := w.next(); err != nil {
			return nil, err
		}
		p, process, err := w.pass()
		if err != nil {
			return nil, err
		}
		if err := w.check(p); err != nil {
			return nil, err
		}
		cpu = append(cpu, (process.UserTime() + process.SystemTime()).Seconds())
		peaks = append(peaks, peak(process))
		size, err := w.size()
		if err != nil {
			return nil, err
		}
		if n == 9 {
			before = size
		}
		after = size
	}
	return []figure{
		{
			what: fmt.Sprintf("pass over %d workflows, %d open; %d in the ledger", crowdWorkflows, crowdOpen, crowdLedger), target: 1, unit: "s", atMost: true,
			got: median(cpu), note: "of CPU, with its plugins'; median of " + fmt.Sprint(len(cpu)),
		},
		{what: "  its memory at its peak", target: 80, unit: "MB", atMost: true, got: median(peaks), note: fmt.Sprintf("median; the largest %.1f", slices.Max(peaks))},
		{
			what: fmt.Sprintf("  its state %d passes later", crowdPasses), target: 1.01, unit: "×", atMost: true,
			got: float64(after) / float64(before), note: fmt.Sprintf("%.1f MB against %.1f MB", float64(after)/mega, float64(before)/mega),
		},
	}, nil
}

// next lets a tenth of the runs end, and as many begin.
func (w *crowd) next() error {
	w.round++
	now := time.Now().UTC()
	return w.write(func(put func(observe.Run) error) error {
		for slot := range crowdOpen {
			r := w.run(slot, fmt.Sprintf("r%d-%d", slot, w.gone[slot]), w.began)
			r.State = observe.Running
			switch {
			case slot < crowdLong:
				r.Created, r.Started = w.began.Add(-2*time.Hour), w.began.Add(-2*time.Hour)
				r.LogTail = "waiting for the warehouse\n"
			case slot%10 == w.round%10:
				r.State, r.Ended = observe.Success, now
				if err := put(r); err != nil {
					return err
				}
				w.gone[slot]++
				r = w.run(slot, fmt.Sprintf("r%d-%d", slot, w.gone[slot]), now)
				r.State = observe.Running
			}
			if err := put(r); err != nil {
				return err
			}
		}
		return nil
	})
}

// run is one of a workflow's.
func (w *crowd) run(workflow int, id string, began time.Time) observe.Run {
	project, name := fmt.Sprintf("project%d", workflow%200), fmt.Sprintf("workflow%d", workflow)
	return observe.Run{
		ID: id, Address: project + "/" + name + "@" + id, Project: project, Workflow: name, Session: id, Try: 1, Time: began,
		Created: began, Started: began.Add(time.Second), Trigger: "schedule", Revision: "5f2b9e", Link: "http://127.0.0.1:65432/attempts/" + id,
	}
}

// write has the stand-in tell of these runs, and of every workflow's schedule. Little of
// it is in memory at once.
func (w *crowd) write(runs func(put func(observe.Run) error) error) (err error) {
	f, err := os.Create(filepath.Join(w.dir, "snapshot.json"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriter(f)
	fmt.Fprintf(out, `{"engine": "stand", "health": [], "signals": [], "requests": 1, "cursor": %d, "schedules": [`, w.round+1)
	next := w.began.Add(24 * time.Hour)
	comma := ""
	put := func(v any) error {
		raw, err := json.Marshal(v)
		_, _ = out.WriteString(comma)
		_, _ = out.Write(raw)
		comma = ","
		return err
	}
	for i := range crowdWorkflows {
		if err := put(observe.Schedule{
			ID: fmt.Sprint(i), Project: fmt.Sprintf("project%d", i%200), Workflow: fmt.Sprintf("workflow%d", i),
			NextRun: next.Add(time.Duration(i) * time.Second), NextSession: next, Expression: "0 2 * * *", Zone: "UTC",
		}); err != nil {
			return err
		}
	}
	_, _ = out.WriteString(`], "runs": [`)
	comma = ""
	if err := runs(func(r observe.Run) error { return put(r) }); err != nil {
		return err
	}
	_, _ = out.WriteString("]}")
	return out.Flush()
}

// check makes sure that the pass saw all.
func (w *crowd) check(p passed) error {
	workflows, open, _, err := p.of("crowd")
	if err != nil {
		return err
	}
	names, _, _, err := p.of("ledger")
	if err != nil {
		return err
	}
	if workflows != crowdWorkflows || open != crowdOpen || names != crowdNames || len(p.Alerts) != crowdLong {
		return fmt.Errorf("the pass saw %d workflows, %d open, %d names in the ledger and %d alerts: %+v", workflows, open, names, len(p.Alerts), p)
	}
	return nil
}

// size is how many bytes the state takes.
func (w *crowd) size() (n int64, err error) {
	files, err := os.ReadDir(w.dir)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), "checker.db") {
			st, err := f.Info()
			if err != nil {
				return 0, err
			}
			n += st.Size()
		}
	}
	return n, nil
}
