package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// waitPlay answers for run r1 of daily, whose states follow each other.
func waitPlay(t *testing.T, api int, states ...string) play {
	p := play{
		"GET /dags/daily/dagRuns?success":                     {{body: runs()}},
		"GET /dags/daily/details":                             {{body: dagIs(t, api, nil)}},
		"GET /dags/daily/dagRuns/r1/taskInstances":            {{body: tasks(taskIn(t, api, "load", "success", nil), taskIn(t, api, "sum", "failed", nil), taskIn(t, api, "send", "upstream_failed", nil))}},
		"GET /dags/daily/dagRuns/r1/taskInstances/sum/logs/1": {{status: 403, body: `{"detail":"no"}`}},
		"GET /dags/daily/dagRuns/r1/taskInstances/sum":        {{body: taskIn(t, api, "sum", "failed", nil)}},
	}
	at := "GET /dags/daily/dagRuns/r1"
	for _, s := range states {
		p[at] = append(p[at], answer{body: runIn(t, api, "r1", s, nil)})
	}
	return p
}

func waitOn(s *airflowServer) waitParams {
	return waitParams{source: s.on(), Address: "daily@r1", pace: atOnce}
}

func TestWaitFollowsAClear(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		s := actsOn(t, api, waitPlay(t, api, "queued", "running", "failed", "failed", "queued", "running", "success"))
		p := waitOn(s)
		p.Grace = time.Hour
		out, o := sdktest.Run(t, wait, p)
		if o.Err() != nil || out.Run.Session != "r1" || out.Run.State != observe.Success || !heard(o, "it failed; a clear is waited for") {
			t.Errorf("%+v, %v", out, o.Err())
		}
		if got := len(s.requests("GET /dags/daily/dagRuns?success")); got != 1 {
			t.Errorf("the history was asked for %d times", got)
		}
	})
}

func TestWaitFailsAtOnce(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		for name, c := range map[string]struct {
			grace    time.Duration
			tasks    string
			contains string
		}{
			"failed":          {0, "", "run daily@r1 ended as failed: sum failed in try 1"},
			"after the grace": {20 * time.Millisecond, "", "ended as failed: sum failed in try 1"},
			"killed":          {0, tasks(taskIn(t, api, "load", "success", nil), taskIn(t, api, "sum", "skipped", nil)), "though no task of it failed, as one that was killed"},
		} {
			t.Run(name, func(t *testing.T) {
				play := waitPlay(t, api, "running", "failed")
				if c.tasks != "" {
					play["GET /dags/daily/dagRuns/r1/taskInstances"] = []answer{{body: c.tasks}}
				}
				p := waitOn(actsOn(t, api, play))
				p.Grace = c.grace
				_, o := sdktest.Run(t, wait, p)
				if o.State != sdktest.Failed || o.Code != "run_failed" || !strings.Contains(o.Error, c.contains) {
					t.Errorf("%s %q %s", o.State, o.Code, o.Error)
				}
			})
		}
	})
}

// TestWaitTellsWhatIsGone: a run or a DAG that is deleted in mid-wait is no outage.
func TestWaitTellsWhatIsGone(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		for code, dag := range map[string]answer{"run_deleted": {body: dagIs(t, api, nil)}, "dag_deleted": nothing} {
			p := waitPlay(t, api, "running", "running")
			p["GET /dags/daily/dagRuns/r1"] = append(p["GET /dags/daily/dagRuns/r1"], nothing)
			p["GET /dags/daily/details"] = []answer{{body: dagIs(t, api, nil)}, dag}
			p["GET /dags/daily"], p["GET /dags"] = []answer{dag}, []answer{{body: `{"dags":[],"total_entries":0}`}}
			p["GET /dags/daily/dagRuns"] = []answer{{body: runs()}}
			_, o := sdktest.Run(t, wait, waitOn(actsOn(t, api, p)))
			if o.State != sdktest.Permanent || o.Code != code || !strings.Contains(o.Error, "daily") || !strings.Contains(o.Error, "was deleted while it was waited for") {
				t.Errorf("%s: %s %q %s", code, o.State, o.Code, o.Error)
			}
		}
	})
}

