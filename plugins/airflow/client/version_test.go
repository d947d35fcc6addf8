package client_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

// TestVersions: v2 is tried and then v1; what answers neither is no Airflow. It is
// found out once, and a server that has trouble is not taken for an old one.
func TestVersions(t *testing.T) {
	type answers map[string]reply
	v2, v1 := "/api/v2/version", "/api/v1/version"
	gone := recorded(t, 1, "root-api-v2-version")
	for name, c := range map[string]struct {
		answers
		want  client.Version
		code  string
		says  string
		asked int
	}{
		"3": {answers{v2: recorded(t, 2, "version")}, client.Version{Version: "3.3.2", API: 2}, "", "", 1},
		"2": {answers{v2: gone, v1: recorded(t, 1, "version")}, client.Version{Version: "2.11.2", API: 1}, "", "", 2},
		"2 behind a proxy that forbids what it does not know": {answers{v2: {status: 403}, v1: recorded(t, 1, "version")}, client.Version{Version: "2.11.2", API: 1}, "", "", 2},
		"a page for all": {answers{v2: recorded(t, 2, "unknown-path-html"), v1: recorded(t, 2, "api-v1-removed")}, client.Version{}, client.CodeNotAirflow, "GET /api/v2/version: 200 ok, with a page instead of a message; is this the base URL", 2},
		"nothing there":  {answers{v2: gone, v1: gone}, client.Version{}, client.CodeNotAirflow, "is this the base URL", 2},
		"another API":    {answers{v2: {body: `{"data":"x"}`}, v1: {body: `[]`}}, client.Version{}, client.CodeBadAnswer, "not what an Airflow server sends", 2},
		"a login page":   {answers{v2: {status: 302, header: http.Header{"Location": {"https://login.example.com/x?y"}}}, v1: {status: 302}}, client.Version{}, client.CodeNotAirflow, "redirects to https://login.example.com/x", 2},
		"a gate":         {answers{v2: {status: 401}, v1: {status: 401}}, client.Version{}, client.CodeUnauthorized, "401 unauthorized; set user", 2},
		"trouble":        {answers{v2: {status: 503}}, client.Version{}, client.CodeServerError, "GET /api/v2/version: 503", 3},
		"trouble in 2":   {answers{v2: gone, v1: {status: 502}}, client.Version{}, client.CodeServerError, "GET /api/v1/version: 502", 4},
	} {
		f := serve(t, 0, reply{act: func(w http.ResponseWriter, r *http.Request) { c.answers[r.URL.Path].give(w, r) }})
		k := newClient(t, client.Options{Endpoints: []string{f.URL}})
		v, err := k.Version(t.Context())
		if v != c.want || code(err) != c.code || err != nil && !strings.Contains(err.Error(), c.says) || len(f.all()) != c.asked {
			t.Errorf("%s: %+v, %v, asked %v", name, v, err, f.lines())
		}
		if err == nil {
			if again, err := k.Version(t.Context()); again != v || err != nil || len(f.all()) != c.asked {
				t.Errorf("%s, again: %+v, %v, asked %v", name, again, err, f.lines())
			}
		} else if _, err := k.Health(t.Context()); code(err) != c.code {
			t.Errorf("%s: health: %v", name, err)
		}
	}
}

// TestGate: a managed Airflow wants its token for the version too, a new one if need be.
func TestGate(t *testing.T) {
	tries := 0
	f := serve(t, 0, reply{act: func(w http.ResponseWriter, r *http.Request) {
		if tries++; tries == 1 || r.Header.Get("Authorization") != "Bearer tok" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		recorded(t, 2, "version").give(w, r)
	}})
	dir := t.TempDir()
	command := []string{"sh", "-c", `cd "$1"; if test -e first; then echo tok; else touch first; echo old; fi`, "sh", dir}
	if v, err := newClient(t, client.Options{Endpoints: []string{f.URL}, TokenCommand: command}).Version(t.Context()); err != nil || v.API != 2 {
		t.Errorf("%+v, %v", v, err)
	}
	if v, err := newClient(t, client.Options{Endpoints: []string{f.URL}, Token: "tok"}).Version(t.Context()); err != nil || v.API != 2 {
		t.Errorf("%+v, %v", v, err)
	}
	// What needs no login is seen without one that cannot be had.
	g := serve(t, 2, recorded(t, 2, "health"))
	c := newClient(t, client.Options{Endpoints: []string{g.URL}, TokenCommand: []string{"false"}})
	if parts, err := c.Health(t.Context()); err != nil || len(parts) != 4 {
		t.Errorf("%+v, %v", parts, err)
	}
	c = newClient(t, client.Options{Endpoints: []string{g.URL}, User: "ann", Password: "x"})
	if _, err := c.Health(t.Context()); err != nil || g.all()[1].Header.Get("Authorization") != "" {
		t.Errorf("%v, %+v", err, g.all()[1])
	}
}

// TestNow is the server's time, not ours.
func TestNow(t *testing.T) {
	for _, off := range []time.Duration{0, time.Hour, -48 * time.Hour} {
		f := serve(t, 2, reply{act: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
			recorded(t, 2, "pools").give(w, r)
		}})
		c := ask(t, f)
		if d := time.Until(c.Now()).Abs(); d > time.Minute {
			t.Errorf("before any answer it is %s off", d)
		}
		if _, err := c.Pools(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := (time.Until(c.Now()) - off).Abs(); d > time.Minute {
			t.Errorf("%s off: %s", off, d)
		}
	}
}

func TestLinks(t *testing.T) {
	for api, want := range map[int][]string{
		1: {
			"/dags/d/grid?dag_run_id=manual__2026-11-21T00%3A00%3A00%2B00%3A00",
			"/dags/d/grid?dag_run_id=r&tab=logs&task_id=t",
			"/dags/d/grid?dag_run_id=r&map_index=2&tab=logs&task_id=t",
		},
		2: {"/dags/d/runs/manual__2026-11-21T00:00:00+00:00", "/dags/d/runs/r/tasks/t", "/dags/d/runs/r/tasks/t/mapped/2"},
	} {
		f := serve(t, api, recorded(t, api, "pools"))
		c := ask(t, f)
		if _, err := c.Version(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := []string{c.Link("d", "manual__2026-11-21T00:00:00+00:00", "", -1), c.Link("d", "r", "t", -1), c.Link("d", "r", "t", 2)}
		for i := range want {
			want[i] = f.URL + want[i]
		}
		if !slices.Equal(got, want) {
			t.Errorf("v%d: %v\nwant %v", api, got, want)
		}
	}
}
