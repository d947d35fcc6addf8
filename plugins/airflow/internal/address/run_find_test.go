package address_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/plugins/airflow/internal/address"
)

// fakeRun is a run of daily, made after those before it.
type fakeRun struct {
	id, logical, after string // logical "" for none
}

// served is an Airflow with one DAG, daily, in Berlin, and its runs.
func served(t *testing.T, api int, runs ...fakeRun) *client.Client {
	t.Helper()
	of := func(r fakeRun) map[string]any {
		all := map[string]any{"dag_id": "daily", "dag_run_id": r.id, "state": "success", "run_type": "scheduled", "start_date": r.after, "end_date": r.after, "conf": map[string]any{}}
		var logical any = r.logical
		if r.logical == "" {
			logical = nil
		}
		if all["logical_date"] = logical; api == 1 {
			all["execution_date"], all["data_interval_end"] = logical, r.after
		} else {
			all["run_after"] = r.after
		}
		return all
	}
	mux := http.NewServeMux()
	say := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	at := fmt.Sprintf("/api/v%d", api)
	mux.HandleFunc(at+"/version", func(w http.ResponseWriter, _ *http.Request) {
		say(w, 200, map[string]string{"version": map[int]string{1: "2.11.2", 2: "3.3.2"}[api]})
	})
	dag := func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, at+"/dags/daily") {
			say(w, 404, map[string]string{"detail": "not found"})
			return
		}
		say(w, 200, map[string]any{"dag_id": "daily", "timezone": "Europe/Berlin", "is_paused": false})
	}
	mux.HandleFunc(at+"/dags/{dag}/details", dag)
	mux.HandleFunc(at+"/dags/{dag}", dag)
	mux.HandleFunc(at+"/dags", func(w http.ResponseWriter, _ *http.Request) {
		say(w, 200, map[string]any{"dags": []any{map[string]any{"dag_id": "daily"}}, "total_entries": 1})
	})
	mux.HandleFunc(at+"/dags/{dag}/dagRuns/{run}", func(w http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(runs, func(x fakeRun) bool { return x.id == r.PathValue("run") })
		if r.PathValue("dag") != "daily" || i < 0 {
			say(w, 404, map[string]string{"detail": "not found"})
			return
		}
		say(w, 200, of(runs[i]))
	})
	mux.HandleFunc(at+"/dags/{dag}/dagRuns", func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue("dag") != "daily" {
			say(w, 404, map[string]string{"detail": "not found"})
			return
		}
		list := []any{}
		for _, x := range slices.Backward(runs) {
			if within(r.URL.Query(), x.logical) {
				list = append(list, of(x))
			}
		}
		offset, limit := 0, 100
		_, _ = fmt.Sscan(r.URL.Query().Get("offset"), &offset)
		_, _ = fmt.Sscan(r.URL.Query().Get("limit"), &limit)
		page := list[min(offset, len(list)):min(offset+limit, len(list))]
		say(w, 200, map[string]any{"dag_runs": page, "total_entries": len(list)})
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	c, err := client.New(client.Options{Endpoints: []string{s.URL}, Token: "x"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// within is how both versions filter by logical date: those without one are in no
// bounds.
func within(q url.Values, logical string) bool {
	for _, name := range []string{"logical_date", "execution_date"} {
		for bound, ok := range map[string]func(x, y time.Time) bool{"_gte": func(x, y time.Time) bool { return !x.Before(y) }, "_lte": func(x, y time.Time) bool { return !x.After(y) }} {
			if text := q.Get(name + bound); text != "" && (logical == "" || !ok(at(logical), at(text))) {
				return false
			}
		}
	}
	return true
}

// TestFindRun: DST begins in Berlin on 2026-03-29 (23 h).
func TestFindRun(t *testing.T) {
	runs := []fakeRun{
		{"scheduled__27", "2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z"}, // the day of the 28th, which starts on the 29th
		{"scheduled__28", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"manual__1", "2026-03-30T10:00:00.5Z", "2026-03-30T10:00:00.5Z"},
		{"a+b:c", "2026-03-31T10:00:00Z", "2026-03-31T10:00:00Z"},
	}
	for _, api := range []int{1, 2} {
		c := served(t, api, runs...)
		for text, want := range map[string]struct{ now, run string }{
			"daily":                            {"2026-05-01T00:00:00Z", "a+b:c"},
			"daily@latest":                     {"2026-05-01T00:00:00Z", "a+b:c"},
			"daily@a+b:c":                      {"2026-05-01T00:00:00Z", "a+b:c"},
			"daily@today":                      {"2026-03-28T23:30:00Z", "scheduled__28"}, // by its logical date
			"daily@2026-03-28":                 {"", "scheduled__27"},
			"daily@2026-03-29":                 {"", "scheduled__28"},
			"daily@2026-03-30":                 {"", "manual__1"},
			"daily@2026-03-30T12:00":           {"", "manual__1"},
			"daily@2026-03-28T00:00":           {"", "scheduled__27"},
			"daily@2026-03-30T00:00:00+02:00":  {"", "scheduled__28"}, // when it was to start
			"daily@2026-03-27T23:00:00Z":       {"", "scheduled__27"},
			"daily@2026-03-31T12:00:00.9+0200": {"", "a+b:c"},
		} {
			now := time.Now()
			if want.now != "" {
				now = at(want.now)
			}
			a, err := address.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := address.FindRun(t.Context(), c, a, now); err != nil || got.ID != want.run {
				t.Errorf("v%d %s: %q, %v, want %s", api, text, got.ID, err, want.run)
			}
		}
	}
	// The newest daily run of Airflow 2 bears yesterday's date, and one of Airflow 3 none.
	today := address.Address{DAG: "daily", Run: address.Run{Kind: address.Today}}
	for api, list := range map[int][]fakeRun{1: runs[:1], 2: append(runs[:1:1], fakeRun{"manual__0", "", "2026-03-28T23:10:00Z"})} {
		got, err := address.FindRun(t.Context(), served(t, api, list...), today, at("2026-03-29T05:00:00Z"))
		if want := list[len(list)-1].id; err != nil || got.ID != want {
			t.Errorf("v%d today: %q, %v, want %s", api, got.ID, err, want)
		}
	}
}

// TestFindRunMisses: what is not there, and what is near.
func TestFindRunMisses(t *testing.T) {
	var runs []fakeRun
	for day := 1; day < 30; day++ {
		text := fmt.Sprintf("2026-04-%02dT00:00:00Z", day)
		runs = append(runs, fakeRun{"scheduled__" + text, text, text})
	}
	for _, api := range []int{1, 2} {
		c := served(t, api, runs...)
		for text, want := range map[string]struct {
			what string
			near []string
			says string
		}{
			"daly":                       {"dag", []string{"daily"}, `no dag "daly"`},
			"daly@today":                 {"dag", []string{"daily"}, `no dag "daly"`},
			"daly@scheduled__x":          {"dag", []string{"daily"}, `no dag "daly"`},
			"daily@scheduled__2026-04-1": {"run", nil, `no run "scheduled__2026-04-1" of dag daily`},
			"daily@2026-04-10T12:00:00Z": {"run", []string{"scheduled__2026-04-11T00:00:00Z", "scheduled__2026-04-10T00:00:00Z"}, "daily has no run of 2026-04-10T12:00:00Z; near: scheduled__2026-04-1"},
			"daily@2027-01-01":           {"run", nil, "daily has no run of 2027-01-01; near: scheduled__2026-04-29T00:00:00Z"},
		} {
			a, err := address.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			_, err = address.FindRun(t.Context(), c, a, at("2026-05-01T00:00:00Z"))
			var m *address.Missing
			if !errors.As(err, &m) || m.What != want.what || !strings.Contains(err.Error(), want.says) {
				t.Errorf("v%d %s: %v", api, text, err)
				continue
			}
			for _, near := range want.near {
				if !slices.Contains(m.Near, near) {
					t.Errorf("v%d %s: near %v, want %v", api, text, m.Near, want.near)
				}
			}
		}
		_, err := address.FindRun(t.Context(), served(t, api), address.Address{DAG: "daily"}, time.Now())
		if err == nil || err.Error() != "daily has no run" {
			t.Errorf("a DAG that never ran: %v", err)
		}
	}
}

// TestOtherTroubleIsNoMiss: a server that cannot say is not one that says no.
func TestOtherTroubleIsNoMiss(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/api/v2/version") {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"version":"3.3.2"}`))
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	t.Cleanup(s.Close)
	c, err := client.New(client.Options{Endpoints: []string{s.URL}, Token: "x"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for _, text := range []string{"daily", "daily@r1", "daily@today"} {
		a, _ := address.Parse(text)
		_, err := address.FindRun(t.Context(), c, a, time.Now())
		var m *address.Missing
		var e *client.Error
		if errors.As(err, &m) || !errors.As(err, &e) || e.Code != client.CodeUnauthorized {
			t.Errorf("%s: %v", text, err)
		}
	}
}