// TestWaitRefusesAWrongName at once, with what is near.
func TestWaitRefusesAWrongName(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		for at, c := range map[string]struct {
			play play
			says string
		}{
			"daly@latest": {play{
				"GET /dags/daly/dagRuns": {nothing}, "GET /dags/daly": {nothing}, "GET /dags/daly/details": {nothing},
				"GET /dags": {{body: `{"dags":[` + dagIs(t, api, nil) + `],"total_entries":1}`}},
			}, `no dag "daly"`},
			"daily@r2": {play{
				"GET /dags/daily/dagRuns/r2": {nothing}, "GET /dags/daily": {{body: dagIs(t, api, nil)}}, "GET /dags/daily/details": {{body: dagIs(t, api, nil)}},
				"GET /dags/daily/dagRuns": {{body: runs(runIn(t, api, "r1", "success", nil))}},
			}, `no run "r2" of dag daily`},
			"daily@r1/sun":    {waitPlay(t, api, "running"), `no task "sun" in run r1 of daily; near: sum`},
			"daily@r1/sum[3]": {waitPlay(t, api, "success"), "no sum[3] in run r1 of daily: it is not mapped"},
		} {
			p := waitOn(actsOn(t, api, c.play))
			p.Address = at
			_, o := sdktest.Run(t, wait, p)
			if o.State != sdktest.Permanent || o.Code != client.CodeNotFound || !strings.Contains(o.Error, c.says) {
				t.Errorf("%s: %s %q %s", at, o.State, o.Code, o.Error)
			}
		}
	})
}

// TestWaitOutlastsARestart has a server that is away for longer than the client tries.
func TestWaitOutlastsARestart(t *testing.T) {
	t.Parallel()
	p := waitPlay(t, 2, "running")
	cut := answer{handle: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }}
	at := "GET /dags/daily/dagRuns/r1"
	p[at] = append(p[at], cut, cut, answer{status: 503}, answer{status: 503}, answer{status: 503}, answer{status: 502, body: "<html>", html: true}, answer{body: runIn(t, 2, "r1", "success", nil)})
	out, o := sdktest.Run(t, wait, waitOn(actsOn(t, 2, p)))
	if o.Err() != nil || out.Run.State != observe.Success || !heard(o, "the server does not answer; waiting goes on") {
		t.Errorf("%+v, %v\n%+v", out, o.Err(), o.Logs)
	}
}

// TestWaitOutlastsAProxy, but only once it has seen an Airflow, and for no longer than
// an outage.
func TestWaitOutlastsAProxy(t *testing.T) {
	page := answer{body: "<html>back soon</html>", html: true}
	p := waitPlay(t, 2, "running")
	at := "GET /dags/daily/dagRuns/r1"
	p[at] = append(p[at], page, answer{body: "{"}, answer{body: runIn(t, 2, "r1", "success", nil)})
	if out, o := sdktest.Run(t, wait, waitOn(actsOn(t, 2, p))); o.Err() != nil || out.Run.State != observe.Success {
		t.Errorf("%+v, %v", out, o.Err())
	}
	p = waitPlay(t, 2)
	p[at] = []answer{page}
	if _, o := sdktest.Run(t, wait, waitOn(actsOn(t, 2, p))); o.State != sdktest.Permanent || o.Code != client.CodeNotAirflow {
		t.Errorf("%s %q %s", o.State, o.Code, o.Error)
	}
	p = waitPlay(t, 2, "running")
	p[at] = append(p[at], page)
	params := waitOn(actsOn(t, 2, p))
	params.Outage = 0
	if _, o := sdktest.Run(t, wait, params); o.State != sdktest.Permanent || o.Code != client.CodeNotAirflow {
		t.Errorf("%s %q %s", o.State, o.Code, o.Error)
	}
}

// TestWaitTokenEndsInBetween: a static header cannot be renewed, and is told of at once.
func TestWaitTokenEndsInBetween(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		p := waitPlay(t, api, "running")
		p["GET /dags/daily/dagRuns/r1"] = append(p["GET /dags/daily/dagRuns/r1"], answer{status: 401, body: `{"detail":"Token Expired"}`})
		_, o := sdktest.Run(t, wait, waitOn(actsOn(t, api, p)))
		if o.State != sdktest.Permanent || o.Code != client.CodeUnauthorized || !strings.Contains(o.Error, "Token Expired") {
			t.Errorf("%s %q %s", o.State, o.Code, o.Error)
		}
	})
}

