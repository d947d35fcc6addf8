package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

const triggers = "POST /dags/daily/dagRuns"

// triggerPlay answers for daily, which starts r1.
func triggerPlay(t *testing.T, api int, dag map[string]any, run answer) play {
	return play{
		"GET /dags/daily/details":    {{body: dagIs(t, api, dag)}},
		triggers:                     {run},
		"GET /dags/daily/dagRuns/r1": {{body: runIn(t, api, "r1", "success", map[string]any{"conf": map[string]any{"a": 1, "region": "eu"}})}},
	}
}

func TestTrigger(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		queued := answer{body: runIn(t, api, "r1", "queued", nil)}
		s := actsOn(t, api, triggerPlay(t, api, nil, queued))
		conf := map[string]json.RawMessage{"a": json.RawMessage(`"it's \"x\" 漢字"`)}
		out, o := sdktest.Run(t, triggerRun, triggerParams{source: s.on(), Address: "daily@2026-11-22T07:00:00+09:00", RunID: "r1", Conf: conf, Note: "n"})
		if o.Err() != nil || o.Unchanged || out.Run.Session != "r1" || out.Run.State != observe.Queued || out.Existed || out.Paused {
			t.Errorf("%+v, %v", out, o.Err())
		}
		var sent struct {
			Logical *time.Time `json:"logical_date"`
			ID      string     `json:"dag_run_id"`
			Conf    map[string]string
			Note    string
		}
		if err := json.Unmarshal([]byte(s.requests(triggers)[0].body), &sent); err != nil || sent.ID != "r1" || sent.Note != "n" || sent.Conf["a"] != `it's "x" 漢字` || !sent.Logical.Equal(time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)) {
			t.Errorf("%+v, %v", sent, err)
		}

		// Without a logical date Airflow 3 has to be told so, and Airflow 2 may not be.
		s = actsOn(t, api, triggerPlay(t, api, nil, queued))
		_, o = sdktest.Run(t, triggerRun, triggerParams{source: s.on(), Address: "daily"})
		body := s.requests(triggers)[0].body
		if o.Err() != nil || strings.Contains(body, `"logical_date":null`) != (api == 2) || !strings.Contains(body, `"dag_run_id":"outrider-`) {
			t.Errorf("%v %s", o.Err(), body)
		}
	})
}

// TestTriggerIsIdempotent: what is there already, by its id or its logical date.
func TestTriggerIsIdempotent(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		conflict := answer{status: 409, body: `{"detail":"there is one","title":"Conflict"}`}
		conf := func(text string) map[string]json.RawMessage {
			return map[string]json.RawMessage{"a": json.RawMessage(text)}
		}
		for name, c := range map[string]struct {
			params    triggerParams
			byDate    bool
			existed   bool
			otherConf bool
		}{
			"its id":       {triggerParams{Address: "daily", RunID: "r1", Conf: conf("1")}, false, true, false},
			"another conf": {triggerParams{Address: "daily@r1", Conf: conf("2")}, false, true, true},
			"its date":     {triggerParams{Address: "daily@2026-11-22"}, true, true, false},
		} {
			p := triggerPlay(t, api, nil, conflict)
			if c.byDate {
				p["GET /dags/daily/dagRuns"] = []answer{{body: runs(runIn(t, api, "r1", "success", map[string]any{"logical_date": "2026-11-22T00:00:00Z", "execution_date": "2026-11-22T00:00:00Z"}))}}
				p["GET /dags/daily/dagRuns/other"] = []answer{nothing} // our own id
				c.params.RunID = "other"
			}
			s := actsOn(t, api, p)
			c.params.source = s.on()
			out, o := sdktest.Run(t, triggerRun, c.params)
			if o.Err() != nil || o.Unchanged != c.existed || out.Existed != c.existed || out.OtherConf != c.otherConf || out.Run.Session != "r1" {
				t.Errorf("%s: %+v, %v", name, out, o.Err())
			}
		}
	})
}

