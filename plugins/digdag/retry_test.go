package main

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

func recordedTasks(t *testing.T, name string) []client.Task {
	t.Helper()
	return decoded[struct{ Tasks []client.Task }](t, name).Tasks
}

// TestPlanRetry: what Digdag resumes by, and what runs again, on recorded tasks.
func TestPlanRetry(t *testing.T) {
	tree := []client.Task{
		{ID: "1", FullName: "+w", IsGroup: true, State: client.TaskGroupError},
		{ID: "2", FullName: "+w+a", ParentID: "1", IsGroup: true, State: client.TaskSuccess},
		{ID: "3", FullName: "+w+a+x", ParentID: "2", State: client.TaskSuccess},
		{ID: "4", FullName: "+w+b", ParentID: "1", IsGroup: true, Upstreams: []client.ID{"2"}, State: client.TaskGroupError},
		{ID: "5", FullName: "+w+b+x", ParentID: "4", State: client.TaskSuccess},
		{ID: "6", FullName: "+w+b+y", ParentID: "4", Upstreams: []client.ID{"5"}, State: client.TaskFailed},
		{ID: "7", FullName: "+w+b+z", ParentID: "4", Upstreams: []client.ID{"6"}, State: client.TaskBlocked},
		{ID: "8", FullName: "+w+c", ParentID: "1", Upstreams: []client.ID{"4"}, State: client.TaskBlocked},
	}
	chain := []client.Task{
		{ID: "1", FullName: "+w", IsGroup: true, State: client.TaskGroupError},
		{ID: "2", FullName: "+w+a", ParentID: "1", State: client.TaskSuccess},
		{ID: "3", FullName: "+w+b", ParentID: "1", Upstreams: []client.ID{"2"}, State: client.TaskSuccess},
		{ID: "4", FullName: "+w+c", ParentID: "1", Upstreams: []client.ID{"3"}, State: client.TaskFailed},
	}
	for _, c := range []struct {
		name, workflow string
		tasks          []client.Task
		mode, from     string
		resume         *client.Resume
		freed          []string
		fails          string
	}{
		{"failed", "w", tree, "failed", "", &client.Resume{Attempt: "9"}, []string{"+w+b+y", "+w+b+z", "+w+c"}, ""},
		{"all", "w", tree, "all", "", nil, []string{"+w+a+x", "+w+b+x", "+w+b+y", "+w+b+z", "+w+c"}, ""},
		{"from a task", "w", tree, "from", "+b+y", &client.Resume{Attempt: "9", From: "+w+b+y"}, []string{"+w+b+y", "+w+b+z", "+w+c"}, ""},
		{"from a done one", "w", tree, "from", "+b+x", &client.Resume{Attempt: "9", From: "+w+b+x"}, []string{"+w+b+x", "+w+b+y", "+w+b+z", "+w+c"}, ""},
		{"from a group", "w", tree, "from", "+b", &client.Resume{Attempt: "9", From: "+w+b"}, []string{"+w+b+x", "+w+b+y", "+w+b+z", "+w+c"}, ""},
		{"at the end of a chain", "w", chain, "from", "+c", &client.Resume{Attempt: "9", From: "+w+c"}, []string{"+w+c"}, ""},
		{"behind a failed one", "w", tree, "from", "+c", nil, nil, "+w+b comes before +w+c and is group_error, not success"},
		{"unknown", "w", tree, "from", "+d", nil, nil, `no task "+d" in attempt 9`},
		{"recorded", "error", recordedTasks(t, "tasks_error"), "failed", "", &client.Resume{Attempt: "9"}, []string{"+error+fail", "+error+never"}, ""},
		{"a group that was retried", "gretry", recordedTasks(t, "tasks_gretry"), "failed", "", nil, nil, "has +gretry+g+x more than once"},
		{"the same, from", "gretry", recordedTasks(t, "tasks_gretry"), "from", "+g", nil, nil, "more than once"},
		{"the same, all", "gretry", recordedTasks(t, "tasks_gretry"), "all", "", nil, []string{"+gretry+g+x", "+gretry+g+y", "+gretry^failure-alert"}, ""},
	} {
		a := client.Attempt{ID: "9", Workflow: client.Ref{Name: c.workflow}}
		p, err := planRetry(a, c.tasks, c.mode, c.from)
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("%s: %v, want %q", c.name, err, c.fails)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(p.resume, c.resume) || !reflect.DeepEqual(p.freed, c.freed) {
			t.Errorf("%s: %+v %q, %v", c.name, p.resume, p.freed, err)
		}
	}
}

