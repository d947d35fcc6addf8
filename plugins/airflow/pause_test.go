package main

import (
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

func TestPause(t *testing.T) {
	onBothAPIs(t, func(t *testing.T, api int) {
		for name, c := range map[string]struct{ was, want bool }{
			"pause": {false, true}, "unpause": {true, false}, "paused already": {true, true}, "goes on already": {false, false},
		} {
			p := play{
				"GET /dags/daily/details":                {{body: dagIs(t, api, map[string]any{"is_paused": c.was})}},
				"PATCH /dags/daily":                      {{body: dagIs(t, api, map[string]any{"is_paused": c.want})}},
				"GET /dags/daily/dagRuns?queued,running": {{body: runs(runIn(t, api, "r1", "running", nil))}},
			}
			s := actsOn(t, api, p)
			out, o := sdktest.Run(t, pause, pauseParams{source: s.on(), Address: "daily", Paused: c.want})
			if o.Err() != nil || o.Unchanged != (c.was == c.want) || out.Was != c.was || out.Paused != c.want || len(out.Open) != 1 || out.Open[0].Session != "r1" {
				t.Errorf("%s: %+v, %v", name, out, o.Err())
			}
			if n := len(s.requests("PATCH /dags/daily")); (n == 1) != (c.was != c.want) {
				t.Errorf("%s: %d changes", name, n)
			}
			if heard(o, "open runs stand still") != c.want {
				t.Errorf("%s: %+v", name, o.Logs)
			}
		}
	})
}

func TestPauseRefusesARun(t *testing.T) {
	for _, at := range []string{"daily@latest", "daily/load"} {
		_, o := sdktest.Run(t, pause, pauseParams{source: source{Endpoint: endpoints{"http://h"}}, Address: at, Paused: true})
		if o.Code != "bad_address" || o.State != sdktest.Permanent || !strings.Contains(o.Error, "want daily") {
			t.Errorf("%s: %s %q %s", at, o.State, o.Code, o.Error)
		}
	}
}

func TestPauseConforms(t *testing.T) {
	s := actsOn(t, 1, play{
		"GET /dags/daily/details":                {{body: dagIs(t, 1, nil)}},
		"PATCH /dags/daily":                      {{body: dagIs(t, 1, map[string]any{"is_paused": true})}},
		"GET /dags/daily/dagRuns?queued,running": {{body: runs()}},
	})
	sdktest.Conform(t, pauseComponent(), sdktest.Case{Params: `{"endpoint":"` + s.URL + `","address":"daily","user":"me","password":"correct horse"}`})
}