// TestTriggerOnceMore: a retry of the run finds what it started itself, and that is no
// more than what was wanted.
func TestTriggerOnceMore(t *testing.T) {
	const id = "outrider-78abe6b8b1f0f109" // of the key k and the address
	p := triggerPlay(t, 2, nil, answer{status: 409, body: `{"detail":"there is one"}`})
	p["GET /dags/daily/dagRuns/"+id] = []answer{{body: runIn(t, 2, id, "running", nil)}}
	out, o := sdktest.Run(t, triggerRun, triggerParams{source: actsOn(t, 2, p).on(), Address: "daily"}, sdktest.Key("k"))
	if o.Err() != nil || o.Unchanged || out.Existed || out.Run.Session != id || !heard(o, "an earlier try of this run started it") {
		t.Errorf("%+v, %v", out, o.Err())
	}
}

// TestTriggerOwnID: equal for a retry, and for no other call of the same task.
func TestTriggerOwnID(t *testing.T) {
	conf := func(text string) map[string]json.RawMessage {
		return map[string]json.RawMessage{"region": json.RawMessage(text), "a": json.RawMessage("1")}
	}
	seen := map[string]string{}
	for name, c := range map[string]struct {
		key string
		p   triggerParams
	}{
		"eu":           {"k", triggerParams{Address: "daily", Conf: conf(`"eu"`)}},
		"us":           {"k", triggerParams{Address: "daily", Conf: conf(`"us"`)}},
		"no conf":      {"k", triggerParams{Address: "daily"}},
		"another DAG":  {"k", triggerParams{Address: "hourly", Conf: conf(`"eu"`)}},
		"a date":       {"k", triggerParams{Address: "daily@2026-11-22", Conf: conf(`"eu"`)}},
		"another date": {"k", triggerParams{Address: "daily", LogicalDate: "2026-11-21", Conf: conf(`"eu"`)}},
		"another task": {"l", triggerParams{Address: "daily", Conf: conf(`"eu"`)}},
	} {
		sent := map[string]bool{}
		for range 2 {
			p := triggerPlay(t, 2, nil, answer{body: runIn(t, 2, "r1", "queued", nil)})
			p["GET /dags/hourly/details"], p["POST /dags/hourly/dagRuns"] = p["GET /dags/daily/details"], p[triggers]
			s := actsOn(t, 2, p)
			c.p.source = s.on()
			if _, o := sdktest.Run(t, triggerRun, c.p, sdktest.Key(c.key)); o.Err() != nil {
				t.Fatal(o.Err())
			}
			var body struct {
				ID string `json:"dag_run_id"`
			}
			if err := json.Unmarshal([]byte(append(s.requests(triggers), s.requests("POST /dags/hourly/dagRuns")...)[0].body), &body); err != nil {
				t.Fatal(err)
			}
			sent[body.ID] = true
			if other := seen[body.ID]; other != "" && other != name || body.ID == "" {
				t.Errorf("%s has the id of %s: %s", name, other, body.ID)
			}
			seen[body.ID] = name
		}
		if len(sent) != 1 {
			t.Errorf("%s: a retry has another id: %v", name, sent)
		}
	}
}

