package main

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// TestWaitEndsALookAtItsTimeout: a server that hangs holds up no wait.
func TestWaitEndsALookAtItsTimeout(t *testing.T) {
	play := waitPlay(t, 2, "running")
	at := "GET /dags/daily/dagRuns/r1"
	play[at] = append(play[at], answer{handle: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }})
	p := waitOn(actsOn(t, 2, play))
	p.Timeout, p.RequestTimeout = 50*time.Millisecond, time.Hour
	if _, o := sdktest.Run(t, wait, p); o.Code != "timeout" || o.State != sdktest.Failed {
		t.Errorf("%s %q %s", o.State, o.Code, o.Error)
	}
}

// TestWaitHeedsNoPauseBeyondTheOutage that a server asks for.
func TestWaitHeedsNoPauseBeyondTheOutage(t *testing.T) {
	at := "GET /dags/daily/dagRuns/r1"
	later := answer{handle: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusServiceUnavailable)
	}}
	for code, end := range map[string]answer{"": {body: runIn(t, 2, "r1", "success", nil)}, client.CodeServerError: later} {
		p := waitPlay(t, 2, "running")
		p[at] = append(p[at], later, end)
		params := waitOn(actsOn(t, 2, p))
		params.Outage = 50 * time.Millisecond
		if _, o := sdktest.Run(t, wait, params); o.Code != code {
			t.Errorf("%q, want %q: %s", o.Code, code, o.Error)
		}
	}
}

// TestWaitOutlastsATokenCommand that fails, but only once it has seen an Airflow.
func TestWaitOutlastsATokenCommand(t *testing.T) {
	at := "GET /dags/daily/dagRuns/r1"
	play := waitPlay(t, 2, "running")
	play[at] = append(play[at], answer{status: 401, body: `{"detail":"Token Expired"}`}, answer{body: runIn(t, 2, "r1", "success", nil)})
	s := actsOn(t, 2, play)
	params := waitOn(s)
	// Its second run fails.
	script := `echo x >>"$1"; test "$(wc -l <"$1")" -ne 2 || exit 3; echo tok`
	params.source = source{Endpoint: endpoints{s.URL}, TokenCommand: []string{"sh", "-c", script, "sh", filepath.Join(t.TempDir(), "count")}, RequestTimeout: time.Minute}
	if out, o := sdktest.Run(t, wait, params); o.Err() != nil || out.Run.State != observe.Success || !heard(o, "the server does not answer; waiting goes on") {
		t.Errorf("%+v, %v", out, o.Err())
	}
	params.TokenCommand = []string{"false"}
	if _, o := sdktest.Run(t, wait, params); o.Code != client.CodeTokenCommand || o.State != sdktest.Failed {
		t.Errorf("%s %q %s", o.State, o.Code, o.Error)
	}
}
