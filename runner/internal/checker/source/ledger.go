package source

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/finding"
	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// Engine is what a snapshot of the ledger names as its engine.
	Engine = finding.Ledger
	// ledgerLimit is how many ended runs a snapshot of it has at most.
	ledgerLimit = 5000
	// perName is how many runs of the past there are of a name.
	perName = 100
	// maxTail is how many bytes of a log's end are wanted.
	maxTail = 8 << 10
)

// Ledger is the source that a ledger is: a run of a component, of a command or of what
// --name calls it, is a run of the workflow of that name, in no project. A name that a
// run of it expects again (--expect) has a schedule. limit is how many ended runs it
// tells of at once, 0 for 5000.
//
// The first snapshot has the newest runs of each name since HistoryFrom; the next ones
// cost what has ended since, and what is open.
func Ledger(l *ledger.Ledger, limit int) Asker { return book{l, cmp.Or(limit, ledgerLimit)} }

type book struct {
	ledger *ledger.Ledger
	limit  int
}

func (b book) Ask(ctx context.Context, a Asked) (observe.Snapshot, error) {
	now := time.Now().UTC()
	// Who was killed cannot say so itself.
	if _, err := b.ledger.Reconcile(ctx); err != nil {
		return observe.Snapshot{}, fmt.Errorf("look for runs whose host is gone: %w", err)
	}
	// What ends after this is among the ended ones.
	open, err := b.ledger.List(ctx, ledger.Filter{States: []run.State{run.Waiting, run.Running}})
	if err != nil {
		return observe.Snapshot{}, err
	}
	c := readCursor(a.Cursor, now)
	s := observe.Snapshot{Engine: Engine, At: now, Health: []observe.Health{{Name: "ledger", OK: true}}}
	var ended []ledger.Run
	if c == nil {
		c = &cursor{Version: cursorVersion, Told: map[string]int64{}, Due: map[string]due{}}
		if ended, err = b.past(ctx, a); err != nil {
			return s, err
		}
		c.begin(ended, now)
	} else if ended, err = b.since(ctx, *c); err != nil {
		return s, err
	}
	if gone := c.unheard(open, ended); len(gone) > 0 {
		more, blind, err := b.get(ctx, gone)
		if err != nil {
			return s, err
		}
		s.Blind = blind
		for _, r := range more {
			if r.Ended() {
				ended = append(ended, r)
			} else { // it went from waiting to running meanwhile
				open = append(open, r)
			}
		}
		slices.SortStableFunc(ended, byEnd)
	}
	tell, cut := c.advance(open, ended, b.limit, now)
	s.Cut = cut
	for _, r := range tell {
		s.Runs = append(s.Runs, runOf(r, now))
	}
	if err := b.details(ctx, &s, a.Details); err != nil {
		return s, err
	}
	if cut {
		// What is due is told by the newest runs.
		s.Blind = append(s.Blind, "schedules: more runs have ended than are told of at once")
	} else {
		s.Schedules = c.schedules()
	}
	s.Signals = ledgerSignals(open)
	s.Cursor, err = json.Marshal(c)
	return s, err
}

// past are the newest ended runs of each name, so many of each as there is room for.
func (b book) past(ctx context.Context, a Asked) (all []ledger.Run, err error) {
	if a.HistoryFrom.IsZero() {
		return nil, nil
	}
	names, err := b.ledger.Names(ctx)
	if err != nil {
		return nil, err
	}
	most := max(1, min(perName, b.limit/max(1, len(names))))
	for _, name := range names {
		some, err := b.ledger.List(ctx, ledger.Filter{Component: name, Since: a.HistoryFrom, Limit: most})
		if err != nil {
			return nil, err
		}
		for _, r := range some {
			if r.Ended() {
				r.Output, r.Checkpoint = nil, nil
				all = append(all, r)
			}
		}
		if a.Progress != nil {
			a.Progress(float64(len(all)), "looking at the runs of "+name)
		}
	}
	slices.SortStableFunc(all, byEnd)
	return all, nil
}

func byEnd(a, b ledger.Run) int { return a.EndedAt.Compare(b.EndedAt) }

