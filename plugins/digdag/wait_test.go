package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// retrySession answers for session 31 of demo/retry, whose states follow each other.
func retrySession(t *testing.T, states ...string) script {
	s := script{
		"GET /api/attempts/32":         {{body: attemptOf(t, "32", isRunning)}},
		"GET /api/attempts/34":         {{body: attemptOf(t, "34", map[string]any{"done": true, "success": true, "index": 2})}},
		"GET /api/attempts/32/tasks":   {{body: sample(t, "tasks_error")}},
		"GET /api/attempts/34/tasks":   {{body: sample(t, "tasks_ok")}},
		"GET /api/projects/1/sessions": {{body: noSessions}},
		"GET /api/projects/1":          {{body: sample(t, "project")}},
		"GET /api/sessions/31":         {},
	}
	for _, body := range states {
		s["GET /api/sessions/31"] = append(s["GET /api/sessions/31"], reply{body: body})
	}
	return s
}

func waitParamsOf(d *digdagServer) waitParams {
	return waitParams{source: d.on(), Address: "demo/retry@32", pace: fast}
}

func TestWaitFollowsARetry(t *testing.T) {
	d := serveScript(t, retrySession(t, sessionJSON(t, "32", nil), sessionJSON(t, "32", isFailed), sessionJSON(t, "34", nil), sessionJSON(t, "34", isDone)))
	p := waitParamsOf(d)
	p.Grace = time.Hour
	out, o := sdktest.Run(t, wait, p)
	if o.Err() != nil || out.Run.ID != "34" || out.Run.State != observe.Success || out.Attempts != 2 {
		t.Errorf("%+v, %v", out, o.Err())
	}
	if got := len(d.requests("GET /api/projects/1/sessions")); got != 1 {
		t.Errorf("the history was asked for %d times", got)
	}
}

func TestWaitFailsAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		flags    map[string]any
		grace    time.Duration
		code     string
		contains string
	}{
		"failed":          {isFailed, 0, "attempt_failed", "attempt 32 of demo/retry@2026-11-21T01:00:00Z ended as error: +error+fail: Command failed with code 3 (runtime)"},
		"after the grace": {isFailed, 20 * time.Millisecond, "attempt_failed", "ended as error"},
		"killed":          {map[string]any{"done": true, "cancelRequested": true}, 0, "attempt_killed", "ended as killed"},
	} {
		t.Run(name, func(t *testing.T) {
			d := serveScript(t, retrySession(t, sessionJSON(t, "32", c.flags)))
			p := waitParamsOf(d)
			p.Grace = c.grace
			_, o := sdktest.Run(t, wait, p)
			if o.State != sdktest.Failed || o.Code != c.code || !strings.Contains(o.Error, c.contains) {
				t.Errorf("%s %q %s", o.State, o.Code, o.Error)
			}
		})
	}
}

func TestWaitTellsWhatIsGone(t *testing.T) {
	other := strings.Replace(sessionJSON(t, "32", nil), "b7c07b4e", "00000000", 1)
	for name, c := range map[string]struct {
		session reply
		attempt reply
		code    string
	}{
		"the project":        {reply{status: 404, body: `{"message":"Project id=1 is already deleted at 2026-11-21T23:28:06Z","status":404}`}, reply{body: attemptOf(t, "32", isRunning)}, "project_deleted"},
		"all":                {reply{status: 404, body: notThere}, reply{status: 404, body: notThere}, "ids_reset"},
		"the number's owner": {reply{body: other}, reply{body: attemptOf(t, "32", isRunning)}, "ids_reset"},
	} {
		t.Run(name, func(t *testing.T) {
			s := retrySession(t, sessionJSON(t, "32", nil))
			s["GET /api/sessions/31"] = append(s["GET /api/sessions/31"], c.session)
			s["GET /api/attempts/32"] = append(s["GET /api/attempts/32"], c.attempt)
			d := serveScript(t, s)
			_, o := sdktest.Run(t, wait, waitParamsOf(d))
			if o.State != sdktest.Permanent || o.Code != c.code || !strings.Contains(o.Error, "demo") {
				t.Errorf("%s %q %s", o.State, o.Code, o.Error)
			}
		})
	}
}