func TestMergedParams(t *testing.T) {
	over := map[string]json.RawMessage{"a": json.RawMessage(`{"y":2,"z":{"n":null}}`), "b": json.RawMessage(`[1]`), "new": json.RawMessage(`"it's \"$x\"\n漢"`)}
	got, err := merge(json.RawMessage(`{"a":{"x":12345678901234567890,"z":{"k":1}},"b":{"c":1},"keep":null}`), over)
	if want := `{"a":{"x":12345678901234567890,"y":2,"z":{"k":1,"n":null}},"b":[1],"keep":null,"new":"it's \"$x\"\n漢"}`; err != nil || toJSON(t, got) != want {
		t.Errorf("%s, %v\nwant %s", toJSON(t, got), err, want)
	}
}

func retryScript(t *testing.T) script {
	one := attemptOf(t, "32", map[string]any{"workflow": map[string]any{"name": "error", "id": "50"}, "params": map[string]any{"who": "me"}})
	return script{
		"GET /api/attempts/32":          {{body: one}},
		"GET /api/attempts/32/retries":  {{body: `{"attempts":[` + one + `]}`}},
		"GET /api/attempts/32/tasks":    {{body: sample(t, "tasks_error")}},
		"GET /api/projects/1/workflows": {{body: workflowList("error", "77")}},
		"PUT /api/attempts":             {{body: attemptOf(t, "36", map[string]any{"index": 2, "retryAttemptName": "x", "done": false})}},
	}
}

func TestRetry(t *testing.T) {
	d := serveScript(t, retryScript(t))
	o := sdktest.RunJSON(t, retryComponent(), `{"endpoint":"`+d.URL+`","address":"demo/error@32","params":{"more":[1]}}`, sdktest.Key("k"))
	var out retryOutput
	if err := o.Decode(&out); err != nil || o.Unchanged || out.Retried != 1 {
		t.Fatalf("%+v, %v %v", out, err, o.Err())
	}
	one := out.Attempts[0]
	if one.New == nil || one.New.ID != "36" || one.Old.ID != "32" || one.SessionUUID != "b7c07b4e-3540-4752-8707-28b3096bf4ec" || !reflect.DeepEqual(one.Tasks, []string{"+error+fail", "+error+never"}) {
		t.Errorf("%+v", one)
	}
	var sent struct {
		WorkflowID, SessionTime, RetryAttemptName string
		Resume                                    map[string]string
		Params                                    map[string]any
	}
	puts := d.requests("PUT /api/attempts")
	if err := json.Unmarshal([]byte(puts[0].body), &sent); err != nil {
		t.Fatal(err)
	}
	if sent.WorkflowID != "77" || !strings.HasPrefix(sent.SessionTime, "2026-11-21T01:00:00") || !strings.HasPrefix(sent.RetryAttemptName, "outrider-") ||
		sent.Resume["mode"] != "failed" || sent.Resume["attemptId"] != "32" || toJSON(t, sent.Params) != `{"more":[1],"who":"me"}` {
		t.Errorf("%+v", sent)
	}

	// The run's own retry finds what it started, under the address too.
	s := retryScript(t)
	first := s["GET /api/attempts/32"][0].body
	mine := attemptOf(t, "36", map[string]any{"index": 2, "retryAttemptName": sent.RetryAttemptName, "done": false, "workflow": map[string]any{"name": "error", "id": "77"}})
	s["GET /api/attempts/36"] = []reply{{body: mine}}
	for _, id := range []string{"32", "36"} {
		s["GET /api/attempts/"+id+"/retries"] = []reply{{body: `{"attempts":[` + first + `,` + mine + `]}`}}
		d = serveScript(t, s)
		o = sdktest.RunJSON(t, retryComponent(), `{"endpoint":"`+d.URL+`","address":"demo/error@`+id+`"}`, sdktest.Key("k"))
		if err := o.Decode(&out); err != nil || out.Attempts[0].New.ID != "36" || out.Attempts[0].Old.ID != "32" || len(out.Attempts[0].Tasks) != 2 || len(d.requests("PUT /api/attempts")) != 0 {
			t.Errorf("%s: %+v, %v, %d starts", id, out, o.Err(), len(d.requests("PUT /api/attempts")))
		}
	}
	// Another run's is retried in turn.
	d = serveScript(t, s)
	o = sdktest.RunJSON(t, retryComponent(), `{"endpoint":"`+d.URL+`","address":"demo/error@32"}`, sdktest.Key("other"))
	if o.Code != "still_running" || !strings.Contains(o.Error, "attempt 36") {
		t.Errorf("%q %s", o.Code, o.Error)
	}
}

