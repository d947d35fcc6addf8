package watch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker"
	"github.com/outrider-run/outrider/runner/internal/checker/source"
	"github.com/outrider-run/outrider/runner/internal/checker/store"
	"github.com/outrider-run/outrider/runner/internal/db"
)

// pass is one pass on its way.
type pass struct {
	*Watcher
	Setup
	at    time.Time
	store *store.Store
	turn  *store.Turn
	// stopping is a context that ends soon after the checker is to stop.
	stopping func() (context.Context, func())

	mu    sync.Mutex
	notes []string
}

func (p *pass) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.notice(text)
	p.Say("%s", text)
}

// notice notes what was said already.
func (p *pass) notice(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, text)
}

// underTurn makes the pass if no other is under way.
func (p *pass) underTurn(ctx context.Context) (Summary, error) {
	var err error
	if p.store, err = p.Store(ctx); err != nil {
		return Summary{Exit: ExitUnknown}, err
	}
	p.endLate(ctx)
	turn, ok, err := p.store.Begin(ctx, p.ttl())
	if err != nil {
		return Summary{Exit: ExitUnknown}, fmt.Errorf("begin a pass: %w", err)
	}
	if !ok {
		return p.finished(ctx)
	}
	p.turn = turn
	held, release := p.hold(ctx)
	defer release()
	s, err := p.make(held)
	if err != nil && (errors.Is(err, store.ErrTurnLost) || errors.Is(context.Cause(held), store.ErrTurnLost)) {
		// Another checker is at work: nothing is unwatched.
		return p.finished(ctx)
	}
	if err == nil && p.wake == nil {
		s = p.settle(held, s)
	}
	return s, err
}

// finished is what the last finished pass came to, unknown where it is too old.
func (p *pass) finished(ctx context.Context) (Summary, error) {
	s := Summary{Exit: ExitUnknown}
	last, known, err := p.store.Last(ctx)
	if err != nil {
		return s, fmt.Errorf("ask for the last pass: %w", err)
	}
	if !known {
		p.note("another pass is under way, the first one: nothing is known yet")
		s.Notes = p.notes
		return s, nil
	}
	if err := json.Unmarshal(last.Summary, &s); err != nil {
		return Summary{Exit: ExitUnknown}, fmt.Errorf("read the last pass: %w", err)
	}
	if p.at.Sub(last.At).Abs() > 2*s.interval(p.interval()) {
		p.note("another pass is under way, and the last one that ended is of %s: too long ago", last.At.UTC().Format(time.RFC3339))
		s.Exit = ExitUnknown
	} else {
		p.note("another pass is under way; this is what the last one found at %s", last.At.UTC().Format(time.RFC3339))
	}
	s.Notes = p.notes
	return s, nil
}

// interval is the time from pass to pass. What watch was told goes before the settings.
func (p *pass) interval() time.Duration { return cmp.Or(p.every, p.Settings.Interval, time.Minute) }

// hold renews the turn until the pass is over; the context ends where it is lost.
func (p *pass) hold(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(p.ttl() / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if err := p.turn.Renew(ctx); errors.Is(err, store.ErrTurnLost) {
					cancel(err)
				}
			}
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
		late, end := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer end()
		if err := p.turn.End(late); err != nil && !errors.Is(err, store.ErrTurnLost) {
			p.late = p.turn
		}
	}
}

// endLate gives up the turn of a pass that could not: the database was gone.
func (p *pass) endLate(ctx context.Context) {
	if p.late == nil {
		return
	}
	if err := p.late.End(ctx); err == nil || errors.Is(err, store.ErrTurnLost) {
		p.late = nil
	}
}

// make asks, judges, stores, acts, tells, and says how it went.
func (p *pass) make(ctx context.Context) (Summary, error) {
	unknown := Summary{Exit: ExitUnknown}
	loaded, config, answers, err := p.ask(ctx)
	switch {
	case ctx.Err() != nil:
		return unknown, fmt.Errorf("%w: %w", ErrStopped, context.Cause(ctx))
	case err != nil:
		return unknown, err
	}
	for _, n := range loaded.Notes {
		p.note("%s", n)
	}
	reports := make([]checker.Report, len(answers))
	for i, a := range answers {
		reports[i] = a.Report
	}
	result := checker.Pass(loaded.State, reports, config, p.at)
	for _, n := range result.Notes {
		p.note("%s", n)
	}
	passed := store.Passed{Before: loaded.State, Result: result, Cursors: cursors(answers), At: p.at}
	passed.Events = append(baseline(result, config.Policy, p.at), result.Events...)
	if err := p.commit(ctx, passed); err != nil {
		return unknown, fmt.Errorf("store the pass: %w", err)
	}
	p.Inbox.Stored()
	s := summarize(p.at, answers, result.State)
	if err := s.incomplete(); err != nil {
		p.note("%v", err)
	} else {
		p.pulse.lives()
	}
	s.Told, s.Waiting = p.tell(ctx, result)
	return p.finish(ctx, s)
}

