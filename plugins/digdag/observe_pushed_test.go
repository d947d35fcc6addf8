package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

// TestObserveOwners: what owners set in a workflow comes with the first pass, costs
// nothing while nobody pushes, and one request after a push.
func TestObserveOwners(t *testing.T) {
	s := serve(t)
	s.push("r1", `{"_export": {"outrider": {"threshold": "2h", "channel": "#etl"}}}`)
	s.schedules = 1
	s.start(1)
	check := func(out observe.Snapshot, labels map[string]string, revisions ...string) {
		t.Helper()
		if !maps.Equal(out.Schedules[0].Labels, labels) || len(out.Blind) > 0 {
			t.Errorf("of the schedule: %v, want %v; blind %q", out.Schedules[0].Labels, labels, out.Blind)
		}
		var got []string
		for _, r := range out.Runs {
			got = append(got, r.Revision)
			if !maps.Equal(r.Labels, labels) {
				t.Errorf("of run %s: %v, want %v", r.ID, r.Labels, labels)
			}
		}
		if !slices.Equal(got, revisions) {
			t.Errorf("revisions %q, want %q", got, revisions)
		}
	}
	two := map[string]string{observe.LabelThreshold: "2h", observe.LabelChannel: "#etl"}
	out := s.must(t, 1+1+1, nil)
	check(out, two, "r1")
	if string(out.Runs[0].Params) != `{}` {
		t.Errorf("params %s", out.Runs[0].Params)
	}
	out = s.must(t, 1+1+1, fields{"cursor": out.Cursor})
	check(out, two, "r1")

	// A push is seen by the schedule. What runs goes on in its own revision, under the
	// settings of now.
	s.push("r2", `{"_export": {"outrider": {"off": ["late", "missing"]}}}`)
	off := map[string]string{observe.LabelOff: "late,missing"}
	out = s.must(t, 1+1+1+1, fields{"cursor": out.Cursor})
	if last := s.asked[len(s.asked)-1]; last != "/api/projects/1/workflows" {
		t.Errorf("asked for %s", last)
	}
	check(out, off, "r1")
	s.start(1)
	out = s.must(t, 1+1+1, fields{"cursor": out.Cursor})
	check(out, off, "r1", "r2")

	// Without a schedule it is seen by the first attempt.
	s.schedules = 0
	s.push("r3", `{}`)
	out = s.must(t, 1+1+1, fields{"cursor": out.Cursor})
	s.start(1)
	out = s.must(t, 1+1+1+1, fields{"cursor": out.Cursor})
	for _, r := range out.Runs { // what the owner took away is gone of all of them
		if r.Labels == nil || len(r.Labels) > 0 {
			t.Errorf("run %s: labels %v, want them known to be none", r.ID, r.Labels)
		}
	}
	if r := out.Runs[2]; r.Revision != "r3" {
		t.Errorf("%+v", r)
	}
	s.must(t, 1+1+1, fields{"cursor": out.Cursor})
}

// TestObserveOwnersFaults: what the server does not give is asked for again; a project
// that is deleted has nothing to give.
func TestObserveOwnersFaults(t *testing.T) {
	const path = "/api/projects/1/workflows"
	s := serve(t)
	s.push("r1", `{"_export": {"outrider": {"threshold": "2h"}}}`)
	s.start(1)
	s.instead["/api/workflows"] = answer(403, "application/json", `{"message":"No","status":403}`)
	out, o := s.see(t, nil)
	if o.Err() != nil || len(out.Runs) != 1 || out.Runs[0].Labels != nil || len(out.Blind) != 1 || !strings.HasPrefix(out.Blind[0], "settings of the owners of workflows: ") {
		t.Fatalf("%v, %+v", o.Err(), out)
	}
	delete(s.instead, "/api/workflows")
	if out, _ = s.see(t, fields{"cursor": out.Cursor}); len(out.Blind) > 0 || out.Runs[0].Labels[observe.LabelThreshold] != "2h" {
		t.Errorf("%q, %v", out.Blind, out.Runs[0].Labels)
	}
	s.push("r2", `{"_export": {"outrider": {"threshold": "3h"}}}`)
	s.start(1)
	for _, code := range []int{500, 404} {
		s.instead[path] = answer(code, "application/json", fmt.Sprintf(`{"message":"No","status":%d}`, code))
		got, o := s.see(t, fields{"cursor": out.Cursor})
		if o.Err() != nil || got.Runs[1].Labels[observe.LabelThreshold] != "2h" || (len(got.Blind) > 0) != (code == 500) {
			t.Errorf("%d: %v, %q, %v", code, o.Err(), got.Blind, got.Runs)
		}
		delete(s.instead, path)
		asked := len(s.asked)
		s.see(t, fields{"cursor": got.Cursor})
		if again := slices.Contains(s.asked[asked:], path); again != (code == 500) {
			t.Errorf("after %d: asked again %v", code, again)
		}
	}
}