// TestTriggerOnceMoreOfOneThatEnded: a task that is cleared, or tried again after the
// run it waited for failed, starts nothing and says so.
func TestTriggerOnceMoreOfOneThatEnded(t *testing.T) {
	for name, c := range map[string]struct {
		state, id string
		wait      bool
		code      string
	}{
		"succeeded":           {"success", "", false, ""},
		"succeeded, waited":   {"success", "", true, ""},
		"failed":              {"failed", "", false, ""},
		"failed, waited":      {"failed", "", true, "run_failed"},
		"failed, by its name": {"failed", "r1", true, "run_failed"},
	} {
		p := waitPlay(t, 2, c.state)
		for at, list := range triggerPlay(t, 2, nil, answer{status: 409, body: `{"detail":"there is one"}`}) {
			p[at] = list
		}
		params := triggerParams{Address: "daily", RunID: c.id, Wait: c.wait, pace: atOnce}
		p["GET /dags/daily/dagRuns/r1"] = []answer{{body: runIn(t, 2, "r1", c.state, nil)}}
		const own = "outrider-78abe6b8b1f0f109"
		p["GET /dags/daily/dagRuns/"+own] = []answer{{body: runIn(t, 2, own, c.state, nil)}}
		p["GET /dags/daily/dagRuns/"+own+"/taskInstances"] = p["GET /dags/daily/dagRuns/r1/taskInstances"]
		params.source = actsOn(t, 2, p).on()
		out, o := sdktest.Run(t, triggerRun, params, sdktest.Key("k"))
		if o.Code != c.code || c.code == "" && (!o.Unchanged || !out.Existed || !heard(o, "it has ended since: nothing was started")) {
			t.Errorf("%s: %q %s, %+v, %+v", name, o.Code, o.Error, out, o.Logs)
		}
		if at := map[bool]string{true: own, false: "r1"}[c.id == ""]; c.code != "" && !strings.Contains(o.Error, "clear it (airflow.clear daily@"+at+"), or give run_id") {
			t.Errorf("%s: %s", name, o.Error)
		}
	}
}

func TestTriggerSaysWhyNothingStarts(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		queued := answer{body: runIn(t, api, "r1", "queued", nil)}
		stale := map[int]map[string]any{1: {"is_active": false}, 2: {"is_stale": true}}[api]
		broken := map[string]any{"has_import_errors": true, "fileloc": "/dags/daily.py", "relative_fileloc": "daily.py"}
		for name, c := range map[string]struct {
			dag     map[string]any
			wait    bool
			unpause bool
			code    string
			says    string
			sent    int
		}{
			"paused":         {map[string]any{"is_paused": true}, false, false, "", "the DAG is paused: the run stays queued", 1},
			"paused, waited": {map[string]any{"is_paused": true}, true, false, "dag_paused", "nothing was done", 0},
			"unpaused":       {map[string]any{"is_paused": true}, false, true, "", "the DAG was paused and goes on", 1},
			"stale":          {stale, false, false, "dag_stale", "daily is in no file any more", 0},
			"broken":         {broken, false, false, "dag_broken", "cannot be read, so that Airflow starts no run of it: /dags/daily.py: ValueError: no", 0},
		} {
			p := triggerPlay(t, api, c.dag, queued)
			p["PATCH /dags/daily"] = []answer{{body: dagIs(t, api, map[string]any{"is_paused": false})}}
			p["GET /importErrors"] = []answer{{body: `{"import_errors":[{"import_error_id":1,"timestamp":"2026-11-21T23:00:00Z","filename":"/dags/daily.py","stack_trace":"Traceback\n  File x\nValueError: no\n"}],"total_entries":1}`}}
			s := actsOn(t, api, p)
			out, o := sdktest.Run(t, triggerRun, triggerParams{source: s.on(), Address: "daily", Wait: c.wait, Unpause: c.unpause, pace: atOnce})
			if o.Code != c.code || !strings.Contains(o.Error, c.says) && !heard(o, c.says) || len(s.requests(triggers)) != c.sent || out.Paused != (name == "paused") {
				t.Errorf("%s: %q %s, %+v, sent %d\n%+v", name, o.Code, o.Error, out, len(s.requests(triggers)), o.Logs)
			}
			if patched := len(s.requests("PATCH /dags/daily")); (patched == 1) != c.unpause {
				t.Errorf("%s: unpaused %d times", name, patched)
			}
		}
	})
}

