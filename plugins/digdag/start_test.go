package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// startScript answers starts of demo/retry.
func startScript(t *testing.T, puts ...reply) script {
	return script{
		"GET /api/projects":             {{body: demo}},
		"GET /api/projects/1/workflows": {{body: workflowList("retry", "49")}},
		"PUT /api/attempts":             puts,
	}
}

type startSent struct {
	WorkflowID, RetryAttemptName string
	SessionTime                  time.Time
	Params                       map[string]json.RawMessage
}

func startsOf(t *testing.T, d *digdagServer) (list []startSent) {
	t.Helper()
	for _, r := range d.requests("PUT /api/attempts") {
		var s startSent
		if err := json.Unmarshal([]byte(r.body), &s); err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

// TestStartSendsParamsAsTheyAre, however odd or long.
func TestStartSendsParamsAsTheyAre(t *testing.T) {
	for _, value := range []any{"it's \"quoted\" ${x} $$\n\tünïcödé 漢字 🎉 </script>", strings.Repeat("x'\"$\n漢", 300<<10/8), json.Number("12345678901234567890"), map[string]any{"a": []any{nil, true}}, nil} {
		d := serveScript(t, startScript(t, reply{body: attemptOf(t, "32", isRunning)}))
		o := sdktest.RunJSON(t, startComponent(), toJSON(t, map[string]any{"endpoint": d.URL, "address": "demo/retry", "params": map[string]any{"v": value}}))
		var out startOutput
		if err := o.Decode(&out); err != nil || out.Existed || o.Unchanged || out.Run.ID != "32" || out.Run.State != observe.Running {
			t.Fatalf("%+v, %v", out, o.Err())
		}
		sent := startsOf(t, d)
		if len(sent) != 1 || !sameJSON(sent[0].Params["v"], json.RawMessage(toJSON(t, value))) {
			t.Errorf("%.60s: sent %.100s", toJSON(t, value), sent[0].Params["v"])
		}
	}
}

// TestStartTellsOfASessionThatThereIs, which is no error.
func TestStartTellsOfASessionThatThereIs(t *testing.T) {
	conflict := reply{status: 409, body: attemptOf(t, "32", map[string]any{"params": map[string]any{"who": "me", "last_session_time": "x"}})}
	for params, other := range map[string]bool{`{}`: false, `{"who":"me"}`: false, `{"who":"you"}`: true, `{"more":1}`: true} {
		d := serveScript(t, startScript(t, conflict))
		o := sdktest.RunJSON(t, startComponent(), `{"endpoint":"`+d.URL+`","address":"demo/retry@2026-11-21T01:00:00Z","params":`+params+`}`)
		var out startOutput
		if err := o.Decode(&out); err != nil || !o.Unchanged || !out.Existed || out.Run.State != observe.Failed || out.OtherParams != other {
			t.Errorf("%s: %+v, unchanged %v, %v", params, out, o.Unchanged, o.Err())
		}
	}
}

// TestStartNowTakesAFreeSecond, and the same one again in the run's retry.
func TestStartNowTakesAFreeSecond(t *testing.T) {
	taken, begun := reply{status: 409, body: attemptOf(t, "32", nil)}, reply{body: attemptOf(t, "33", isRunning)}
	d := serveScript(t, startScript(t, taken, taken, begun))
	params := `{"endpoint":"` + d.URL + `","address":"demo/retry"}`
	o := sdktest.RunJSON(t, startComponent(), params)
	sent := startsOf(t, d)
	if o.Err() != nil || len(sent) != 3 || sent[2].SessionTime.Sub(sent[0].SessionTime) != 2*time.Second || len(o.Checkpoints) != 3 {
		t.Fatalf("%v, %+v, %s", o.Err(), sent, o.Checkpoints)
	}
	// The answer got lost: the next try asks for the same, and it is the run's own.
	d = serveScript(t, startScript(t, reply{status: 409, body: attemptOf(t, "33", isRunning)}))
	o = sdktest.RunJSON(t, startComponent(), `{"endpoint":"`+d.URL+`","address":"demo/retry"}`, sdktest.Restore(o.Checkpoints[2]))
	var out startOutput
	again := startsOf(t, d)
	if err := o.Decode(&out); err != nil || out.Existed || o.Unchanged || len(again) != 1 || !again[0].SessionTime.Equal(sent[2].SessionTime) {
		t.Errorf("%+v, %v, %+v", out, o.Err(), again)
	}
}

// TestStartKeepsTheTimeBeforeItAsks: without the checkpoint nothing is started.
func TestStartKeepsTheTimeBeforeItAsks(t *testing.T) {
	d := serveScript(t, startScript(t, reply{body: attemptOf(t, "33", isRunning)}))
	o := sdktest.RunJSON(t, startComponent(), `{"endpoint":"`+d.URL+`","address":"demo/retry"}`, sdktest.OnCheckpoint(func([]byte) error { return errors.New("disk full") }))
	if o.State != sdktest.Failed || !strings.Contains(o.Error, "disk full") || len(startsOf(t, d)) != 0 {
		t.Errorf("%s %s", o.State, o.Error)
	}
}

func TestStartWaits(t *testing.T) {
	for name, c := range map[string]struct {
		last map[string]any
		code string
	}{"success": {isDone, ""}, "failure": {isFailed, "attempt_failed"}} {
		s := retrySession(t, sessionJSON(t, "32", nil), sessionJSON(t, "32", c.last))
		for k, v := range startScript(t, reply{body: attemptOf(t, "32", isRunning)}) {
			s[k] = v
		}
		out, o := sdktest.Run(t, start, startParams{source: serveScript(t, s).on(), Address: "demo/retry", Wait: true, pace: fast})
		if o.Code != c.code || c.code == "" && out.Run.ID != "32" {
			t.Errorf("%s: %q %s %+v", name, o.Code, o.Error, out)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for address, want := range map[string][2]string{
		"demo/retry+a":     {"bad_address", "Digdag starts no single task"},
		"demo/retry@never": {"bad_address", "want latest, today, a date"},
		"demo/rety":        {"not_found", "near: retry"},
		"dmo/retry":        {"not_found", "near: demo"},
	} {
		s := startScript(t)
		s["GET /api/projects"] = []reply{{handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if name := r.URL.Query().Get("name"); name == "dmo" {
				_, _ = w.Write([]byte(`{"projects":[]}`))
				return
			}
			_, _ = w.Write([]byte(demo))
		}}}
		s["GET /api/projects/1/workflows"] = []reply{{handle: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if r.URL.Query().Get("name") == "rety" {
				_, _ = w.Write([]byte(`{"workflows":[]}`))
				return
			}
			_, _ = w.Write([]byte(workflowList("retry", "49")))
		}}}
		d := serveScript(t, s)
		o := sdktest.RunJSON(t, startComponent(), `{"endpoint":"`+d.URL+`","address":"`+address+`"}`)
		if o.State != sdktest.Permanent || o.Code != want[0] || !strings.Contains(o.Error, want[1]) {
			t.Errorf("%s: %s %q %s", address, o.State, o.Code, o.Error)
		}
	}
	d := serveScript(t, startScript(t, reply{status: 400, body: sample(t, "error_400_too_many_attempts")}))
	if o := sdktest.RunJSON(t, startComponent(), `{"endpoint":"`+d.URL+`","address":"demo/retry"}`); o.State != sdktest.Failed || o.Code != client.CodeTooManyAttempts || !strings.Contains(o.Error, "Limit: 100") {
		t.Errorf("%s %q %s", o.State, o.Code, o.Error)
	}
}

func TestStartConforms(t *testing.T) {
	d := serveScript(t, startScript(t, reply{body: attemptOf(t, "32", isRunning)}))
	taken := serveScript(t, startScript(t, reply{status: 409, body: attemptOf(t, "32", nil)}))
	sdktest.Conform(t, startComponent(),
		sdktest.Case{Params: `{"endpoint":"` + d.URL + `","address":"demo/retry","user":"me","password":"correct horse"}`},
		sdktest.Case{Params: `{"endpoint":"` + taken.URL + `","address":"demo/retry@2026-11-21T01:00:00Z","secret_headers":{"x-key":"correct horse"}}`})
}

// TestFaults: what a server may do instead of answering, on each component's first
// request: what it is, whether a retry helps, and whom it is about.
func TestFaults(t *testing.T) {
	faults := map[string]struct {
		reply reply
		code  string
		state sdktest.State
		says  string
	}{
		"401":       {reply{status: 401, body: `{"message":"Unauthorized","status":401}`}, client.CodeUnauthorized, sdktest.Permanent, "set user and password"},
		"403":       {reply{status: 403, body: `{"message":"no","status":403}`}, client.CodeForbidden, sdktest.Permanent, "403: no"},
		"404":       {reply{status: 404, body: sample(t, "error_404_attempt")}, client.CodeNotFound, sdktest.Permanent, "32"},
		"404 empty": {reply{status: 404}, client.CodeNotFound, sdktest.Permanent, "32"},
		"409":       {reply{status: 409, body: sample(t, "error_409_kill_done")}, client.CodeConflict, sdktest.Permanent, "already killed or finished"},
		"429":       {reply{status: 429, body: "slow down"}, client.CodeRateLimited, sdktest.Failed, "429"},
		"500":       {reply{status: 500, body: "<html>Internal Server Error</html>", html: true}, client.CodeServerError, sdktest.Failed, "500"},
		"503":       {reply{status: 503}, client.CodeServerError, sdktest.Failed, "503"},
		"a page":    {reply{body: "<html>hello</html>", html: true}, client.CodeNotDigdag, sdktest.Permanent, "is this the base URL of a Digdag server"},
		"empty":     {reply{}, client.CodeBadAnswer, sdktest.Permanent, ""},
		"no JSON":   {reply{body: "{"}, client.CodeBadAnswer, sdktest.Permanent, ""},
		"another":   {reply{body: "[1]"}, client.CodeBadAnswer, sdktest.Permanent, ""},
		"cut":       {reply{handle: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}, client.CodeUnreachable, sdktest.Failed, ""},
		"cut within": {reply{handle: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"id":`))
		}}, client.CodeUnreachable, sdktest.Failed, ""},
		"slow": {reply{handle: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }}, client.CodeTimeout, sdktest.Failed, ""},
	}
	var calls sync.WaitGroup
	for fault, c := range faults {
		for name, call := range map[string]func(source) sdktest.Outcome{
			"start": func(s source) sdktest.Outcome {
				_, o := sdktest.Run(t, start, startParams{source: s, Address: "demo/retry@32"})
				return o
			},
			"retry": func(s source) sdktest.Outcome {
				_, o := sdktest.Run(t, retry, retryParams{source: s, Address: "demo/retry@32"})
				return o
			},
			"kill": func(s source) sdktest.Outcome {
				_, o := sdktest.Run(t, kill, killParams{source: s, Address: "demo/retry@32"})
				return o
			},
			"wait": func(s source) sdktest.Outcome {
				_, o := sdktest.Run(t, wait, waitParams{source: s, Address: "demo/retry@32"})
				return o
			},
			"logs": func(s source) sdktest.Outcome {
				_, o := sdktest.Run(t, logs, logsParams{source: s, Address: "demo/retry@32"})
				return o
			},
			"schedule": func(s source) sdktest.Outcome {
				_, o := sdktest.Run(t, schedule, scheduleParams{source: s, Address: "*", Action: "list"})
				return o
			},
		} {
			// All at once, since the client waits between its tries.
			calls.Go(func() {
				s := script{}
				for _, path := range []string{"projects", "attempts/32", "sessions/32", "workflows"} {
					s["GET /api/"+path] = []reply{c.reply}
				}
				d := serveScript(t, s)
				on := d.on()
				if fault == "slow" {
					on.RequestTimeout = 50 * time.Millisecond
				}
				o := call(on)
				says := c.says
				if says == "32" && (name == "start" || name == "schedule") {
					says = "404"
				}
				if o.State != c.state || o.Code != c.code || !strings.Contains(o.Error, says) || !strings.Contains(o.Error, "demo/retry") && name != "schedule" {
					t.Errorf("%s, %s: %s %q %s\nwant %s %q %s", fault, name, o.State, o.Code, o.Error, c.state, c.code, says)
				}
			})
		}
	}
	calls.Wait()
}

// TestHugeAnswer: what has no end is not read to it.
func TestHugeAnswer(t *testing.T) {
	d := serveScript(t, script{"GET /api/attempts/32": {{handle: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for block := []byte(strings.Repeat(" ", 1<<20)); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}}}})
	_, o := sdktest.Run(t, kill, killParams{source: d.on(), Address: "demo/retry@32"})
	if o.State != sdktest.Permanent || o.Code != client.CodeTooBig {
		t.Errorf("%s %q %s", o.State, o.Code, o.Error)
	}
}

// TestCancelInARequest: a server that never answers holds no component.
func TestCancelInARequest(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	d := serveScript(t, script{"GET /api/attempts/32": {{handle: func(_ http.ResponseWriter, r *http.Request) {
		cancel(errors.New("enough"))
		<-r.Context().Done()
	}}}})
	_, o := sdktest.Run(t, wait, waitParams{source: d.on(), Address: "demo/retry@32", pace: pace{Every: time.Hour, Outage: time.Hour}}, sdktest.Context(ctx))
	if o.State != sdktest.Cancelled || !strings.Contains(o.Error, "enough") {
		t.Errorf("%s %s", o.State, o.Error)
	}
}