// TestWaitForARetryThatCannotCome: what a deleted project runs ends, and no more.
func TestWaitForARetryThatCannotCome(t *testing.T) {
	for _, task := range []string{"", "+fail"} {
		s := retrySession(t, strings.ReplaceAll(sessionJSON(t, "32", isFailed), `"retry"`, `"error"`))
		s["GET /api/attempts/32"] = []reply{{body: attemptOf(t, "32", map[string]any{"workflow": map[string]any{"name": "error", "id": "50"}})}}
		s["GET /api/projects/1"] = []reply{{body: sample(t, "project")}, {status: 404, body: `{"message":"Project id=1 is already deleted at 2026-11-21T23:28:06Z","status":404}`}}
		p := waitParamsOf(serveScript(t, s))
		p.Address, p.Grace = "demo/error@32"+task, time.Hour
		if _, o := sdktest.Run(t, wait, p); o.State != sdktest.Permanent || o.Code != "project_deleted" || !strings.Contains(o.Error, "already deleted") {
			t.Errorf("%s %q %s", o.State, o.Code, o.Error)
		}
	}
}

// TestWaitOutlastsARestart has a server that is away for longer than the client tries.
func TestWaitOutlastsARestart(t *testing.T) {
	t.Parallel()
	s := retrySession(t, sessionJSON(t, "32", nil))
	cut := reply{handle: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}
	s["GET /api/sessions/31"] = append(s["GET /api/sessions/31"], cut, cut, reply{status: 503}, reply{status: 503}, reply{status: 503}, reply{status: 502, body: "<html>", html: true}, reply{body: sessionJSON(t, "34", isDone)})
	out, o := sdktest.Run(t, wait, waitParamsOf(serveScript(t, s)))
	if o.Err() != nil || out.Run.ID != "34" {
		t.Errorf("%+v, %v", out, o.Err())
	}
	if !logged(o, "the server does not answer; waiting goes on") {
		t.Errorf("log: %+v", o.Logs)
	}
}

// fromAProxy is what stands in the place of a server that restarts.
var fromAProxy = []reply{{status: 404, body: "<html>no backend</html>", html: true}, {}, {body: "<html>back soon</html>", html: true}, {body: "{"}}

// TestWaitOutlastsAProxy, but only once it has seen a Digdag, and for no longer than an
// outage.
func TestWaitOutlastsAProxy(t *testing.T) {
	s := retrySession(t, sessionJSON(t, "32", nil))
	s["GET /api/sessions/31"] = append(append(s["GET /api/sessions/31"], fromAProxy...), reply{body: sessionJSON(t, "34", isDone)})
	out, o := sdktest.Run(t, wait, waitParamsOf(serveScript(t, s)))
	if o.Err() != nil || out.Run.ID != "34" || !logged(o, "the server does not answer; waiting goes on") {
		t.Errorf("%+v, %v", out, o.Err())
	}
	for _, at := range []string{"GET /api/attempts/32", "GET /api/sessions/31"} {
		s := retrySession(t, sessionJSON(t, "32", nil))
		s[at] = fromAProxy[:1]
		p := waitParamsOf(serveScript(t, s))
		if at == "GET /api/sessions/31" {
			p.Outage = 0
		}
		if _, o := sdktest.Run(t, wait, p); o.State != sdktest.Permanent || o.Code != client.CodeNotDigdag {
			t.Errorf("%s: %s %q %s", at, o.State, o.Code, o.Error)
		}
	}
}

func TestWaitGivesUpAnOutage(t *testing.T) {
	t.Parallel()
	s := retrySession(t, sessionJSON(t, "32", nil))
	s["GET /api/sessions/31"] = append(s["GET /api/sessions/31"], reply{status: 503, body: "<html>no</html>", html: true})
	p := waitParamsOf(serveScript(t, s))
	p.Outage = 0
	_, o := sdktest.Run(t, wait, p)
	if o.State != sdktest.Failed || o.Code != client.CodeServerError || !strings.Contains(o.Error, "503") {
		t.Errorf("%s %q %s", o.State, o.Code, o.Error)
	}
}