func TestTriggerWaits(t *testing.T) {
	p := triggerPlay(t, 2, nil, answer{body: runIn(t, 2, "r1", "queued", nil)})
	for at, list := range waitPlay(t, 2, "running", "failed") {
		p[at] = list
	}
	p["GET /dags/daily/details"] = []answer{{body: dagIs(t, 2, nil)}}
	_, o := sdktest.Run(t, triggerRun, triggerParams{source: actsOn(t, 2, p).on(), Address: "daily", Wait: true, pace: atOnce})
	if o.Code != "run_failed" || !strings.Contains(o.Error, "sum failed in try 1") {
		t.Errorf("%q %s", o.Code, o.Error)
	}
}

func TestPlanTrigger(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 21, 23, 30, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		p       triggerParams
		id      string
		own     bool
		logical string // of UTC
		says    string
	}{
		"nothing":        {p: triggerParams{Address: "daily"}, id: "own", own: true},
		"today":          {p: triggerParams{Address: "daily@today"}, id: "own", own: true, logical: "2026-11-21T23:00:00Z"},
		"a date":         {p: triggerParams{Address: "daily@2026-07-01"}, id: "own", own: true, logical: "2026-06-30T22:00:00Z"},
		"a date by name": {p: triggerParams{Address: "daily", LogicalDate: "2026-07-01"}, id: "own", own: true, logical: "2026-06-30T22:00:00Z"},
		"an id":          {p: triggerParams{Address: "daily@x+1"}, id: "x+1"},
		"an id and date": {p: triggerParams{Address: "daily@x", LogicalDate: "2026-07-01T00:00:00Z"}, id: "x", logical: "2026-07-01T00:00:00Z"},
		"an id twice":    {p: triggerParams{Address: "daily@x", RunID: "x"}, id: "x"},
		"two ids":        {p: triggerParams{Address: "daily@x", RunID: "y"}, says: "names another"},
		"two dates":      {p: triggerParams{Address: "daily@today", LogicalDate: "2026-07-01"}, says: "names one, too"},
		"the latest":     {p: triggerParams{Address: "daily@latest"}, says: "names a run that there is"},
		"no date":        {p: triggerParams{Address: "daily", LogicalDate: "soon"}, says: `logical_date "soon": want today`},
	} {
		a, err := address.Parse(c.p.Address)
		if err != nil {
			t.Fatal(err)
		}
		got, err := planTrigger(a, c.p, berlin, now, "own")
		logical := ""
		if !got.Logical.IsZero() {
			logical = got.Logical.UTC().Format(time.RFC3339)
		}
		if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) || c.says == "" && (err != nil || got.ID != c.id || got.own != c.own || logical != c.logical) {
			t.Errorf("%s: %+v (%s), %v", name, got, logical, err)
		}
	}
}

func TestTriggerTellsRefusals(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		for code, a := range map[string]answer{
			client.CodeForbidden:   {status: 403, body: recorded(t, api, "viewer-trigger", nil)},
			client.CodeRateLimited: {status: 429, body: `{"detail":"slow down"}`},
			client.CodeBadRequest:  {status: 400, body: `{"detail":"Invalid input for param a"}`},
		} {
			p := triggerPlay(t, api, nil, a)
			p["GET /dags"] = []answer{{body: `{"dags":[` + dagIs(t, api, nil) + `],"total_entries":1}`}} // we may look
			_, o := sdktest.Run(t, triggerRun, triggerParams{source: actsOn(t, api, p).on(), Address: "daily", RunID: "r1"})
			if o.Code != code || (o.State == sdktest.Failed) != (code == client.CodeRateLimited) {
				t.Errorf("%s: %s %q %s", code, o.State, o.Code, o.Error)
			}
		}
	})
}

func TestTriggerConforms(t *testing.T) {
	s := actsOn(t, 2, triggerPlay(t, 2, nil, answer{body: runIn(t, 2, "r1", "queued", nil)}))
	sdktest.Conform(t, triggerComponent(), sdktest.Case{Params: `{"endpoint":"` + s.URL + `","address":"daily","token":"correct horse"}`})
}
