package main

import (
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// killScript is of demo/long, whose attempt is 20.
func killScript(t *testing.T, before, answered, after, tasks reply) script {
	other := attemptOf(t, "19", map[string]any{"done": false})
	return script{
		"GET /api/attempts/20":         {before, after},
		"POST /api/attempts/20/kill":   {answered},
		"GET /api/attempts/20/tasks":   {tasks},
		"GET /api/attempts/20/retries": {{body: `{"attempts":[` + other + `,` + before.body + `]}`}},
	}
}

func TestKill(t *testing.T) {
	s := func(name string) reply { return reply{body: sample(t, name)} }
	queued := reply{body: with(t, "attempt_queued_backfill", map[string]any{"id": "20", "project": map[string]any{"id": "1", "name": "demo"}, "workflow": map[string]any{"name": "long", "id": "1"}})}
	refused := reply{status: 409, body: sample(t, "error_409_kill_done")}
	for name, c := range map[string]struct {
		script    script
		unchanged bool
		code      string
		state     observe.State
		runsOn    []string
		left      int
	}{
		"one that runs":   {killScript(t, s("attempt_running"), s("attempt_kill_200_body"), s("attempt_cancelling"), s("tasks_cancelling")), false, "", observe.Cancelling, []string{"+long+s"}, 1},
		"once more":       {killScript(t, s("attempt_cancelling"), s("attempt_kill_200_body"), s("attempt_cancelling"), s("tasks_cancelling")), true, "", observe.Cancelling, []string{"+long+s"}, 1},
		"one that ended":  {killScript(t, s("attempt_killed"), reply{}, reply{}, s("tasks_killed")), true, "", observe.Cancelled, nil, 0},
		"ended meanwhile": {killScript(t, s("attempt_running"), refused, s("attempt_killed"), s("tasks_killed")), true, "", observe.Cancelled, nil, 0},
		"a queued one":    {killScript(t, queued, refused, queued, s("tasks_queued_backfill")), false, "queued_backfill", "", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := serveScript(t, c.script)
			out, o := sdktest.Run(t, kill, killParams{source: d.on(), Address: "demo/long@20"})
			if o.Code != c.code || o.Unchanged != c.unchanged {
				t.Fatalf("%q %s, unchanged %v", o.Code, o.Error, o.Unchanged)
			}
			if c.code != "" {
				if o.State != sdktest.Failed || !strings.Contains(o.Error, "attempt 20 waits in a backfill") {
					t.Errorf("%s %s", o.State, o.Error)
				}
				return
			}
			var on []string
			for _, x := range out.RunsOn {
				on = append(on, x.Name)
			}
			if out.Run.State != c.state || strings.Join(on, " ") != strings.Join(c.runsOn, " ") || out.Left != c.left || len(out.Others) != 1 || out.Others[0].ID != "19" {
				t.Errorf("%+v", out)
			}
			if killed := len(d.requests("POST /api/attempts/20/kill")); name == "one that ended" && killed != 0 {
				t.Errorf("%d kills", killed)
			}
		})
	}
}

func TestKillRefusesATask(t *testing.T) {
	if _, o := sdktest.Run(t, kill, killParams{source: source{Endpoint: endpoints{"http://h"}}, Address: "demo/long@20+s"}); o.Code != "bad_address" || o.State != sdktest.Permanent {
		t.Errorf("%s %q %s", o.State, o.Code, o.Error)
	}
}

func TestKillConforms(t *testing.T) {
	s := func(name string) reply { return reply{body: sample(t, name)} }
	d := serveScript(t, killScript(t, s("attempt_running"), s("attempt_kill_200_body"), s("attempt_cancelling"), s("tasks_cancelling")))
	sdktest.Conform(t, killComponent(), sdktest.Case{Params: `{"endpoint":"` + d.URL + `","address":"demo/long@20","user":"me","password":"correct horse"}`})
	about, err := killComponent().Engine().Describe()
	if err != nil || !about.Destructive {
		t.Errorf("%+v, %v", about, err)
	}
}