func TestWaitUntilItsTimeout(t *testing.T) {
	p := waitParamsOf(serveScript(t, retrySession(t, sessionJSON(t, "32", nil))))
	p.Timeout = 20 * time.Millisecond
	_, o := sdktest.Run(t, wait, p)
	if o.Code != "timeout" || !strings.Contains(o.Error, "attempt 32 is running") {
		t.Errorf("%q %s", o.Code, o.Error)
	}
}

func TestWaitForASessionThatIsNotThereYet(t *testing.T) {
	s := retrySession(t, sessionJSON(t, "34", isDone))
	s["GET /api/projects"] = []reply{{body: demo}}
	s["GET /api/projects/1/workflows"] = []reply{{body: workflowList("retry", "49")}}
	s["GET /api/projects/1/sessions"] = []reply{{body: noSessions}, {body: noSessions}, {body: `{"sessions":[` + sessionJSON(t, "34", nil) + `]}`}}
	p := waitParamsOf(serveScript(t, s))
	p.Address = "demo/retry@2026-11-21T10:00:00+09:00"
	out, o := sdktest.Run(t, wait, p)
	if o.Err() != nil || out.Run.ID != "34" {
		t.Errorf("%+v, %v", out, o.Err())
	}
}

func TestWaitTellsHowLongItUsuallyTakes(t *testing.T) {
	s := retrySession(t, sessionJSON(t, "32", nil), sessionJSON(t, "34", isDone))
	var history []string
	for _, minutes := range []int{10, 30, 20} {
		history = append(history, sessionJSON(t, "9", map[string]any{"done": true, "success": true, "createdAt": "2026-11-20T00:00:00Z", "finishedAt": fmt.Sprintf("2026-11-20T00:%d:00Z", minutes)}))
	}
	history = append(history, sessionJSON(t, "8", isFailed))
	s["GET /api/projects/1/sessions"] = []reply{{body: `{"sessions":[` + strings.Join(history, ",") + `]}`}}
	out, o := sdktest.Run(t, wait, waitParamsOf(serveScript(t, s)))
	if o.Err() != nil || out.Usual != 1200 {
		t.Errorf("%+v, %v", out, o.Err())
	}
	if len(o.Progress) == 0 || o.Progress[0].Total != 1200 || !strings.Contains(o.Progress[0].Note, "usually 20m0s, so it is late") {
		t.Errorf("progress %+v", o.Progress)
	}
}

func TestWaitForATask(t *testing.T) {
	for task, c := range map[string]struct{ code, contains string }{
		"+fail":      {"task_failed", "+error+fail in attempt 32 of demo/error@2026-11-21T01:00:00Z failed: Command failed with code 3 (runtime)"},
		"+never":     {"task_failed", "+error+never in attempt 32 of demo/error@2026-11-21T01:00:00Z did not run: the attempt ended as error: +error+fail"},
		"+nevr":      {"not_found", "near: +never"},
		"+gen^sub+x": {"task_failed", "+gen^sub+x in attempt 32 of demo/error@2026-11-21T01:00:00Z did not run: the attempt ended as error: +error+fail"},
		"^error+e1":  {},
	} {
		s := retrySession(t, strings.Replace(sessionJSON(t, "32", isFailed), `"retry"`, `"error"`, 1))
		s["GET /api/attempts/32"] = []reply{{body: attemptOf(t, "32", map[string]any{"workflow": map[string]any{"name": "error", "id": "50"}})}}
		p := waitParamsOf(serveScript(t, s))
		if p.Address = "demo/error@32" + task; c.code == "" {
			p.Address = "demo/error@32+error^error+e1"
		}
		out, o := sdktest.Run(t, wait, p)
		if o.Code != c.code || !strings.Contains(o.Error, c.contains) || c.code == "" && (out.Task == nil || out.Task.State != observe.Success) {
			t.Errorf("%s: %q %s %+v", task, o.Code, o.Error, out.Task)
		}
	}
}

