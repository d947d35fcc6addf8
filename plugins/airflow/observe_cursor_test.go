package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func sightOf(runs ...client.DAGRun) sight {
	s := sight{runs: map[string]client.DAGRun{}}
	s.take(runs)
	return s
}

func idsOf(runs []client.DAGRun) (ids []string) {
	for _, r := range runs {
		ids = append(ids, r.ID)
	}
	return ids
}

func ranAt(id string, end time.Time) client.DAGRun {
	return client.DAGRun{DAG: "d", ID: id, State: "success", End: end}
}

// TestAdvanceLeavesOpen: what was open, and whose end is left out by the limit or not
// got to, is remembered as open: nothing else may ever lead to it again.
func TestAdvanceLeavesOpen(t *testing.T) {
	c := cursor{
		Version: 1, At: noon.Add(-time.Minute), From: noon.Add(-time.Hour), Since: noon.Add(-3 * time.Minute),
		Open: map[string]time.Time{"d@a": noon, "d@b": noon, "d@c": noon},
	}
	old := noon.Add(-2 * time.Hour) // by a scheduler whose clock is behind
	tell, next, cut := c.advance(sightOf(ranAt("a", old), ranAt("b", old)), 1, noon)
	if got := idsOf(tell); !slices.Equal(got, []string{"a"}) || !cut || !next.Since.Equal(noon.Add(-overlap)) {
		t.Errorf("told %v, cut %v, since %s", got, cut, next.Since)
	}
	if got := slices.Sorted(maps.Keys(next.Open)); !slices.Equal(got, []string{"d@b"}) {
		t.Errorf("open %v", got)
	}
	s := sightOf(ranAt("a", old), ranAt("b", old))
	s.more = true
	_, next, _ = c.advance(s, 1, noon)
	if got := slices.Sorted(maps.Keys(next.Open)); !slices.Equal(got, []string{"d@b", "d@c"}) {
		t.Errorf("with more: open %v", got)
	}
}

// TestAdvanceForgets keeps no more ends than the next pass will see again.
func TestAdvanceForgets(t *testing.T) {
	c := newCursor(noon.Add(-time.Hour))
	tell, next, _ := c.advance(sightOf(ranAt("old", noon.Add(-time.Hour)), ranAt("new", noon.Add(-time.Minute))), 10, noon)
	if len(tell) != 2 || len(next.Told) != 1 || !next.Told["d@new"].Equal(noon.Add(-time.Minute)) {
		t.Errorf("told %v, remembered %v", idsOf(tell), next.Told)
	}
	// A minute later it is seen again, ended anew or not.
	if tell, _, _ := next.advance(sightOf(ranAt("new", noon.Add(-time.Minute))), 10, noon.Add(time.Minute)); len(tell) != 0 {
		t.Errorf("told again: %v", idsOf(tell))
	}
	if tell, _, _ := next.advance(sightOf(ranAt("new", noon.Add(time.Second))), 10, noon.Add(time.Minute)); len(tell) != 1 {
		t.Errorf("its second end: %v", idsOf(tell))
	}
}

// TestClockSetBack: ends are asked for from before the time that it is now.
func TestClockSetBack(t *testing.T) {
	c := cursor{Version: 1, At: noon, From: noon.Add(-time.Hour), Since: noon.Add(-overlap)}
	for now, want := range map[time.Time]time.Time{
		noon.Add(time.Hour):         c.Since,
		noon.Add(time.Second):       c.Since,
		noon.Add(-10 * time.Minute): noon.Add(-10*time.Minute - overlap),
	} {
		if got := c.since(now); !got.Equal(want) {
			t.Errorf("at %s since %s, want %s", now, got, want)
		}
	}
}

