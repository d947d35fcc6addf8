package source

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/sdk/observe"
)

const (
	cursorVersion = 1
	// overlap is how much later than it ended a run's end may be recorded: a host that
	// could not reach the ledger keeps it for the next run to record.
	overlap = 10 * time.Minute
	// stale is how long a due run may be overdue, before its name is expected no more.
	stale = 7 * 24 * time.Hour
)

// cursor is what one snapshot of the ledger hands to the next.
type cursor struct {
	Version int `json:"v"`
	// From is where the first snapshot ended: what ended before is told.
	From time.Time `json:"from"`
	// Ended is the newest end that was told, Told the runs that ended not long before it,
	// by id, in milliseconds since 1970.
	Ended time.Time        `json:"ended"`
	Told  map[string]int64 `json:"told,omitempty"`
	// Open are runs whose end was not told.
	Open []string `json:"open,omitempty"`
	// Due is by name.
	Due map[string]due `json:"due,omitempty"`
}

// due is when a name is to run next, by a run of it that said so.
type due struct {
	Run string    `json:"run"`
	At  time.Time `json:"at"`
}

// readCursor reads what a snapshot returned. What cannot be read is none: then the past
// is looked at anew.
//
// Ends of the future, which a clock told that was set back since, are no reason to look
// at nothing until then.
func readCursor(raw json.RawMessage, now time.Time) *cursor {
	var c cursor
	if len(raw) == 0 || json.Unmarshal(raw, &c) != nil || c.Version != cursorVersion || c.From.IsZero() {
		return nil
	}
	if c.Ended.After(now.Add(ahead)) {
		c.Ended, c.From = now, earlier(c.From, now)
	}
	if c.Told == nil {
		c.Told = map[string]int64{}
	}
	if c.Due == nil {
		c.Due = map[string]due{}
	}
	return &c
}

// begin sets where the first snapshot ends: at the newest of its ended runs, by the
// ledger's own clock; now where there is none.
func (c *cursor) begin(ended []ledger.Run, now time.Time) {
	c.From = now
	if len(ended) > 0 {
		c.From = earlier(ended[len(ended)-1].EndedAt, now)
	}
	c.Ended = c.From
}

// from is since when ended runs are looked at.
func (c *cursor) from() time.Time {
	if from := c.Ended.Add(-overlap); from.After(c.From) {
		return from
	}
	return c.From
}

// unheard are the runs that were open, and are neither open any more nor among the ended.
func (c *cursor) unheard(open, ended []ledger.Run) (ids []string) {
	there := map[string]bool{}
	for _, r := range slices.Concat(open, ended) {
		there[r.ID] = true
	}
	for _, id := range c.Open {
		if _, told := c.Told[id]; !there[id] && !told {
			ids = append(ids, id)
		}
	}
	return ids
}

// advance decides which runs are told: the open ones, and of those that ended at most
// limit, in their order. cut: there are more. It takes in when names are due.
func (c *cursor) advance(open, ended []ledger.Run, limit int, now time.Time) (tell []ledger.Run, cut bool) {
	var left []ledger.Run
	if cut = len(ended) > limit; cut {
		ended, left = ended[:limit], ended[limit:]
	}
	for _, r := range ended {
		c.Told[r.ID] = r.EndedAt.UnixMilli()
		if at := earlier(r.EndedAt, now); at.After(c.Ended) {
			c.Ended = at
		}
	}
	var stay []string
	for _, r := range open {
		if _, over := c.Told[r.ID]; !over {
			tell, stay = append(tell, r), append(stay, r.ID)
		}
	}
	for _, r := range left {
		if slices.Contains(c.Open, r.ID) {
			stay = append(stay, r.ID)
		}
	}
	c.Open = stay
	from := c.from().UnixMilli()
	maps.DeleteFunc(c.Told, func(_ string, at int64) bool { return at < from })
	tell = append(tell, ended...)
	c.expect(tell, now)
	return tell, cut
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// expect notes when names are due: by the newest run that says so.
func (c *cursor) expect(runs []ledger.Run, now time.Time) {
	for _, r := range runs {
		if !r.NextDue.IsZero() && r.ID > c.Due[r.Component].Run {
			c.Due[r.Component] = due{r.ID, r.NextDue}
		}
	}
	maps.DeleteFunc(c.Due, func(_ string, d due) bool { return now.Sub(d.At) > stale })
}

func (c *cursor) schedules() []observe.Schedule {
	var all []observe.Schedule
	for _, name := range slices.Sorted(maps.Keys(c.Due)) {
		all = append(all, observe.Schedule{Workflow: name, NextRun: c.Due[name].At})
	}
	return all
}
