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
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/observe"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// fields is an object in JSON.
type fields map[string]any

// with is it, changed.
func (f fields) with(changes fields) fields {
	all := maps.Clone(f)
	maps.Copy(all, changes)
	return all
}

// lookServer answers as an Airflow 3 or 2 does: with rows that a real one sent, changed
// where a test wants them so. It notes what it is asked, and instead is what is served
// for a path instead, the API's own beginning left out.
type lookServer struct {
	*httptest.Server
	t   *testing.T
	api int

	mu      sync.Mutex
	now     time.Time
	health  fields
	runs    []fields
	dags    []fields
	tasks   map[string][]fields // by run
	logs    map[string]string   // by task, try: "hold 1"
	instead map[string]http.HandlerFunc
	asked   []string
}

// onBoth runs f with a server of each version.
func onBoth(t *testing.T, f func(t *testing.T, s *lookServer)) {
	t.Helper()
	for _, api := range []int{1, 2} {
		t.Run("v"+strconv.Itoa(api), func(t *testing.T) {
			s := &lookServer{
				t: t, api: api, now: time.Now().UTC().Truncate(time.Second),
				tasks: map[string][]fields{}, logs: map[string]string{}, instead: map[string]http.HandlerFunc{},
			}
			s.health = s.sample("health")
			s.beats(5 * time.Second)
			s.Server = httptest.NewServer(s)
			t.Cleanup(s.Close)
			f(t, s)
		})
	}
}

