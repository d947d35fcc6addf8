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

	"github.com/dustin/go-humanize"

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
	// mostPages bounds how far back any pass looks.
	mostPages = 1000
	// resetSlack is how far the server's clock may be behind ours.
	resetSlack = 10 * time.Minute
)

// observer is one pass.
type observer struct {
	digdag
	page     int
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
	asking.Go(func() { listed = o.schedules(ctx, was) })
	if s.Version, err = o.Version(ctx); err != nil {
		return s, told("ask for Digdag's version", err)
	}
	c := newCursor(cmp.Or(ask.History, o.now))
	if was != nil {
		c = *was
	}
	rows, bottom, err := o.look(ctx, c)
	if errors.Is(err, errReset) {
		s.Reset, o.blind = true, nil
		c = newCursor(c.At.Add(-resetSlack))
		rows, bottom, err = o.look(ctx, c)
	}
	if ofDatabase(err) {
		o.cannotSee("runs: %v", err)
		s.Health = append(healthOf(s.Version, o.Endpoint(), nil, o.now), observe.Health{Name: "database", Note: err.Error()})
		cancel()
		asking.Wait() // its requests count
		s.Runs, s.Schedules, s.Signals, s.Cursor = []observe.Run{}, []observe.Schedule{}, []observe.Signal{}, ask.Cursor
		s.Blind, s.Requests = o.blind, o.Requests()-before
		return s, nil
	}
	if err != nil {
		return s, told("look at Digdag's attempts", err)
	}
	tell, next, cut := c.advance(rows, bottom, ask.Limit, int64(o.page), o.now)
	s.Cut = cut
	if asking.Wait(); listed.err != nil {
		return s, listed.err
	}
	o.blind = append(o.blind, listed.blind...)
	next.Schedules = listed.parts()
	if next.Pushed, err = o.pushes(ctx, c.Pushed, tell, listed.all); err != nil {
		return s, err
	}
	s.Runs = runsOf(tell, next.Pushed, o.Endpoint())
	s.Signals = attemptSignals(s.Runs, c.fresh(rows))
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

// look gets all attempts from bottom on, as far back as the cursor wants, and below it
// those that it has open. By id, descending.
func (o *observer) look(ctx context.Context, c cursor) (rows []row, bottom int64, err error) {
	if rows, bottom, err = o.scan(ctx, c); err != nil {
		return nil, 0, err
	}
	var below []int64
	for n := range c.Open {
		if n < bottom {
			below = append(below, n)
		}
	}
	for _, ask := range asksFor(below, o.page) {
		more, err := o.get(ctx, ask)
		if err != nil {
			return nil, 0, err
		}
		if slices.ContainsFunc(more, c.another) {
			return nil, 0, errReset
		}
		rows = append(rows, more...)
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(b.n, a.n) })
	rows = slices.CompactFunc(rows, func(a, b row) bool { return a.n == b.n })
	for _, n := range below {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.n == n }) {
			o.cannotSee("attempt %d: it was open, and the server has it no more", n)
		}
	}
	return rows, bottom, nil
}

// scan gets pages, from the newest on. bottom is the lowest id that they reach, 1 when
// they are all there are.
func (o *observer) scan(ctx context.Context, c cursor) (rows []row, bottom int64, err error) {
	far := sweep{floor: c.floor(), first: c.High == 0, before: o.now.Add(-horizon)}
	if from := cmp.Or(c.Since, c.At); from.Before(far.before) {
		far.before = from
	}
	for pages := 1; ; pages++ {
		page, err := o.attempts(ctx, bottom)
		if err != nil {
			return nil, 0, err
		}
		if pages == 1 && c.void(page) || slices.ContainsFunc(page, c.another) {
			return nil, 0, errReset
		}
		rows = append(rows, page...)
		if len(page) < o.page {
			return rows, 1, nil
		}
		bottom = page[len(page)-1].n
		if !far.more(page) {
			return rows, bottom, nil
		}
		created := page[len(page)-1].CreatedAt
		if pages == mostPages {
			o.cannotSee("attempts below %d, which were made before %s: there are more than %s that are newer, the most that are looked at",
				bottom, created.Format(time.RFC3339), humanize.Comma(int64(len(rows))))
			return rows, bottom, nil
		}
		o.progress(len(rows), "looking at attempts, back to "+created.Format(time.RFC3339))
	}
}

// sweep says how far back pages are looked at.
type sweep struct {
	floor  int64     // to this id, or
	first  bool      // to where all are done and
	before time.Time // older,
	quiet  int       // as so many pages in a row are
}

// more takes a page and reports whether the next one is needed.
func (s *sweep) more(page []row) bool {
	if !s.first {
		return page[len(page)-1].n > s.floor+1
	}
	s.quiet++
	if slices.ContainsFunc(page, func(r row) bool { return !r.Done || !r.CreatedAt.Before(s.before) }) {
		s.quiet = 0
	}
	return s.quiet < quietPages
}

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

// ofDatabase reports whether a server that answers cannot list its attempts: there is
// trouble behind it.
func ofDatabase(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Path == "/api/attempts" && (e.Code == client.CodeServerError || e.Code == client.CodeTimeout)
}