// TestRetryBesideAnOlderAttempt: a retry of the session may have ended before the
// attempt that it was meant to replace.
func TestRetryBesideAnOlderAttempt(t *testing.T) {
	of := func(id string, state map[string]any) string {
		change := map[string]any{"workflow": map[string]any{"name": "error", "id": "50"}}
		maps.Copy(change, state)
		return attemptOf(t, id, change)
	}
	for name, c := range map[string]struct {
		older, last map[string]any
		code        string
		puts        int
	}{
		"the older one runs":          {isRunning, isFailed, "still_running", 0},
		"both have ended":             {isFailed, isFailed, "", 1},
		"there is nothing to be done": {isRunning, isDone, "", 0},
	} {
		s := retryScript(t)
		s["GET /api/attempts/32"] = []reply{{body: of("32", c.last)}}
		s["GET /api/attempts/32/retries"] = []reply{{body: `{"attempts":[` + of("30", c.older) + `,` + of("32", c.last) + `]}`}}
		d := serveScript(t, s)
		o := sdktest.RunJSON(t, retryComponent(), `{"endpoint":"`+d.URL+`","address":"demo/error@32"}`)
		if o.Code != c.code || len(d.requests("PUT /api/attempts")) != c.puts || c.code != "" && !strings.Contains(o.Error, "attempt 30 of demo/error@") {
			t.Errorf("%s: %q %s, %d starts", name, o.Code, o.Error, len(d.requests("PUT /api/attempts")))
		}
	}
}

func TestRetryChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		change    map[string]any
		params    string
		code      string
		unchanged bool
	}{
		"a success":     {isDone, `"mode":"failed"`, "", true},
		"one that runs": {isRunning, `"mode":"all"`, "still_running", false},
		"a dry run":     {isFailed, `"dry_run":true`, "", false},
		"unknown task":  {isFailed, `"mode":"from","from":"+nevr"`, "not_found", false},
		"no task":       {isFailed, `"mode":"from"`, "bad_params", false},
	} {
		s := retryScript(t)
		one := attemptOf(t, "32", map[string]any{"workflow": map[string]any{"name": "error", "id": "50"}})
		var all map[string]any
		_ = json.Unmarshal([]byte(one), &all)
		for k, v := range c.change {
			all[k] = v
		}
		s["GET /api/attempts/32"] = []reply{{body: toJSON(t, all)}}
		s["GET /api/attempts/32/retries"] = []reply{{body: `{"attempts":[` + toJSON(t, all) + `]}`}}
		d := serveScript(t, s)
		o := sdktest.RunJSON(t, retryComponent(), `{"endpoint":"`+d.URL+`","address":"demo/error@32",`+c.params+`}`)
		if o.Code != c.code || o.Unchanged != c.unchanged || len(d.requests("PUT /api/attempts")) != 0 {
			t.Errorf("%s: %q %s unchanged %v", name, o.Code, o.Error, o.Unchanged)
		}
	}
}

