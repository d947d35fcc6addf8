package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	// attemptsPage is how many attempts Digdag gives at once.
	attemptsPage = 100
	// horizon is older than any attempt but one that outlives Digdag's own limit,
	// executor.attempt_ttl, of 7 days.
	horizon = 8 * 24 * time.Hour
	// quietPages is how many pages in a row have to be done and old, for the first pass
	// to look back no further.
	quietPages = 2
	// mostPages bounds how far any pass looks; the next one goes on.
	mostPages = 1000
	// resetSlack is how far the server's clock may be behind ours.
	resetSlack = 10 * time.Minute
)

// observer is one pass.
type observer struct {
	digdag
	page int
	// most is how many requests may be sent, 0 for any number.
	most     int
	now      time.Time
	progress func(attempts int, note string)
	blind    []string
}

func (o *observer) cannotSee(format string, args ...any) {
	o.blind = append(o.blind, fmt.Sprintf(format, args...))
}

func (o *observer) pass(ctx context.Context, ask observe.Ask) (observe.Snapshot, error) {
	before := o.Requests()
	was, err := readCursor(ask.Cursor)
	if err != nil {
		return observe.Snapshot{}, sdk.Permanent(sdk.Code("bad_cursor", err))
	}
	s := observe.Snapshot{Engine: "digdag", At: o.now}
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	var listed listing
	if o.most == 0 { // else what is left for them is known after the attempts
		asking.Go(func() { listed = o.schedules(ctx, was) })
	}
	if s.Version, err = o.Version(ctx); err != nil {
		return s, told("ask for Digdag's version", err)
	}
	c := newCursor(cmp.Or(ask.History, o.now))
	if was != nil {
		c = *was
	}
	found, err := o.look(ctx, c)
	if errors.Is(err, errReset) {
		s.Reset, o.blind = true, nil
		c = newCursor(c.At.Add(-resetSlack))
		found, err = o.look(ctx, c)
	}
	if ofDatabase(err) || isSpent(err) {
		o.cannotSee("runs: %v", err)
		o.cannotSee("schedules: not looked at either")
		s.Health = healthOf(s.Version, o.Endpoint(), nil, o.now)
		if !isSpent(err) {
			s.Health = append(s.Health, observe.Health{Name: "database", Note: err.Error()})
		}
		cancel()
		asking.Wait() // its requests count
		s.Runs, s.Schedules, s.Signals, s.Cursor = []observe.Run{}, []observe.Schedule{}, []observe.Signal{}, ask.Cursor
		s.Blind, s.Requests = o.blind, o.Requests()-before
		return s, nil
	}
	if err != nil {
		return s, told("look at Digdag's attempts", err)
	}
	tell, next, cut := c.advance(found, ask.Limit, int64(o.page), o.now)
	s.Cut = cut
	if asking.Wait(); o.most > 0 {
		listed = o.schedulesIf(ctx, was)
	}
	if listed.err != nil {
		return s, listed.err
	}
	o.blind = append(o.blind, listed.blind...)
	next.Schedules = listed.parts()
	if len(listed.blind) > 0 {
		next.Schedules = c.Schedules
	}
	if next.Pushed, err = o.pushes(ctx, c.Pushed, tell, listed.all); err != nil {
		return s, err
	}
	s.Runs = runsOf(tell, next.Pushed, o.Endpoint())
	s.Signals = attemptSignals(s.Runs, c.fresh(found.rows))
	if s.Runs, err = o.details(ctx, s.Runs, next.Pushed, ask.Details); err != nil {
		return s, err
	}
	s.Schedules = schedulesOf(listed.all, next.Pushed)
	s.Signals = append(s.Signals, scheduleSignals(s.Schedules, o.now)...)
	s.Health = append(healthOf(s.Version, o.Endpoint(), s.Schedules, o.now), observe.Health{Name: "database", OK: true})
	if s.Cursor, err = next.raw(); err != nil {
		return s, err
	}
	s.Blind, s.Requests = o.blind, o.Requests()-before
	return s, nil
}

// errReset says that the server has another database than the cursor.
var errReset = errors.New("the ids begin anew")

// ask is one request for attempts that are known by their ids: one of them, or the
// page that begins with it.
type ask struct {
	id   int64
	page bool
}

// asksFor are the requests for some attempts, the newest first. Where three or more
// stand so close that one page must hold them, it is asked for instead.
func asksFor(ids []int64, page int) (asks []ask) {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b int64) int { return cmp.Compare(b, a) })
	for len(ids) > 0 {
		near := 1
		for near < len(ids) && ids[0]-ids[near] < int64(page) {
			near++
		}
		if near < 3 {
			near = 1
		}
		asks = append(asks, ask{ids[0], near > 1})
		ids = ids[near:]
	}
	return asks
}

// get asks. An attempt that is not there is none.
func (o *observer) get(ctx context.Context, q ask) ([]row, error) {
	if q.page {
		return o.attempts(ctx, q.id+1)
	}
	a, err := o.Attempt(ctx, idOf(q.id))
	if isMissing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("attempt %d: %w", q.id, err)
	}
	return rowsOf([]client.Attempt{a}, 0)
}

// attempts gets the page below an id, 0 for the newest.
func (o *observer) attempts(ctx context.Context, below int64) ([]row, error) {
	f := client.AttemptFilter{IncludeRetried: true}
	if below > 0 {
		f.Before = idOf(below)
	}
	page, err := o.AttemptsPage(ctx, f)
	if err != nil {
		return nil, err
	}
	return rowsOf(page, below)
}

func idOf(n int64) client.ID { return client.ID(strconv.FormatInt(n, 10)) }

func isMissing(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Code == client.CodeNotFound
}

// isSpent reports whether a request was not sent, as no more may be.
func isSpent(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Code == client.CodeSpent
}

// ofDatabase reports whether a server that answers cannot list its attempts: there is
// trouble behind it.
func ofDatabase(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Path == "/api/attempts" && (e.Code == client.CodeServerError || e.Code == client.CodeTimeout)
}