// config is what holds for the core. What was posted to another checker on the same
// database is watched for as long as a signal stands.
func (p *pass) config(loaded store.Loaded) checker.Config {
	c := checker.Config{Rules: p.Settings.Rules, Policy: p.Settings.Policy}
	c.Policy.Silences = slices.Concat(c.Policy.Silences, loaded.Silences)
	c.Sources = slices.Sorted(maps.Keys(p.Askers))
	if p.Inbox != nil {
		c.Sources = append(c.Sources, p.Inbox.Name)
	}
	for name, s := range loaded.State.Sources {
		switch {
		case !isSignals(name):
		case p.at.Sub(s.At).Abs() <= signalStands:
			c.Sources = append(c.Sources, name)
		default:
			c.Ended = append(c.Ended, name)
		}
	}
	return c
}

// commit stores the pass. A commit of which nobody knows whether it took place is made
// again, which changes nothing where it did.
func (p *pass) commit(ctx context.Context, passed store.Passed) (err error) {
	for range 3 {
		if err = p.store.Commit(ctx, p.turn, passed); !errors.Is(err, db.ErrInDoubt) {
			return err
		}
	}
	return err
}

// cursors of the sources that answered: another is asked the same again.
func cursors(answers []source.One) map[string]json.RawMessage {
	all := map[string]json.RawMessage{}
	for _, a := range answers {
		if a.Report.Failure == "" && len(a.Cursor) > 0 {
			all[a.Report.Source] = a.Cursor
		}
	}
	return all
}

// tell acts and tells, side by side: neither waits for the other. What actions came to is
// told at the end, that of long steps by a later pass.
func (p *pass) tell(ctx context.Context, result checker.Result) (sent int, waiting []Waiting) {
	p.act(result.State.Alerts, result.Events)
	sent = p.deliver(ctx)
	if p.decided() {
		sent += p.deliver(ctx)
	}
	return sent, p.waiting(ctx)
}

// waiting is what could not be told.
func (p *pass) waiting(ctx context.Context) (all []Waiting) {
	backlog, err := p.store.Backlog(ctx)
	if err != nil {
		p.note("ask what is unsent: %v", err)
	}
	for _, b := range backlog {
		all = append(all, Waiting{Receiver: b.Receiver, Count: b.Count, Oldest: b.Oldest, Critical: b.Critical, Worst: b.Worst, Err: b.Err})
	}
	return all
}

func (p *pass) deliver(ctx context.Context) int {
	d := p.deliverer(p.Setup)
	d.Outbox = p.store
	told, err := d.Deliver(ctx)
	if err != nil {
		p.note("deliver: %v", err)
	}
	for _, f := range told.Failed {
		p.notice(fmt.Sprintf("%s could not be told: %s", f.Receiver, f.Why))
	}
	for _, problem := range told.Problems {
		p.notice(problem)
	}
	return told.Sent
}

// finish says how the pass went: to the database, to who scrapes, and to who waits for a
// sign of life.
func (p *pass) finish(ctx context.Context, s Summary) (Summary, error) {
	s.Interval = p.interval().Seconds()
	s.Took, s.Notes = p.Now().Sub(p.at).Seconds(), p.notes
	text, err := json.Marshal(s)
	if err != nil {
		return s, fmt.Errorf("note the pass: %w", err)
	}
	last := store.Last{At: p.at, Took: p.Now().Sub(p.at), Exit: s.Exit, Complete: s.Complete, Summary: text}
	if err := p.store.Finish(ctx, p.turn, last); err != nil {
		return s, fmt.Errorf("note the pass: %w", err)
	}
	p.found(ctx)
	p.Metrics.Passed(s)
	if p.Textfile != "" {
		if err := p.Metrics.WriteFile(p.Textfile); err != nil {
			p.Say("%v", err)
		}
	}
	p.ping(ctx, s.Complete && !undelivered(s, p.at))
	return s, nil
}
