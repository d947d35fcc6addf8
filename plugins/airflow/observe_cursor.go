package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

// overlap is how far before the pass the next one looks for ends again: an end is
// there only once its transaction is, and each scheduler has a clock of its own.
const overlap = 2 * time.Minute

// cursor is what one pass hands to the next: what ends are told, and what is open.
// Runs are named as runID does.
type cursor struct {
	Version int `json:"v"`
	// At is when the pass was, by the server's clock.
	At time.Time `json:"at"`
	// From is how far back the first pass was asked to tell of ends.
	From time.Time `json:"from"`
	// Since is from when on ends are asked for: before it all are told.
	Since time.Time `json:"since"`
	// Told are the runs that ended since then and are told, with their ends: one that
	// was cleared ends another time.
	Told map[string]time.Time `json:"told,omitempty"`
	// Open are the runs whose end is not told, and when they were seen first: Airflow 2
	// does not tell since when a run is queued.
	Open map[string]time.Time `json:"open,omitempty"`
}

// cursorVersion changes when a cursor means something else.
const cursorVersion = 1

// newCursor is that of a first pass, which tells of what ended since a time.
func newCursor(from time.Time) cursor {
	return cursor{Version: cursorVersion, From: from, Since: from}
}

// readCursor reads what a pass returned; nil without one.
func readCursor(raw json.RawMessage) (*cursor, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var c cursor
	err := json.Unmarshal(raw, &c)
	switch {
	case err != nil:
		err = errors.New("it is not one that airflow.observe returned")
	case c.Version != cursorVersion:
		err = fmt.Errorf("it is of version %d, and this is %d", c.Version, cursorVersion)
	case c.At.IsZero() || c.Since.IsZero() || c.From.IsZero():
		err = errors.New("it is damaged")
	}
	if err != nil {
		return nil, fmt.Errorf("%w; leave it out to begin anew", err)
	}
	return &c, nil
}

// raw is what the next pass is given.
func (c cursor) raw() (json.RawMessage, error) {
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write the cursor: %w", err)
	}
	return raw, nil
}

// since is from when on a pass asks for ends. A server's clock that was set back takes
// it along.
func (c cursor) since(now time.Time) time.Time {
	if back := now.Add(-overlap); now.Before(c.At) && back.Before(c.Since) {
		return back
	}
	return c.Since
}

// news reports whether the end of a run has to be told.
func (c cursor) news(r client.DAGRun) bool {
	id := runID(r.DAG, r.ID)
	if told, ok := c.Told[id]; ok && told.Equal(r.End) {
		return false
	}
	_, wasOpen := c.Open[id]
	return wasOpen || !r.End.Before(c.From)
}

// sight is what a pass found: the latest answer for each run, by runID. more says that not
// all that was open or ended is among them: of ends, where upTo is set, those later than it.
type sight struct {
	runs map[string]client.DAGRun
	more bool
	upTo time.Time
}

// advance decides which runs are told: all that are open, and of those that ended at
// most limit, the first ones first. The next cursor stands before what is left out
// (cut). at is when the pass began, by the server's clock.
func (c cursor) advance(s sight, limit int, at time.Time) (tell []client.DAGRun, next cursor, cut bool) {
	next = cursor{
		Version: cursorVersion, At: at, From: c.From, Since: later(c.From, at.Add(-overlap)),
		Told: map[string]time.Time{}, Open: map[string]time.Time{},
	}
	open := func(id string) {
		next.Open[id] = at
		if first, ok := c.Open[id]; ok {
			next.Open[id] = first
		}
	}
	var ended []client.DAGRun
	for _, id := range slices.Sorted(maps.Keys(s.runs)) {
		r := s.runs[id]
		switch {
		case !r.Ended():
			tell = append(tell, r)
			open(id)
		case c.news(r):
			ended = append(ended, r)
		}
	}
	slices.SortStableFunc(ended, func(a, b client.DAGRun) int { return a.End.Compare(b.End) })
	told := maps.Clone(c.Told)
	for i, r := range ended {
		id := runID(r.DAG, r.ID)
		if i < limit {
			tell = append(tell, r)
			if told == nil {
				told = map[string]time.Time{}
			}
			told[id] = r.End
			continue
		}
		cut = true
		if _, wasOpen := c.Open[id]; wasOpen {
			open(id)
		}
		// What ended before all that was asked for was open, and is remembered as that.
		if r.End.Before(next.Since) && !r.End.Before(c.Since) {
			next.Since = later(c.From, r.End)
		}
	}
	if s.more && !s.upTo.IsZero() && s.upTo.Before(next.Since) {
		next.Since = later(c.From, s.upTo)
	}
	if s.more {
		for id := range c.Open {
			if _, ok := s.runs[id]; !ok {
				open(id)
			}
		}
	}
	for id, end := range told {
		if !end.Before(next.Since) {
			next.Told[id] = end
		}
	}
	return tell, next, cut || s.more
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
