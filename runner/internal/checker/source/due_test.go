package source

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

func TestReadCursor(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	for _, text := range []string{"", "null", "[]", `"x"`, `{"high": 3}`, `{"v": 2, "from": "2026-11-21T00:00:00Z"}`, `{"v": 1}`} {
		if c := readCursor(json.RawMessage(text), now); c != nil {
			t.Errorf("%s is read as %+v", text, c)
		}
	}
	raw := json.RawMessage(`{"v": 1, "from": "2026-11-21T00:00:00Z", "ended": "2027-01-01T00:00:00Z"}`)
	if c := readCursor(raw, now); c == nil || !c.Ended.Equal(now) || c.From.After(now) || c.Told == nil || c.Due == nil {
		t.Errorf("%+v", c)
	}
}

// TestEachEndOnce: whatever ends, in whatever order, by a clock that jumps back by less
// than the overlap: each end is told once.
func TestEachEndOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		began := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
		at, high := began, began
		all := map[string]*ledger.Run{}
		var ids []string
		limit := rapid.IntRange(1, 4).Draw(t, "limit")
		told, open := map[string]int{}, map[string]bool{}
		var raw json.RawMessage
		pass := func() (cut bool) {
			now := at
			c := readCursor(raw, now)
			var running, ended []ledger.Run
			for _, id := range ids {
				if r := *all[id]; !r.Ended() {
					running = append(running, r)
				} else if c != nil && !r.EndedAt.Before(c.from()) {
					if _, was := c.Told[id]; !was {
						ended = append(ended, r)
					}
				}
			}
			if c == nil {
				c = &cursor{Version: cursorVersion, Told: map[string]int64{}, Due: map[string]due{}}
				c.begin(nil, now)
			}
			for _, id := range c.unheard(running, ended) {
				ended = append(ended, *all[id])
			}
			slices.SortStableFunc(ended, func(a, b ledger.Run) int { return a.EndedAt.Compare(b.EndedAt) })
			tell, cut := c.advance(running, ended, limit, now)
			for _, r := range tell {
				if r.Ended() {
					told[r.ID]++
				} else {
					open[r.ID] = true
				}
			}
			var err error
			if raw, err = json.Marshal(c); err != nil {
				t.Fatal(err)
			}
			return cut
		}
		pass()
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(-300, 600).Draw(t, "seconds")) * time.Second)
			for _, low := range []time.Time{began, high.Add(-overlap)} {
				if at.Before(low) {
					at = low
				}
			}
			if at.After(high) {
				high = at
			}
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0:
				id := fmt.Sprintf("%03d", len(ids))
				ids = append(ids, id)
				all[id] = &ledger.Run{ID: id, Component: "w", State: run.Running, AskedAt: at}
			case 1:
				if len(ids) > 0 {
					if r := all[rapid.SampledFrom(ids).Draw(t, "of")]; !r.Ended() {
						r.State, r.EndedAt = run.Success, at
					}
				}
			case 2:
				pass()
			}
		}
		for range len(ids) + 1 {
			pass()
		}
		for id, r := range all {
			if want := r.Ended(); told[id] > 1 || (told[id] == 1) != want {
				t.Fatalf("the end of %s is told %d times; it has ended: %v, was told to be open: %v", id, told[id], want, open[id])
			}
		}
	})
}

// TestLeftOpen: of runs that were open, and ended by a clock that was set far back, the
// ends come too, though there is no room for all at once.
func TestLeftOpen(t *testing.T) {
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	ended := func(id string) ledger.Run {
		return ledger.Run{ID: id, Component: "w", State: run.Success, EndedAt: now.Add(-24 * time.Hour)}
	}
	c := cursor{Version: cursorVersion, From: now, Ended: now, Told: map[string]int64{}, Due: map[string]due{}, Open: []string{"1", "2"}}
	if tell, cut := c.advance(nil, []ledger.Run{ended("1"), ended("2")}, 1, now); len(tell) != 1 || !cut {
		t.Errorf("%v, cut %v", tell, cut)
	}
	if ids := c.unheard(nil, nil); !slices.Equal(ids, []string{"2"}) {
		t.Errorf("%q", ids)
	}
}