// TestWaitLogsInAgain: a token that ends in mid-wait is no failure, a password that was
// changed meanwhile is one.
func TestWaitLogsInAgain(t *testing.T) {
	token := func(text string) answer { return answer{status: 201, body: `{"access_token":"` + text + `"}`} }
	at := "GET /dags/daily/dagRuns/r1"
	for name, c := range map[string]struct {
		logins []answer
		code   string
	}{
		"the token ends":          {[]answer{token("a"), token("b"), token("c")}, ""},
		"a proxy's page":          {[]answer{token("a"), {status: 404, body: "<html>", html: true}, token("b"), token("c")}, ""},
		"a proxy's 404":           {[]answer{token("a"), {status: 404, body: `{"message":"no upstream"}`}, token("b"), token("c")}, ""},
		"the password is another": {[]answer{token("a"), {status: 401, body: `{"detail":"Invalid credentials"}`}}, client.CodeUnauthorized},
	} {
		p := waitPlay(t, 2, "running")
		p["POST /auth/token"] = c.logins
		p[at] = append(p[at],
			answer{status: 401, body: `{"detail":"Token Expired"}`}, answer{body: runIn(t, 2, "r1", "running", nil)},
			answer{status: 403, body: `{"detail":"Invalid JWT token"}`}, answer{body: runIn(t, 2, "r1", "success", nil)})
		s := actsOn(t, 2, p)
		params := waitOn(s)
		params.source = source{Endpoint: endpoints{s.URL}, User: "me", Password: sdk.NewSecret("correct horse"), RequestTimeout: time.Minute}
		out, o := sdktest.Run(t, wait, params)
		if o.Code != c.code || (o.State == sdktest.Permanent) != (c.code != "") || c.code == "" && (out.Run.State != observe.Success || len(s.requests("POST /auth/token")) != len(c.logins)) {
			t.Errorf("%s: %s %q %s, %d logins", name, o.State, o.Code, o.Error, len(s.requests("POST /auth/token")))
		}
	}
}

func TestWaitUntilItsTimeout(t *testing.T) {
	p := waitOn(actsOn(t, 2, waitPlay(t, 2, "running")))
	p.Every, p.Timeout = time.Minute, 20*time.Millisecond
	_, o := sdktest.Run(t, wait, p)
	if o.Code != "timeout" || !strings.Contains(o.Error, "run daily@r1 is running") {
		t.Errorf("%q %s", o.Code, o.Error)
	}
}

// TestWaitSaysWhyNothingGoesOn: a dead scheduler, and a DAG that is paused, broken or
// gone from its file.
func TestWaitSaysWhyNothingGoesOn(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		stale := map[int]map[string]any{1: {"is_active": false}, 2: {"is_stale": true}}[api]
		for says, change := range map[string]func(play){
			"Airflow's scheduler seems dead, so that nothing starts: its last sign was at ": func(p play) {
				p[healthAt(api)] = []answer{{body: health("unhealthy", time.Now().Add(-time.Hour))}}
			},
			// Its own clock, or its setting, says otherwise.
			"Airflow's scheduler seems dead": func(p play) {
				p[healthAt(api)] = []answer{{body: health("healthy", time.Now().Add(-time.Hour))}}
			},
			"the DAG daily is paused, so that nothing of it starts until": func(p play) {
				p["GET /dags/daily/details"] = []answer{{body: dagIs(t, api, map[string]any{"is_paused": true})}}
			},
			"the DAG daily has an import error": func(p play) {
				p["GET /dags/daily/details"] = []answer{{body: dagIs(t, api, map[string]any{"has_import_errors": true})}}
			},
			"the DAG daily is in no file any more": func(p play) {
				p["GET /dags/daily/details"] = []answer{{body: dagIs(t, api, stale)}}
			},
		} {
			if strings.Contains(says, "import error") {
				says = "the file of the DAG daily has an import error"
			}
			p := waitPlay(t, api, "queued", "queued", "success")
			change(p)
			_, o := sdktest.Run(t, wait, waitOn(actsOn(t, api, p)))
			if o.Err() != nil || !heard(o, says) {
				t.Errorf("%s: %v\n%+v", says, o.Err(), o.Logs)
			}
		}
		_, o := sdktest.Run(t, wait, waitOn(actsOn(t, api, waitPlay(t, api, "queued", "queued", "success"))))
		for _, l := range o.Logs {
			if l.Level == "warn" {
				t.Errorf("all is well: %+v", l)
			}
		}
	})
}

