package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
)

// observer is one pass.
type observer struct {
	airflow
	progress func(done int, note string)
	blind    []string
	api      int
	// most is how many requests may be sent, 0 for any number.
	most int
	// refused is what the server said to one who has no login, or why there is none: the
	// rest is not asked.
	refused error
}

// pages is how many of those that are left may be for one list of runs.
func (o *observer) pages() int {
	if o.most == 0 {
		return mostPages
	}
	return max(1, (o.most-o.Requests())/2)
}

// isSpent reports whether a request was not sent, as no more may be.
func isSpent(err error) bool {
	var e *client.Error
	return errors.As(err, &e) && e.Code == client.CodeSpent
}

func (o *observer) cannotSee(format string, args ...any) {
	o.blind = append(o.blind, fmt.Sprintf(format, args...))
}

// look does what looks at one part. What the server does not show it reports; an error
// is one of the whole pass.
func (o *observer) look(part string, f func() error) (seen bool, err error) {
	if o.refused != nil {
		o.cannotSee("%s: not looked at: %v", part, o.refused)
		return false, nil
	}
	if err = f(); err == nil {
		return true, nil
	}
	if errors.Is(err, errChurn) {
		o.cannotSee("%s: %v", part, err)
		return false, nil
	}
	var e *client.Error
	if errors.As(err, &e) {
		switch e.Code {
		case client.CodeUnauthorized, client.CodeForbidden:
			// Airflow 2 says the same to a wrong login and of what a role may not see.
			if e.Code == client.CodeUnauthorized && (o.api == 2 || !o.HasCredentials()) {
				o.refused = e
			}
			o.cannotSee("%s: not looked at: %v", part, err)
			return false, nil
		case client.CodeSpent:
			o.cannotSee("%s: not looked at: %v; a higher requests allows more", part, err)
			return false, nil
		case client.CodeTokenCommand: // each other part would run it again
			o.refused = e
			o.cannotSee("%s: not looked at: %v", part, err)
			return false, nil
		case client.CodeServerError, client.CodeTimeout:
			o.cannotSee("%s: %v", part, err)
			return false, nil
		}
	}
	return false, told("look at Airflow's "+part, err)
}

func (o *observer) pass(ctx context.Context, ask observe.Ask, deep bool) (observe.Snapshot, error) {
	before := o.Requests()
	was, err := readCursor(ask.Cursor)
	if err != nil {
		return observe.Snapshot{}, sdk.Permanent(sdk.Code("bad_cursor", err))
	}
	s := observe.Snapshot{
		Engine: "airflow", Cursor: ask.Cursor,
		Runs: []observe.Run{}, Schedules: []observe.Schedule{}, Health: []observe.Health{}, Signals: []observe.Signal{},
	}
	version, err := o.Version(ctx)
	if err != nil {
		return s, told("ask for Airflow's version", err)
	}
	o.api = version.API
	s.Version, s.At = version.Version, o.Now().UTC()
	s.Health = append(s.Health, observe.Health{Name: "api", OK: true, Note: "Airflow " + s.Version + " at " + o.Endpoint()})
	var parts []client.Part
	if _, err := o.look("health", func() (err error) { parts, err = o.Health(ctx); return err }); err != nil {
		return s, err
	}
	s.Health = append(s.Health, healthOf(parts, o.api, s.At)...)
	s.Signals = append(s.Signals, heartbeats(parts, s.At)...)
	c := newCursor(cmp.Or(ask.History, s.At))
	if was != nil {
		c = *was
	}
	found := sight{runs: map[string]client.DAGRun{}}
	spent := false
	looked, err := o.look("runs", func() (err error) {
		found, err = o.runs(ctx, c, ask.Limit, s.At)
		spent = isSpent(err)
		return err
	})
	if err != nil {
		return s, err
	}
	var open map[string]int // by DAG
	if looked {
		tell, next, cut := c.advance(found, ask.Limit, s.At)
		for _, r := range tell {
			first, again := c.Open[runID(r.DAG, r.ID)]
			if !again {
				first = s.At
			}
			s.Runs = append(s.Runs, firstSeen(runOf(r, o.Link(r.DAG, r.ID, "", -1)), first))
		}
		s.Cut, open = cut, openBy(found)
		s.Signals = append(s.Signals, runSignals(s.Runs)...)
		if s.Cursor, err = next.raw(); err != nil {
			return s, err
		}
	} else if o.refused == nil && !spent {
		s.Health = sick(s.Health, o.blind[len(o.blind)-1])
	}
	if err := o.dags(ctx, &s, open, deep); err != nil {
		return s, err
	}
	if deep {
		if err := o.deep(ctx, &s); err != nil {
			return s, err
		}
	}
	if s.Runs, err = o.details(ctx, s.Runs, ask.Details); err != nil {
		return s, err
	}
	s.Blind, s.Requests = o.blind, o.Requests()-before
	return s, nil
}

// runs gets all that are open, and those that ended since the cursor was made, as many
// as are told. What was open and is in neither list is asked for.
func (o *observer) runs(ctx context.Context, c cursor, limit int, now time.Time) (sight, error) {
	s := sight{runs: map[string]client.DAGRun{}}
	if err := openRuns(ctx, o, s); err != nil {
		return s, fmt.Errorf("the open ones: %w", err)
	}
	news := map[string]bool{}
	most, pages := o.pages(), 0
	var upTo time.Time
	more, err := endedRuns(ctx, o, c.since(now), func(page []client.DAGRun) bool {
		s.take(page)
		for _, r := range page {
			if c.news(r) {
				news[runID(r.DAG, r.ID)] = true
			}
		}
		if len(page) > 0 {
			upTo = page[len(page)-1].End
			o.progress(len(s.runs), "looking at runs that ended, up to "+upTo.Format(time.RFC3339))
		}
		pages++
		return len(news) > limit || o.most > 0 && pages >= most
	})
	if err != nil {
		return s, fmt.Errorf("those that ended: %w", err)
	}
	if s.more = more; more {
		if s.upTo = upTo; len(news) <= limit {
			o.cannotSee("runs that ended after %s: the next look goes on there; a higher requests looks at more at once", upTo.Format(time.RFC3339))
		}
		return s, nil // it may be among those that were not got to
	}
	asked := 0
	for _, id := range slices.Sorted(maps.Keys(c.Open)) {
		if _, ok := s.runs[id]; ok {
			continue
		}
		if asked++; o.most > 0 && asked > most {
			o.cannotSee("runs that were open, from %s on: not looked at: %d requests are too few; a higher requests allows more", id, o.most)
			s.more = true
			return s, nil
		}
		dag, run, _ := parseRunID(id)
		r, err := o.Run(ctx, dag, run)
		switch {
		case isMissing(err):
			o.cannotSee("run %s: it was open, and the server has it no more", id)
		case ofThis(err):
			o.cannotSee("run %s: it was open, and is looked at no more: %v", id, err)
		case err != nil:
			return s, fmt.Errorf("run %s, which was open: %w", id, err)
		default:
			s.runs[id] = r
		}
	}
	return s, nil
}

// openBy counts open runs by DAG.
func openBy(s sight) map[string]int {
	by := map[string]int{}
	for _, r := range s.runs {
		if !r.Ended() {
			by[r.DAG]++
		}
	}
	return by
}