// TestRetryInBulk: the oldest first, no more than asked for, and a failure stops no
// other.
func TestRetryInBulk(t *testing.T) {
	s := script{
		"GET /api/attempts": {{body: sample(t, "attempts")}},
		"GET /api/projects/1/workflows": {{handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, workflowList(r.URL.Query().Get("name"), "77"))
		}}},
		"PUT /api/attempts": {{body: attemptOf(t, "36", nil)}},
	}
	for _, a := range decoded[struct{ Attempts []map[string]any }](t, "attempts").Attempts {
		id := a["id"].(string)
		s["GET /api/attempts/"+id+"/retries"] = []reply{{body: `{"attempts":[` + toJSON(t, a) + `]}`}}
		s["GET /api/attempts/"+id+"/tasks"] = []reply{{body: sample(t, "tasks_error")}}
	}
	s["GET /api/attempts/8/tasks"] = []reply{{body: sample(t, "tasks_gretry")}}
	for name, c := range map[string]struct {
		params             string
		retried, bad, left int
		puts               int
		code               string
	}{
		"all":     {`"at_most":4,"mode":"failed"`, 3, 1, 0, 3, "partly_failed"},
		"partial": {`"at_most":4,"partial":true`, 3, 1, 0, 3, ""},
		"at most": {`"at_most":3,"partial":true`, 0, 0, 0, 0, "too_many"},
		"dry":     {`"at_most":3,"dry_run":true`, 3, 0, 1, 0, ""},
		"none":    {`"since":"2026-11-22T00:00:00Z"`, 0, 0, 0, 0, ""},
	} {
		d := serveScript(t, s)
		// error, js, retry and gretry of demo failed between 23:12:48 and 23:12:57.
		params := `{"endpoint":"` + d.URL + `","address":"d?mo/[ejrg]*","since":"2026-11-21T23:12:48Z",` + c.params + `}`
		if strings.Contains(c.params, "since") {
			params = `{"endpoint":"` + d.URL + `","address":"demo/*",` + c.params + `}`
		}
		o := sdktest.RunJSON(t, retryComponent(), params)
		var out retryOutput
		if o.Code != c.code || len(d.requests("PUT /api/attempts")) != c.puts {
			t.Errorf("%s: %q %s, %d starts", name, o.Code, o.Error, len(d.requests("PUT /api/attempts")))
			continue
		}
		if c.code != "" {
			want := map[string]string{"partly_failed": "1 of 4 could not be retried, the first demo/gretry@", "too_many": "4 attempts match, more than at_most 3: nothing was done"}[c.code]
			if !strings.Contains(o.Error, want) {
				t.Errorf("%s: %s", name, o.Error)
			}
			continue
		}
		if err := o.Decode(&out); err != nil || out.Retried != c.retried || out.Failed != c.bad || out.Left != c.left || len(out.Attempts) != c.retried+c.bad {
			t.Errorf("%s: %+v, %v", name, out, err)
		}
		if c.retried > 0 && out.Attempts[0].Old.Workflow != "js" {
			t.Errorf("%s: the first is %s", name, out.Attempts[0].Old.Address)
		}
		for _, a := range out.Attempts {
			if a.Old.Workflow == "gretry" && (a.Code != "cannot_resume" || a.New != nil) {
				t.Errorf("%s: %+v", name, a)
			}
		}
	}
}

// TestRetryOfAProjectAlone is not taken for a retry of all that it has.
func TestRetryOfAProjectAlone(t *testing.T) {
	for _, address := range []string{"demo", "digdag:demo", "demo@today"} {
		d := serveScript(t, script{})
		o := sdktest.RunJSON(t, retryComponent(), `{"endpoint":"`+d.URL+`","address":"`+address+`"}`)
		if o.State != sdktest.Permanent || o.Code != "bad_address" || !strings.Contains(o.Error, "write "+strings.TrimSuffix(address, "@today")+"/* to retry all") {
			t.Errorf("%s: %s %q %s", address, o.State, o.Code, o.Error)
		}
	}
}

func TestRetryConforms(t *testing.T) {
	d := serveScript(t, retryScript(t))
	sdktest.Conform(t, retryComponent(),
		sdktest.Case{Params: `{"endpoint":"` + d.URL + `","address":"demo/error@32","user":"me","password":"correct horse","dry_run":true}`},
		sdktest.Case{Params: `{"endpoint":"` + d.URL + `","address":"demo/error@32","secret_headers":{"x-key":"correct horse"}}`})
}