func TestWaitForARunThatIsNotThereYet(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		at := map[string]any{"logical_date": "2026-11-21T22:00:00Z", "execution_date": "2026-11-21T22:00:00Z"}
		p := waitPlay(t, api, "success")
		p["GET /dags/daily/dagRuns"] = []answer{{body: runs()}, {body: runs()}, {body: runs(runIn(t, api, "r1", "running", at))}}
		params := waitOn(actsOn(t, api, p))
		params.Address = "daily@2026-11-22T07:00:00+09:00"
		out, o := sdktest.Run(t, wait, params)
		if o.Err() != nil || out.Run.Session != "r1" {
			t.Errorf("%+v, %v", out, o.Err())
		}
	})
}

func TestWaitTellsHowLongItUsuallyTakes(t *testing.T) {
	p := waitPlay(t, 2, "running", "running", "success")
	var history []string
	for _, minutes := range []int{10, 30, 20} {
		history = append(history, runIn(t, 2, fmt.Sprint("h", minutes), "success", map[string]any{"start_date": "2026-11-20T00:00:00Z", "end_date": fmt.Sprintf("2026-11-20T00:%d:00Z", minutes)}))
	}
	p["GET /dags/daily/dagRuns?success"] = []answer{{body: runs(history...)}}
	out, o := sdktest.Run(t, wait, waitOn(actsOn(t, 2, p)))
	if o.Err() != nil || out.Usual != 1200 {
		t.Errorf("%+v, %v", out, o.Err())
	}
	if len(o.Progress) == 0 || o.Progress[0].Total != 1200 || !strings.Contains(o.Progress[0].Note, "usually 20m0s, so it is late") {
		t.Errorf("progress %+v", o.Progress)
	}
}

func TestWaitForATask(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		for task, c := range map[string]struct{ code, contains string }{
			"load": {},
			"sum":  {"task_failed", "sum of run daily@r1 failed in try 1"},
			"send": {"task_failed", "send of run daily@r1 did not run since another failed: sum failed in try 1"},
		} {
			p := waitOn(actsOn(t, api, waitPlay(t, api, "running")))
			p.Address = "daily@r1/" + task
			out, o := sdktest.Run(t, wait, p)
			if o.Code != c.code || !strings.Contains(o.Error, c.contains) || c.code == "" && (out.Task == nil || out.Task.State != observe.Success || out.Task.Name != "load") {
				t.Errorf("%s: %q %s %+v", task, o.Code, o.Error, out.Task)
			}
		}
	})
}