// TestObserveWalksEnds: of many runs that came and ended between two passes some are
// cleared while the others are read.
func TestObserveWalksEnds(t *testing.T) {
	m := newMemory(100)
	ask := observe.Ask{Limit: 1000}
	ask.Cursor = m.look(t, ask).Cursor
	var all []*row
	for range 350 {
		m.now = m.now.Add(10 * time.Second)
		all = append(all, m.start("running"))
		m.end(all[len(all)-1], 0)
	}
	before, cleared := m.requests, 0
	m.meanwhile = func() {
		if m.requests > before+2 { // in the list of those that ended
			for range 20 {
				m.clear(all[cleared])
				cleared++
			}
		}
	}
	s := m.look(t, ask)
	m.meanwhile = func() {}
	told := map[string]bool{}
	for _, r := range s.Runs {
		told[r.ID] = true
	}
	for _, r := range all[cleared:] {
		if !told[runID(r.DAG, r.ID)] {
			t.Errorf("the end of %s is missing", runID(r.DAG, r.ID))
		}
	}
	if cleared == 0 {
		t.Error("nothing was cleared")
	}
	// Those are open now.
	ask.Cursor = s.Cursor
	if s = m.look(t, ask); len(s.Runs) != cleared || s.Runs[0].State != observe.Queued {
		t.Errorf("%d runs are told then, of %d", len(s.Runs), cleared)
	}
}

// TestObserveAsksForTheVanished: one that was open and is in no list costs a request,
// and is told of.
func TestObserveAsksForTheVanished(t *testing.T) {
	m := newMemory(100)
	gone, ended := m.start("running"), m.start("running")
	ask := observe.Ask{Limit: 10}
	ask.Cursor = m.look(t, ask).Cursor
	delete(m.rows, runID(gone.DAG, gone.ID))
	ended.State, ended.End = "failed", m.now.Add(-time.Hour)
	before := m.requests
	s := m.look(t, ask)
	if m.requests-before != 2+2 || len(s.Runs) != 1 || s.Runs[0].State != observe.Failed {
		t.Errorf("%d requests, %+v", m.requests-before, s.Runs)
	}
	if want := fmt.Sprintf("run %s: it was open, and the server has it no more", runID(gone.DAG, gone.ID)); !slices.Equal(s.Blind, []string{want}) {
		t.Errorf("%q", s.Blind)
	}
	ask.Cursor = s.Cursor
	before = m.requests
	if s = m.look(t, ask); m.requests-before != 2 || len(s.Runs)+len(s.Blind) != 0 {
		t.Errorf("then %d requests, %+v, %q", m.requests-before, s.Runs, s.Blind)
	}
}

// TestFirstSeen: Airflow 2 does not tell since when a run is queued; what is told
// instead stays from pass to pass.
func TestFirstSeen(t *testing.T) {
	m := newMemory(100)
	r := m.start("queued")
	ask := observe.Ask{Limit: 10}
	first := m.now
	for range 3 {
		s := m.look(t, ask)
		if ask.Cursor = s.Cursor; !s.Runs[0].Created.Equal(first) {
			t.Errorf("created %s, want %s", s.Runs[0].Created, first)
		}
		m.now = m.now.Add(time.Minute)
	}
	r.State, r.Start = "running", m.now
	if s := m.look(t, ask); !s.Runs[0].Created.Equal(first) || !s.Runs[0].Started.Equal(m.now) {
		t.Errorf("%+v", s.Runs[0])
	}
}

func TestReadCursor(t *testing.T) {
	good, err := cursor{Version: 1, At: noon, From: noon, Since: noon}.raw()
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]string{
		string(good): "", "null": "", "": "",
		"1":                     "it is not one that airflow.observe returned; leave it out to begin anew",
		`{"high": 3}`:           "it is of version 0, and this is 1",
		`{"v": 1, "since": ""}`: "it is not one that airflow.observe returned",
		`{"v": 1}`:              "it is damaged",
	} {
		_, err := readCursor(json.RawMessage(raw))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", raw, err, want)
		}
	}
}