func TestLabelsOf(t *testing.T) {
	const threshold, channel, runbook, off = observe.LabelThreshold, observe.LabelChannel, observe.LabelRunbook, observe.LabelOff
	for config, want := range map[string]map[string]string{
		`{"_export": {"outrider": {"threshold": "usual*1.5", "channel": "#a", "runbook": "https://x", "off": true, "endpoint": "http://d"}}}`: {
			threshold: "usual*1.5", channel: "#a", runbook: "https://x", off: "true",
		},
		`{"_export": {"outrider": {"threshold": 7200, "off": ["late", 3, "running"]}}}`:   {threshold: "7200", off: "late,running"},
		`{"_export": {"outrider": {"off": false, "channel": {"a": 1}, "runbook": null}}}`: {off: "false"},
		`{"_export": {"outrider": {"threshold": "${t}", "channel": "#${c}"}}}`:            nil,
		`{"_export": {"outrider": "2h"}}`:                                                 nil,
		`{"_export": "x"}`:                                                                nil,
		`{"outrider": {"threshold": "2h"}}`:                                               nil,
		`{"+a": {"_export": {"outrider": {}}}}`:                                           nil,
		`[]`:                                                                              nil,
		``:                                                                                nil,
		`{"_export": {"outrider": {"channel": "` + strings.Repeat("x", mostLabel+1) + `"}}}`: nil,
	} {
		if got := labelsOf(json.RawMessage(config)); !maps.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%.100s: %v, want %v", config, got, want)
		}
	}
}

func TestPushedRevisions(t *testing.T) {
	push := func(revision string, ids ...string) (all []client.Workflow) {
		for _, id := range ids {
			all = append(all, client.Workflow{ID: client.ID(id), Name: "w" + id, Revision: revision})
		}
		return all
	}
	p := pushed{}.with(push("a", "3", "4")).with(push("b", "9", "8")).with(push("b", "8", "9")).with(nil)
	for id, want := range map[client.ID]string{"": "", "2": "", "3": "a", "7": "a", "8": "b", "9": "b"} {
		if got := p.revisionOf(id); got != want {
			t.Errorf("%s is of %q, want %q", id, got, want)
		}
	}
	if p = p.with(push("c", "20")); p.Newest != 20 || len(p.Revisions) != mostRevisions || p.revisionOf("3") != "" || p.revisionOf("9") != "b" {
		t.Errorf("%+v", p)
	}
}

// TestManyPushes: many pushes at once cost as many requests as the workflows have pages.
func TestManyPushes(t *testing.T) {
	known := map[client.ID]pushed{"1": {Newest: 5}, "2": {Newest: 9}}
	schedule := func(project, workflow string) client.Schedule {
		return client.Schedule{Project: client.Ref{ID: client.ID(project)}, Workflow: client.Ref{ID: client.ID(workflow)}}
	}
	got := news(known, []row{{Attempt: client.Attempt{Project: client.Ref{ID: "2"}, Workflow: client.Ref{ID: "12"}}}, {Attempt: client.Attempt{Project: client.Ref{ID: "2"}}}},
		[]client.Schedule{schedule("1", "5"), schedule("2", "11"), schedule("3", "2")})
	if want := map[client.ID]int64{"2": 12, "3": 2}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	s := serve(t)
	cursor := s.must(t, 1+1+1, nil).Cursor
	for n := range mostPushed + 1 {
		s.attempts.project = client.Ref{ID: client.ID(fmt.Sprint(n + 2)), Name: fmt.Sprint(n)}
		s.start(1)
	}
	out := s.must(t, 1+1+1+1, fields{"cursor": cursor})
	if last := s.asked[len(s.asked)-1]; last != "/api/workflows" {
		t.Errorf("asked for %s", last)
	}
	s.must(t, 1+1+1, fields{"cursor": out.Cursor})
}

func TestShortParams(t *testing.T) {
	long := `"` + strings.Repeat("x", mostValue) + `"`
	for params, want := range map[string]string{
		`{"b": 1, "a": {"c":[true]}}`: `{"a":{"c":[true]},"b":1}`,
		`{"last_session_time": "x", "next_session_date": "x", "last_executed_session_time": "x", "lasting": 1}`: `{"lasting":1}`,
		`{}`:   `{}`,
		`null`: `{}`,
		`[1]`:  ``,
		``:     ``,
	} {
		if got := string(shortParams(json.RawMessage(params))); got != want {
			t.Errorf("%s: %s, want %s", params, got, want)
		}
	}
	one, other := shortParams(json.RawMessage(`{"a":`+long+`}`)), shortParams(json.RawMessage(`{"a":`+strings.Replace(long, "x", "y", 1)+`}`))
	if len(one) > 60 || string(one) == string(other) || strings.Contains(string(one), "xxx") {
		t.Errorf("%s, %s", one, other)
	}
	many := map[string]string{}
	for n := range 2000 {
		many[fmt.Sprintf("key%04d", n)] = "value"
	}
	raw, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	if got := shortParams(raw); len(got) > mostParams || len(got) < mostParams/2 || !strings.Contains(string(got), "key0000") {
		t.Errorf("%d bytes", len(got))
	}
}
