package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
)

// cursor is what one pass hands to the next: which attempts it has told the end of.
// Those are all up to High, but for the Missing and the Open.
type cursor struct {
	Version int `json:"v"`
	// High is the newest attempt that counts as seen; 0 if there was none.
	High int64 `json:"high"`
	// UUID is that of High's session: ids that begin anew come to the same number.
	UUID string `json:"uuid,omitempty"`
	// Missing are ids not far below High that were in no list. Ids are given out
	// before rows are committed, so that such an attempt may show up later.
	Missing []int64 `json:"missing,omitempty"`
	// Open are those whose end has not been told, and the UUIDs of their sessions.
	Open map[int64]string `json:"open,omitempty"`
	// At is when the pass was.
	At time.Time `json:"at"`
	// Since is set until the first pass's history has been told: what is above High and
	// ended before it is left out.
	Since time.Time `json:"since,omitzero"`
	// Below is the attempt below which the past is still to be looked at; 0 if it is done.
	Below int64 `json:"below,omitempty"`
	// Schedules are the ids with which pages of them ended, ascending.
	Schedules []int64 `json:"schedules,omitempty"`
	// Pushed is what is known of projects, by their ids; nil before it was asked for.
	Pushed map[client.ID]pushed `json:"pushed,omitzero"`
}

// cursorVersion changes when a cursor means something else.
const cursorVersion = 1

// newCursor is that of a first pass, which tells of what ended since a time.
func newCursor(since time.Time) cursor {
	return cursor{Version: cursorVersion, Since: since}
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
		err = errors.New("it is not one that digdag.observe returned")
	case c.Version != cursorVersion:
		err = fmt.Errorf("it is of version %d, and this is %d", c.Version, cursorVersion)
	case c.High < 0 || c.High > 0 && c.UUID == "" || c.At.IsZero():
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

// row is an attempt with its id as a number, its parameters shortened, and what they
// tell of how it came about.
type row struct {
	n int64
	client.Attempt
	origin
}

// rowsOf makes rows of a page. Ids that do not fall below one another are no page of
// a Digdag server, and would have us turn in circles.
func rowsOf(page []client.Attempt, before int64) ([]row, error) {
	rows := make([]row, 0, len(page))
	for _, a := range page {
		n, err := strconv.ParseInt(string(a.ID), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%.40q is no attempt's id", a.ID)
		}
		if before > 0 && n >= before {
			return nil, fmt.Errorf("attempt %d stands below attempt %d; is there something between us and the server that keeps old answers?", n, before)
		}
		before = n
		r := row{n, a, originOf(a)}
		r.Params = shortParams(a.Params)
		rows = append(rows, r)
	}
	return rows, nil
}

// floor is the newest id down to which all attempts are known for good.
func (c cursor) floor() int64 {
	if len(c.Missing) > 0 {
		return min(c.High, slices.Min(c.Missing)-1)
	}
	return c.High
}

// void reports whether the newest rows tell of another database than the cursor's: ids
// only ever go up.
func (c cursor) void(rows []row) bool {
	return c.High > 0 && (len(rows) == 0 || rows[0].n < c.High)
}

// another reports whether the attempt is not the one that the cursor knows by its id.
func (c cursor) another(r row) bool {
	open, ok := c.Open[r.n]
	return ok && open != r.SessionUUID || r.n == c.High && r.SessionUUID != c.UUID
}

// news reports whether an attempt that is done has to be told.
func (c cursor) news(r row) bool {
	_, wasOpen := c.Open[r.n]
	return wasOpen || slices.Contains(c.Missing, r.n) || (r.n > c.High || r.n < c.Below) && !r.FinishedAt.Before(c.Since)
}

// fresh counts the attempts that are new since the pass before; none at a first one.
func (c cursor) fresh(rows []row) (n int) {
	if c.High == 0 && !c.Since.IsZero() {
		return 0
	}
	for _, r := range rows {
		if r.n > c.High {
			n++
		}
	}
	return n
}

// advance decides which rows are told: all that are open, and of those that ended at
// most limit, the oldest first. The next cursor stands before what is left out (cut).
//
// overlap is how many of the newest ids may be late.
func (c cursor) advance(found view, limit int, overlap int64, now time.Time) (tell []row, next cursor, cut bool) {
	rows := found.rows
	next = cursor{Version: cursorVersion, High: c.High, UUID: c.UUID, Open: map[int64]string{}, Below: found.below, At: now}
	for _, n := range found.unasked {
		next.Open[n] = c.Open[n]
	}
	seen := make(map[int64]bool, len(rows))
	left := map[int64]bool{}
	for _, r := range slices.Backward(rows) {
		seen[r.n] = true
		switch {
		case !r.Done:
			tell = append(tell, r)
		case !c.news(r):
		case limit > 0:
			limit--
			tell = append(tell, r)
		default:
			left[r.n] = true
		}
		// Up to the first one that is new and left out.
		if r.n > next.High && !cut {
			if cut = left[r.n]; !cut {
				next.High, next.UUID = r.n, r.SessionUUID
			}
		}
	}
	for _, r := range rows {
		if r.n <= next.High && (!r.Done || left[r.n]) {
			next.Open[r.n] = r.SessionUUID
		}
	}
	for n := max(1, next.High-overlap+1); n < next.High; n++ {
		if !seen[n] && (n >= found.bottom || slices.Contains(c.Missing, n)) {
			next.Missing = append(next.Missing, n)
		}
	}
	if cut || next.Below > 0 {
		next.Since = c.Since
	}
	return tell, next, len(left) > 0 || next.Below > 0 || found.above
}
