package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// answer is one answer of a server: a body, or more.
type answer struct {
	status int // 0 is 200
	body   string
	html   bool
	handle http.HandlerFunc // instead
}

// play is what a server answers, by "GET /dags/daily" without the API's version, or
// with the states that are asked for behind it, as "GET /dags/daily/dagRuns?failed":
// one after another, the last one for good.
type play map[string][]answer

// airflowServer answers as it was told, and knows what it was asked.
type airflowServer struct {
	*httptest.Server
	api   int
	mu    sync.Mutex
	asked []ask
}

type ask struct{ request, query, body string }

const twoSided = "GET /monitor/health GET /health"

// actsOn serves a play as Airflow 3 (api 2) or 2 (api 1).
func actsOn(t testing.TB, api int, p play) *airflowServer {
	t.Helper()
	s := &airflowServer{api: api}
	left := maps.Clone(p)
	prefix := fmt.Sprintf("/api/v%d", api)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		path, ours := strings.CutPrefix(r.URL.EscapedPath(), prefix)
		if r.URL.Path == "/auth/token" { // beside the API
			path, ours = r.URL.Path, true
		}
		key := r.Method + " " + path
		if states := r.URL.Query()["state"]; len(states) > 0 {
			if _, told := left[key+"?"+strings.Join(states, ",")]; told {
				key += "?" + strings.Join(states, ",")
			}
		}
		s.mu.Lock()
		list := left[key]
		if len(list) > 1 {
			left[key] = list[1:]
		}
		s.asked = append(s.asked, ask{key, r.URL.RawQuery, string(body)})
		s.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		if !ours {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if len(list) == 0 {
			list = []answer{{status: http.StatusNotFound, body: `{"detail":"nothing is there"}`, handle: nil}}
			switch {
			case path == "/version":
				list[0] = answer{body: map[int]string{1: `{"version":"2.11.2"}`, 2: `{"version":"3.3.2"}`}[api]}
			case strings.Contains(twoSided, key):
				list[0] = answer{body: health("healthy", time.Now())}
			default:
				t.Errorf("unexpected: %s?%s %s", key, r.URL.RawQuery, body)
			}
		}
		a := list[0]
		if a.handle != nil {
			a.handle(w, r)
			return
		}
		if a.html {
			w.Header().Set("Content-Type", "text/html")
		}
		w.WriteHeader(max(a.status, 200)) // 0 is none
		_, _ = io.WriteString(w, a.body)
	}))
	t.Cleanup(s.Close)
	return s
}

// requests are those of a kind so far.
func (s *airflowServer) requests(key string) (list []ask) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked {
		if a.request == key {
			list = append(list, a)
		}
	}
	return list
}

// on is a source of the server.
func (s *airflowServer) on() source {
	return source{Endpoint: endpoints{s.URL}, User: "me", RequestTimeout: time.Minute, Headers: map[string]string{"Authorization": "Bearer x"}}
}

// atOnce looks again at once.
var atOnce = pace{Every: time.Millisecond, Outage: time.Minute}

// onBothAPIs runs f for Airflow 3 and 2.
func onBothAPIs(t *testing.T, f func(t *testing.T, api int)) {
	for _, api := range []int{2, 1} {
		t.Run(fmt.Sprintf("v%d", api), func(t *testing.T) { f(t, api) })
	}
}

// recorded is an answer of a real server with some members changed.
func recorded(t testing.TB, api int, name string, changes map[string]any) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("client", "testdata", fmt.Sprintf("airflow%d", api+1), name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Body map[string]any }
	if err := json.Unmarshal(raw, &all); err != nil || all.Body == nil {
		t.Fatal(name, err)
	}
	maps.Copy(all.Body, changes)
	return asJSON(t, all.Body)
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// runIn is a run of daily in a state; changes may be nil.
func runIn(t testing.TB, api int, id, state string, changes map[string]any) string {
	all := map[string]any{"dag_id": "daily", "dag_run_id": id, "state": state, "start_date": "2026-11-21T23:00:00Z", "end_date": nil}
	switch state {
	case "queued":
		all["start_date"] = nil
	case "success", "failed":
		all["end_date"] = "2026-11-21T23:20:00Z"
	}
	maps.Copy(all, changes)
	return recorded(t, api, "dagrun-success", all)
}

func runs(list ...string) string {
	return fmt.Sprintf(`{"dag_runs":[%s],"total_entries":%d}`, strings.Join(list, ","), len(list))
}

// taskIn is a task instance of a run in a state, as "load" or "load[3]"; changes may
// be nil.
func taskIn(t testing.TB, api int, name, state string, changes map[string]any) string {
	t.Helper()
	a, err := parseAddress("daily/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var word any = state
	try := 1
	switch state {
	case "":
		word, try = nil, 0
	case "upstream_failed", "scheduled":
		try = 0
	}
	all := map[string]any{"dag_id": "daily", "dag_run_id": "r1", "task_id": a.Task, "map_index": a.MapIndex(), "state": word, "try_number": try}
	maps.Copy(all, changes)
	return recorded(t, api, "taskinstance", all)
}

func tasks(list ...string) string {
	return fmt.Sprintf(`{"task_instances":[%s],"total_entries":%d}`, strings.Join(list, ","), len(list))
}

// defs are the tasks of a DAG: load>sum>send is each before the next.
func defs(t testing.TB, chains ...string) string {
	next := map[string][]string{}
	for _, chain := range chains {
		ids := strings.Split(chain, ">")
		for i, id := range ids {
			next[id] = append(next[id], ids[i+1:min(i+2, len(ids))]...)
		}
	}
	list := []any{}
	for _, id := range slices.Sorted(maps.Keys(next)) {
		list = append(list, map[string]any{"task_id": id, "downstream_task_ids": append([]string{}, next[id]...), "operator_name": "BashOperator", "is_mapped": false, "class_ref": map[string]any{"class_name": "BashOperator"}})
	}
	return asJSON(t, map[string]any{"tasks": list, "total_entries": len(list)})
}

// dagIs is the DAG daily; changes may be nil.
func dagIs(t testing.TB, api int, changes map[string]any) string {
	all := map[string]any{"dag_id": "daily", "timezone": "UTC", "is_paused": false}
	maps.Copy(all, changes)
	return recorded(t, api, "dag-details", all)
}

func health(scheduler string, beat time.Time) string {
	at := beat.Format(time.RFC3339)
	return fmt.Sprintf(`{"metadatabase":{"status":"healthy"},"scheduler":{"status":%q,"latest_scheduler_heartbeat":%q},"triggerer":{"status":null,"latest_triggerer_heartbeat":null},"dag_processor":{"status":null,"latest_dag_processor_heartbeat":null}}`, scheduler, at)
}

// healthAt is where a version tells its health.
func healthAt(api int) string { return map[int]string{1: "GET /health", 2: "GET /monitor/health"}[api] }

func heard(o sdktest.Outcome, message string) bool {
	for _, l := range o.Logs {
		if strings.Contains(l.Message, message) {
			return true
		}
	}
	return false
}

var nothing = answer{status: http.StatusNotFound, body: `{"detail":"nothing is there"}`}