// since are the ended runs that were not told yet.
func (b book) since(ctx context.Context, c cursor) ([]ledger.Run, error) {
	ended, err := b.ledger.Ended(ctx, c.from(), b.limit+len(c.Told)+1)
	return slices.DeleteFunc(ended, func(r ledger.Run) bool { _, told := c.Told[r.ID]; return told }), err
}

// get are runs by their ids; blind tells of those that are not there.
func (b book) get(ctx context.Context, ids []string) (all []ledger.Run, blind []string, err error) {
	for _, id := range ids {
		r, err := b.ledger.Get(ctx, id)
		switch {
		case errors.Is(err, ledger.ErrNoRun):
			blind = append(blind, "run "+id+": it was open, and the ledger has it no more")
		case err != nil:
			return nil, nil, fmt.Errorf("look at run %s: %w", id, err)
		default:
			r.LogTail = ""
			all = append(all, r)
		}
	}
	return all, blind, nil
}

// details puts the log tails into the runs that are asked for.
func (b book) details(ctx context.Context, s *observe.Snapshot, ids []string) error {
	for _, id := range ids {
		r, err := b.ledger.Get(ctx, id)
		if errors.Is(err, ledger.ErrNoRun) {
			s.Blind = append(s.Blind, "run "+id+", asked for in details: the ledger has none")
			continue
		}
		if err != nil {
			return fmt.Errorf("look at run %s: %w", id, err)
		}
		i := slices.IndexFunc(s.Runs, func(o observe.Run) bool { return o.ID == id })
		if i < 0 {
			i = len(s.Runs)
			s.Runs = append(s.Runs, runOf(r, s.At))
		}
		s.Runs[i].LogTail = tail(r.LogTail)
	}
	return nil
}

// tail is the end of a log, in whole lines where there is more than is wanted.
func tail(log string) string {
	if len(log) <= maxTail {
		return log
	}
	log = log[len(log)-maxTail:]
	if _, rest, found := strings.Cut(log, "\n"); found {
		log = rest
	}
	return strings.ToValidUTF8(log, "")
}

// stateOf is a run's state in the words of what watches.
func stateOf(r ledger.Run) observe.State {
	switch r.State {
	case run.Waiting:
		return observe.Queued
	case run.Running:
		if r.Cancel != "" {
			return observe.Cancelling
		}
		return observe.Running
	case run.Success:
		return observe.Success
	case run.Skipped:
		return observe.Skipped
	case run.Cancelled:
		return observe.Cancelled
	}
	return observe.Failed // crashed, lost and timed out too
}

// runOf is a run as it is told. Times that a clock told which was ahead are now.
func runOf(r ledger.Run, now time.Time) observe.Run {
	o := observe.Run{
		ID: r.ID, Address: r.ID, Workflow: r.Component, Session: r.Key, Try: r.Caller.Try,
		State: stateOf(r), CancelAsked: r.Cancel != "",
		Created: earlier(r.AskedAt, now), Started: earlier(r.StartedAt, now), Ended: earlier(r.EndedAt, now),
		Revision: r.PluginVersion, Params: paramsOf(r), Labels: map[string]string{},
	}
	maps.Copy(o.Labels, r.Labels) // without any there are none, which nil would not say
	switch {
	case r.RerunOf != "":
		o.Trigger = "retry"
	case !r.NextDue.IsZero():
		o.Trigger = "schedule"
	}
	return o
}

// paramsOf makes an object of a command's argv too, whose change is then told.
func paramsOf(r ledger.Run) json.RawMessage {
	if !r.Command || len(r.Params) == 0 {
		return r.Params
	}
	return json.RawMessage(`{"argv":` + string(r.Params) + `}`)
}

func ledgerSignals(open []ledger.Run) []observe.Signal {
	by := map[run.State]int{}
	for _, r := range open {
		by[r.State]++
	}
	return []observe.Signal{
		{Name: "open_runs", Value: float64(len(open))},
		{Name: "waiting_runs", Value: float64(by[run.Waiting])},
	}
}