// TestWaitForAMappedTask: its instances are there when what it is mapped over is known.
func TestWaitForAMappedTask(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		one := func(states ...string) answer {
			var list []string
			for i, s := range states {
				list = append(list, taskIn(t, api, fmt.Sprintf("load[%d]", i), s, map[string]any{"end_date": fmt.Sprintf("2026-11-21T23:%02d:00Z", 10+i)}))
			}
			return answer{body: tasks(list...)}
		}
		unmapped := answer{body: tasks(taskIn(t, api, "load", "", nil))}
		for name, c := range map[string]struct {
			task  string
			steps []answer
			code  string
			says  string
		}{
			"all":                  {"load", []answer{unmapped, one("running", ""), one("success", "running"), one("success", "success")}, "", ""},
			"one":                  {"load[1]", []answer{unmapped, one("failed", "running"), one("failed", "success")}, "", ""},
			"one fails":            {"load", []answer{one("running", "running"), one("running", "failed")}, "task_failed", "load of run daily@r1 (load[1]) failed in try 1"},
			"out of range":         {"load[2]", []answer{unmapped, one("running", "running")}, "not_found", "no load[2] in run r1 of daily: it has [0] to [1]"},
			"mapped over nothing":  {"load[0]", []answer{unmapped, {body: tasks(taskIn(t, api, "load", "skipped", map[string]any{"try_number": 0}))}}, "task_failed", "was skipped"},
			"the one before fails": {"load[0]", []answer{{body: tasks(taskIn(t, api, "load", "upstream_failed", nil))}}, "task_failed", "did not run since another failed"},
		} {
			p := waitPlay(t, api, "running")
			p["GET /dags/daily/dagRuns/r1/taskInstances"] = c.steps
			p["GET /dags/daily/dagRuns/r1/taskInstances/load/logs/1"] = []answer{{status: 403, body: `{"detail":"no"}`}}
			params := waitOn(actsOn(t, api, p))
			params.Address = "daily@r1/" + c.task
			out, o := sdktest.Run(t, wait, params)
			if o.Code != c.code || !strings.Contains(o.Error, c.says) || c.code == "" && out.Task.State != observe.Success {
				t.Errorf("%s: %q %s %+v", name, o.Code, o.Error, out.Task)
			}
			if name == "all" && (out.Task.Name != "load" || !out.Task.Ended.Equal(time.Date(2026, 11, 21, 23, 11, 0, 0, time.UTC))) {
				t.Errorf("%+v", out.Task)
			}
		}
	})
}

// TestJudgeTask: what a run's end makes of a task that has none.
func TestJudgeTask(t *testing.T) {
	ti := func(state string) client.TaskInstance {
		return client.TaskInstance{Task: "load", MapIndex: -1, State: state, Try: 1}
	}
	for _, c := range []struct {
		task, run string
		want      verdict
	}{
		{"success", "running", succeeded},
		{"success", "failed", succeeded},
		{"failed", "running", failed},
		{"skipped", "running", failed},
		{"removed", "running", failed},
		{"upstream_failed", "running", failed},
		{"up_for_retry", "running", pending},
		{"awaiting_input", "running", pending},
		{"", "queued", pending},
		{"", "failed", failed},
		{"running", "failed", failed},
	} {
		if v, _, why := judgeTask(client.DAGRun{ID: "r1", State: c.run}, []client.TaskInstance{ti(c.task)}, address.Address{DAG: "daily", Task: "load"}); v != c.want || (why == "") == (v == failed) {
			t.Errorf("%q in a run that is %s: %v (%s), want %v", c.task, c.run, v, why, c.want)
		}
	}
	if v, _, _ := judgeTask(client.DAGRun{State: "queued"}, nil, address.Address{Task: "load"}); v != pending {
		t.Error(v)
	}
}

func TestWaitRefusesWhatCannotBe(t *testing.T) {
	for params, want := range map[string]string{
		`{"endpoint":"http://h","address":"a@today","since":"03:00"}`: "want one of the two",
		`{"endpoint":"http://h","address":"a","since":"3 o'clock"}`:   "want a duration",
		`{"endpoint":"http://h","address":"a","since":"latest"}`:      "want a duration",
		`{"endpoint":"http://h","address":"@a"}`:                      "the DAG is empty",
		`{"address":"a"}`:                                             "which Airflow?",
	} {
		t.Setenv("OUTRIDER_AIRFLOW_ENDPOINT", "")
		if o := sdktest.RunJSON(t, waitComponent(), params); o.State != sdktest.Permanent || !strings.Contains(o.Error, want) {
			t.Errorf("%s: %s %s, want %q", params, o.State, o.Error, want)
		}
	}
}

func TestWaitConforms(t *testing.T) {
	done := actsOn(t, 2, waitPlay(t, 2, "success"))
	goes := actsOn(t, 1, waitPlay(t, 1, "running"))
	sdktest.Conform(t, waitComponent(),
		sdktest.Case{Params: `{"endpoint":"` + done.URL + `","address":"daily@r1","token":"correct horse"}`},
		sdktest.Case{Params: `{"endpoint":"` + goes.URL + `","address":"daily@r1","user":"me","password":"correct horse"}`})
}
