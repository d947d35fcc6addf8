package digdagtest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// kinds describes the keys of a value and what they hold; null may be anything.
func kinds(path string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if k == "params" || k == "config" { // anybody's
				e = map[string]any{}
			}
			kinds(path+"."+k, e, into)
		}
		into[path] = "object"
	case []any:
		into[path] = "list"
		for _, e := range v {
			kinds(path+"[]", e, into)
		}
	case string:
		into[path] = "text " + strings.Map(func(r rune) rune { // times by their form
			switch {
			case r >= '0' && r <= '9':
				return '9'
			case strings.ContainsRune("-+:TZ", r):
				return r
			}
			return -1
		}, v)
		if _, err := time.Parse(time.RFC3339, v); err != nil {
			into[path] = "text"
		}
	case nil:
		if into[path] == "" {
			into[path] = "null"
		}
	case bool:
		into[path] = "switch"
	case float64:
		into[path] = "number"
	}
}

// sameShape compares an answer with a recorded one of a real server: the same
// keys with the same kinds of values, whatever they are.
func sameShape(t *testing.T, file string, got any) {
	t.Helper()
	recorded, err := os.ReadFile(filepath.Join("testdata", "answers", file+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var want any
	if err := json.Unmarshal(recorded, &want); err != nil {
		t.Fatal(err)
	}
	wanted, have := map[string]string{}, map[string]string{}
	kinds("", want, wanted)
	kinds("", got, have)
	for k, kind := range wanted {
		switch h, ok := have[k]; {
		case !ok:
			t.Errorf("%s: %s is missing", file, k)
		case h != kind && h != "null" && kind != "null":
			t.Errorf("%s: %s is %s, want %s", file, k, h, kind)
		}
	}
	for k := range have {
		if _, ok := wanted[k]; !ok {
			t.Errorf("%s: %s is too much", file, k)
		}
	}
}

// TestShapesOfActions compares what a POST or DELETE answers.
func TestShapesOfActions(t *testing.T) {
	s, dir := onShared(t), t.TempDir()
	command, release := waiting(dir)
	x := scheduleOf(t, s, fmt.Sprintf("timezone: Asia/Tokyo\nschedule: {daily>: '07:00:00'}\n+a: {sh>: '%s'}\n", command))
	send := func(file, method, path string, body any) (got any) {
		t.Helper()
		if err := s.Send(s.Context(), method, path, body, &got); err != nil {
			t.Fatal(err)
		}
		sameShape(t, file, got)
		return got
	}
	schedule := "/api/schedules/" + x.ID
	send("schedule_disable", http.MethodPost, schedule+"/disable", nil)
	send("schedule_enable", http.MethodPost, schedule+"/enable", nil)
	send("schedule_skip", http.MethodPost, schedule+"/skip", map[string]any{"nextTime": x.NextScheduleTime.AddDate(0, 0, 3), "dryRun": false})
	filled := send("schedule_backfill", http.MethodPost, schedule+"/backfill", map[string]any{"fromTime": x.NextScheduleTime.AddDate(0, 0, -2), "count": 2, "attemptName": "b", "dryRun": false})
	attempts := filled.(map[string]any)["attempts"].([]any)
	queued := attempts[1].(map[string]any)["id"].(string)
	for file, path := range map[string]string{
		"attempt_queued_backfill": "/api/attempts/" + queued, "tasks_queued_backfill": "/api/attempts/" + queued + "/tasks",
		"workflow_truncated": "/api/workflows/" + x.Workflow.ID + "/truncated_session_time?session_time=2026-01-02T03:04:05Z&mode=schedule",
	} {
		var got any
		if err := s.Get(s.Context(), path, &got); err != nil {
			t.Fatal(err)
		}
		sameShape(t, file, got)
	}
	release(t)
	for _, a := range attempts {
		s.Wait(a.(map[string]any)["id"].(string))
	}
	send("project_delete", http.MethodDelete, "/api/projects/"+x.Project.ID, nil)
}

// TestShapesOfTasks compares the tasks of runs, key by key and by their state.
func TestShapesOfTasks(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{
		"tasks_slafail.dig": "sla: {duration: '00:00:01', fail: true}\n+s: {sh>: sleep 3}\n+t: {echo>: after sla}\n",
		"tasks_loop.dig": `
+l: {loop>: 2, _do: {sh>: "echo ${i} $i"}}
+f: {for_each>: {fruit: [apple, orange]}, _parallel: true, _do: {echo>: "${fruit}"}}
+i: {if>: "${1 < 2}", _do: {+yes: {echo>: yes}}}
+p: {_parallel: true, +p1: {sh>: "true"}, +p2: {sh>: "true"}}
`,
		"tasks_require.dig": "+r: {require>: ok, session_time: '${session_time}'}\n+w: {wait>: 2s}\n+n: {echo>: done}\n",
		"ok.dig":            "+a: {echo>: a}\n",
	})
	for _, file := range []string{"tasks_slafail", "tasks_loop", "tasks_require"} {
		r := s.Wait(s.Start(project, file).ID)
		recorded, err := os.ReadFile(filepath.Join("testdata", "answers", file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var want struct{ Tasks []Task }
		if err := json.Unmarshal(recorded, &want); err != nil {
			t.Fatal(err)
		}
		var states []string
		for _, x := range want.Tasks {
			states = append(states, strings.Replace(x.FullName, "+"+strings.TrimPrefix(file, "tasks_"), "+"+file, 1)+" "+x.State)
		}
		expect(t, r, r.Status, states...)
		var got any
		if err := s.Get(s.Context(), "/api/attempts/"+r.ID+"/tasks", &got); err != nil {
			t.Fatal(err)
		}
		sameShape(t, file, got)
	}
}