// sampleText is what a real server of that API answered.
func (s *lookServer) sampleText(name string) []byte {
	s.t.Helper()
	raw, err := os.ReadFile(filepath.Join("client", "testdata", fmt.Sprintf("airflow%d", s.api+1), name+".json"))
	var whole struct{ Body json.RawMessage }
	if err == nil {
		err = json.Unmarshal(raw, &whole)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return whole.Body
}

func (s *lookServer) sample(name string) (f fields) {
	s.t.Helper()
	if err := json.Unmarshal(s.sampleText(name), &f); err != nil {
		s.t.Fatal(err)
	}
	return f
}

// first is the first row of a list that a real server sent.
func (s *lookServer) first(name, list string) fields {
	s.t.Helper()
	return s.sample(name)[list].([]any)[0].(map[string]any)
}

// beats sets how old the heartbeats are.
func (s *lookServer) beats(age time.Duration) {
	for part := range s.health {
		one := s.health[part].(map[string]any)
		if name := "latest_" + part + "_heartbeat"; one[name] != nil {
			one[name] = stamp(s.now.Add(-age))
		}
	}
}

func stamp(at time.Time) string { return at.Format("2006-01-02T15:04:05.000000Z07:00") }

// run adds a run of a DAG, an open one.
func (s *lookServer) run(dag, id string, changes fields) fields {
	r := s.first("dagruns-all-running", "dag_runs").with(fields{"dag_id": dag, "dag_run_id": id}).with(changes)
	s.runs = append(s.runs, r)
	return r
}

func (s *lookServer) end(r fields, state string, at time.Time) {
	r["state"], r["end_date"] = state, stamp(at)
}

// dag adds a DAG.
func (s *lookServer) dag(id string, changes fields) fields {
	d := s.sample("dag-one").with(fields{"dag_id": id}).with(changes)
	s.dags = append(s.dags, d)
	return d
}

// task adds a task instance of a run.
func (s *lookServer) task(r fields, name, state string, changes fields) fields {
	t := s.first("taskinstances-of-run", "task_instances").with(fields{"dag_id": r["dag_id"], "dag_run_id": r["dag_run_id"], "task_id": name, "state": state}).with(changes)
	if state == "" {
		t["state"], t["start_date"] = nil, nil
	}
	if state != "success" && state != "failed" {
		t["end_date"] = nil
	}
	id := r["dag_run_id"].(string)
	s.tasks[id] = append(s.tasks[id], t)
	return t
}

func (s *lookServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.URL.Path
	s.asked = append(s.asked, path)
	w.Header().Set("Date", s.now.Format(http.TimeFormat))
	own := map[int]string{1: "/api/v1", 2: "/api/v2"}[s.api]
	rest, inAPI := strings.CutPrefix(path, own)
	if other := s.instead[rest]; inAPI && other != nil {
		other(w, r)
		return
	}
	switch {
	case s.api == 1 && !inAPI && path != "/health":
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, "<!DOCTYPE html><html><title>Airflow 404</title></html>")
		return
	case path == "/auth/token" && r.Method == http.MethodGet:
		s.fail(w, 403, "auth-token-get-not-all-admins")
		return
	case path == "/auth/token":
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"access_token":"t0ken"}`)
		return
	case rest == "/version":
		s.give(w, s.sample("version"))
		return
	case rest == "/monitor/health", rest == "/health", path == "/health":
		s.give(w, s.health)
		return
	case r.Header.Get("Authorization") == "":
		if s.api == 1 {
			s.fail(w, 403, "error-401-no-auth")
		} else {
			s.fail(w, 401, "error-401-no-token")
		}
		return
	}
	s.list(w, r, strings.Split(strings.Trim(rest, "/"), "/"))
}

func (s *lookServer) give(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (s *lookServer) fail(w http.ResponseWriter, status int, sample string) {
	w.Header().Set("Content-Type", map[int]string{1: "application/problem+json", 2: "application/json"}[s.api])
	w.WriteHeader(status)
	_, _ = w.Write(s.sampleText(sample))
}

// list answers what needs a login.
func (s *lookServer) list(w http.ResponseWriter, r *http.Request, at []string) {
	q := r.URL.Query()
	of := func(name string, rows []fields) {
		limit, _ := strconv.Atoi(q.Get("limit"))
		if limit == 0 || limit > 100 {
			limit = map[int]int{1: 100, 2: 50}[s.api]
		}
		offset, _ := strconv.Atoi(q.Get("offset"))
		s.give(w, fields{name: append([]fields{}, rows[min(offset, len(rows)):min(offset+limit, len(rows))]...), "total_entries": len(rows)})
	}
	text := func(f fields, name string) string { v, _ := f[name].(string); return v }
	run := func(dag, id string) fields {
		for _, one := range s.runs {
			if one["dag_id"] == dag && one["dag_run_id"] == id {
				return one
			}
		}
		return nil
	}
	switch {
	case len(at) == 1 && at[0] == "dags":
		// Both are true by default, and has_import_errors is of Airflow 3.
		live := q.Get(map[int]string{1: "only_active", 2: "exclude_stale"}[s.api]) != "false"
		broken := s.api == 2 && q.Get("has_import_errors") == "true"
		of("dags", slices.DeleteFunc(slices.Clone(s.dags), func(d fields) bool {
			return live && (d["is_stale"] == true || d["is_active"] == false) || broken && d["has_import_errors"] != true
		}))
	case len(at) == 1 && at[0] == "pools", len(at) == 1 && at[0] == "jobs":
		s.give(w, s.sample(map[string]string{"pools": "pools", "jobs": "jobs-all"}[at[0]]))
	case len(at) == 1 && at[0] == "importErrors":
		s.give(w, s.sample("import-errors"))
	case len(at) == 3 && at[2] == "dagRuns":
		since := q.Get("end_date_gte")
		if since != "" {
			parsed, err := time.Parse(time.RFC3339, since)
			if err != nil {
				s.t.Error(err)
			}
			since = stamp(parsed)
		}
		var found []fields
		for _, one := range s.runs {
			if (at[1] == "~" || one["dag_id"] == at[1]) && (len(q["state"]) == 0 || slices.Contains(q["state"], text(one, "state"))) && (since == "" || one["end_date"] != nil && text(one, "end_date") >= since) {
				found = append(found, one)
			}
		}
		if by := q.Get("order_by"); by == "end_date" {
			slices.SortStableFunc(found, func(a, b fields) int { return strings.Compare(text(a, by), text(b, by)) })
		} else if strings.HasPrefix(by, "-") {
			slices.Reverse(found)
		}
		of("dag_runs", found)
	case len(at) >= 5 && at[4] == "taskInstances" && at[1] == "~":
		var found []fields
		for _, id := range slices.Sorted(maps.Keys(s.tasks)) {
			for _, one := range s.tasks[id] {
				if slices.Contains(q["state"], text(one, "state")) {
					found = append(found, one)
				}
			}
		}
		of("task_instances", found)
	case len(at) == 4 && run(at[1], at[3]) != nil:
		s.give(w, run(at[1], at[3]))
	case len(at) == 5 && at[4] == "taskInstances":
		of("task_instances", s.tasks[at[3]])
	case len(at) >= 7 && at[len(at)-2] == "logs":
		name := at[5]
		if n := q.Get("map_index"); n != "" && n != "-1" {
			name += "[" + n + "]"
		}
		s.log(w, name+" "+at[len(at)-1])
	case len(at) >= 7 && at[len(at)-1] == "tries":
		var found []fields
		for _, one := range s.tasks[at[3]] {
			if one["task_id"] != at[5] {
				continue
			}
			last, _ := strconv.Atoi(fmt.Sprint(one["try_number"]))
			for n := 1; n <= last; n++ {
				found = append(found, one.with(fields{"try_number": n}))
			}
		}
		of("task_instances", found)
	case len(at) == 3 && at[2] == "tasks":
		s.give(w, fields{"tasks": []any{}, "total_entries": 0})
	case len(at) >= 2 && at[0] == "dags":
		for _, d := range s.dags {
			if d["dag_id"] == at[1] && (len(at) == 2 || at[2] == "details") {
				s.give(w, d)
				return
			}
		}
		s.fail(w, 404, map[bool]string{true: "dagrun-404", false: "dag-404"}[len(at) == 4])
	default:
		s.t.Errorf("asked for %s", r.URL)
		w.WriteHeader(http.StatusTeapot)
	}
}

// log gives a log as each version does: with where it was read before it.
func (s *lookServer) log(w http.ResponseWriter, name string) {
	text, ok := s.logs[name]
	switch {
	case !ok && s.api == 2:
		s.fail(w, 404, "log-no-such-try")
	case s.api == 2:
		content := []fields{{"event": "::group::Log message source details"}, {"event": "/logs/attempt=1.log"}, {"event": "::endgroup::"}}
		for line := range strings.Lines(text) {
			content = append(content, fields{"timestamp": stamp(s.now), "event": strings.TrimSuffix(line, "\n"), "level": "info"})
		}
		s.give(w, fields{"content": content, "continuation_token": nil})
	default:
		w.Header().Set("Content-Type", "text/plain")
		head := "host1\n INFO - ::group::Log message source details\n*** Found local files:\n***   * /logs/attempt=1.log\n INFO - ::endgroup::\n"
		if !ok {
			head = "host1\n INFO - ::group::Log message source details\n*** Log file not found on worker 'host1'.\n INFO - ::endgroup::\n"
		}
		_, _ = io.WriteString(w, head)
		for line := range strings.Lines(text) {
			_, _ = io.WriteString(w, "[2026-11-21T23:28:11.336+0000] {subprocess.py:106} INFO - "+line)
		}
	}
}

// see runs a component, with the parameters beside the endpoint and a login.
func (s *lookServer) see(c sdk.Component, params fields, out any, options ...sdktest.Option) sdktest.Outcome {
	s.t.Helper()
	raw, err := json.Marshal(fields{"endpoint": s.URL, "user": "u", "password": "correct horse"}.with(params))
	if err != nil {
		s.t.Fatal(err)
	}
	o := sdktest.RunJSON(s.t, c, string(raw), options...)
	if o.State == sdktest.Success {
		if err := o.Decode(out); err != nil {
			s.t.Fatal(err)
		}
	}
	return o
}

// observe is a pass that succeeds, and how many requests it took.
func (s *lookServer) observe(params fields) (out observe.Snapshot, requests int) {
	s.t.Helper()
	before := len(s.asked)
	if o := s.see(observeComponent(), params, &out); o.Err() != nil {
		s.t.Fatal(o.Err())
	}
	if requests = len(s.asked) - before; out.Requests != requests {
		s.t.Errorf("%d requests, told as %d: %v", requests, out.Requests, s.asked[before:])
	}
	return out, requests
}