// TestWaitForATaskThatOnlyARetryMakes: the first attempt failed before there was one.
func TestWaitForATaskThatOnlyARetryMakes(t *testing.T) {
	s := retrySession(t, sessionJSON(t, "32", isFailed), sessionJSON(t, "32", isFailed), sessionJSON(t, "34", isDone))
	s["GET /api/attempts/34/tasks"] = []reply{{body: strings.ReplaceAll(sample(t, "tasks_loop"), `"+loop`, `"+retry`)}}
	p := waitParamsOf(serveScript(t, s))
	p.Address, p.Grace = "demo/retry@32+l^sub+loop-1", time.Hour
	if out, o := sdktest.Run(t, wait, p); o.Err() != nil || out.Run.ID != "34" || out.Task.Name != "+retry+l^sub+loop-1" {
		t.Errorf("%+v, %v", out, o.Err())
	}
}

// TestJudgeTask: of a group's copies the newest counts, and as long as the group may
// run once more a failure is none.
func TestJudgeTask(t *testing.T) {
	for _, c := range []struct {
		sample, workflow, task string
		done                   bool
		want                   verdict
	}{
		{"tasks_gretry", "gretry", "+g+x", true, succeeded},
		{"tasks_gretry", "gretry", "+g+y", true, failed},
		{"tasks_gretry", "gretry", "+g", true, failed},
		{"tasks_mid_grw", "grw", "", false, pending},
		{"tasks_queued_backfill", "q", "+s", false, pending},
		{"tasks_ok", "ok", "+nope", false, absent},
		{"tasks_ok", "ok", "+a^sub+b", false, pending},
		{"tasks_ok", "ok", "+a^sub+b", true, absent},
		{"tasks_error", "error", "+never^sub+b", true, failed}, // it may come with a retry
		{"tasks_error", "error", "+nevr", true, absent},
		{"tasks_killed", "long", "+s", true, failed},
		{"tasks_killed", "long", "+after", true, failed},
		{"tasks_cancelling", "long", "+after", false, pending},
	} {
		tasks := decoded[struct{ Tasks []client.Task }](t, c.sample).Tasks
		if c.task == "" { // whatever failed in it
			for _, x := range tasks {
				if x.State == client.TaskFailed {
					c.task = strings.TrimPrefix(x.FullName, "+"+c.workflow)
				}
			}
		}
		a := client.Attempt{Workflow: client.Ref{Name: c.workflow}, Flags: client.Flags{Done: c.done, Success: c.sample == "tasks_ok" && c.done}}
		if v, _, why := judgeTask(a, tasks, c.task); v != c.want {
			t.Errorf("%s %s: %v (%s), want %v", c.sample, c.task, v, why, c.want)
		}
	}
}

func TestWaitRefusesWhatCannotBe(t *testing.T) {
	for params, want := range map[string]string{
		`{"endpoint":"http://h","address":"a/b@today","since":"03:00"}`: "want one of the two",
		`{"endpoint":"http://h","address":"a/b","since":"3 o'clock"}`:   "want a duration",
		`{"endpoint":"http://h","address":"a"}`:                         "there is no / between project and workflow",
		`{"address":"a/b"}`:                                             "which Digdag?",
	} {
		t.Setenv("OUTRIDER_DIGDAG_ENDPOINT", "")
		if o := sdktest.RunJSON(t, waitComponent(), params); o.State != sdktest.Permanent || !strings.Contains(o.Error, want) {
			t.Errorf("%s: %s %s, want %q", params, o.State, o.Error, want)
		}
	}
}

func TestWaitConforms(t *testing.T) {
	done := serveScript(t, retrySession(t, sessionJSON(t, "34", isDone)))
	runs := serveScript(t, retrySession(t, sessionJSON(t, "32", nil)))
	sdktest.Conform(t, waitComponent(),
		sdktest.Case{Params: `{"endpoint":"` + done.URL + `","address":"demo/retry@32","user":"me","password":"correct horse"}`},
		sdktest.Case{Params: `{"endpoint":"` + runs.URL + `","address":"demo/retry@32","secret_headers":{"x-key":"correct horse"}}`})
}

func logged(o sdktest.Outcome, message string) bool {
	for _, l := range o.Logs {
		if l.Message == message {
			return true
		}
	}
	return false
}
