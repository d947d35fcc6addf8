package source

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/invoke"
	"github.com/outrider-run/outrider/runner/internal/redact"
	"github.com/outrider-run/outrider/runner/internal/run"
	"github.com/outrider-run/outrider/sdk/observe"
)

// runner answers calls in turn, and notes their params.
type runner struct {
	t       *testing.T
	answers []run.Outcome
	params  []map[string]any
	secrets []string
}

func (r *runner) Raw(_ context.Context, component string, params json.RawMessage, h invoke.Heard) (run.Outcome, *redact.Redactor) {
	if component != "digdag.observe" {
		r.t.Errorf("called %s", component)
	}
	var p map[string]any
	if err := json.Unmarshal(params, &p); err != nil {
		r.t.Error(err)
	}
	r.params = append(r.params, p)
	if h.Progress != nil {
		h.Progress(100, 0, "looking")
	}
	o := r.answers[0]
	r.answers = r.answers[1:]
	return o, redact.New(r.secrets)
}

func answered(output string) run.Outcome {
	return run.Outcome{State: run.Success, Output: json.RawMessage(output)}
}

func TestComponent(t *testing.T) {
	r := &runner{t: t, answers: []run.Outcome{answered(`{"engine": "digdag", "at": "2026-11-22T00:00:00Z", "runs": [{"id": "1", "workflow": "w", "state": "running"}], "cursor": {"v": 1}, "requests": 4}`), answered(`{}`)}}
	var told []string
	c := Component(r, "digdag.observe", json.RawMessage(`{"endpoint": "http://d", "password": "env:P"}`), 7)
	s, err := c.Ask(t.Context(), Asked{
		Details: []string{"1"}, HistoryFrom: time.Date(2026, 11, 1, 9, 0, 0, 5, time.FixedZone("", 9*3600)),
		Progress: func(done float64, note string) { told = append(told, note) },
	})
	if err != nil || s.Engine != "digdag" || len(s.Runs) != 1 || string(s.Cursor) != `{"v": 1}` || s.Requests != 4 || len(told) != 1 {
		t.Errorf("%+v, %v, %q", s, err, told)
	}
	want := map[string]any{"endpoint": "http://d", "password": "env:P", "details": []any{"1"}, "history_from": "2026-11-01T00:00:00Z", "limit": 7.0}
	if !reflect.DeepEqual(r.params[0], want) {
		t.Errorf("called with %v, want %v", r.params[0], want)
	}
	if _, err := Component(r, "digdag.observe", nil, 0).Ask(t.Context(), Asked{Cursor: json.RawMessage(`{"v":1}`)}); err != nil {
		t.Error(err)
	}
	if want := map[string]any{"cursor": map[string]any{"v": 1.0}}; !reflect.DeepEqual(r.params[1], want) {
		t.Errorf("called with %v, want %v", r.params[1], want)
	}
}

func TestComponentFails(t *testing.T) {
	for _, c := range []struct {
		name    string
		outcome run.Outcome
		want    string
	}{
		{"it fails", run.Outcome{State: run.Failed, Code: "unreachable", Message: "no route"}, "digdag.observe: failed (unreachable): no route"},
		{"it crashes", run.Outcome{State: run.Crashed, Code: "crashed", Message: "signal"}, "digdag.observe: crashed: signal"},
		{"it skips", run.Outcome{State: run.Skipped, Message: "not today"}, "digdag.observe: skipped: not today"},
		{"half an answer", answered(`{"engine": "digdag", "runs": [{"id": "1"`), "answered what is no snapshot"},
		{"another type", answered(`{"runs": "all"}`), "answered what is no snapshot"},
		{"100 MB", answered(`{"at": "2026-11-22T00:00:00Z", "engine": "` + strings.Repeat("x", 100<<20) + `"}`), "answered 100 MiB, and 16 MiB are the most"},
	} {
		s, err := Component(&runner{t: t, answers: []run.Outcome{c.outcome}}, "digdag.observe", nil, 0).Ask(t.Context(), Asked{})
		if err == nil || !strings.Contains(err.Error(), c.want) || !reflect.ValueOf(s).IsZero() {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestRefusedCursor: a cursor that the component does not take is left out, once.
func TestRefusedCursor(t *testing.T) {
	no := run.Outcome{State: run.Failed, Permanent: true, Code: invoke.CodeBadParams, Message: "cursor: it is of version 1"}
	r := &runner{t: t, answers: []run.Outcome{no, answered(`{"engine": "digdag"}`)}}
	asked := Asked{Cursor: json.RawMessage(`{"v":1}`), HistoryFrom: time.Unix(0, 0)}
	if s, err := Component(r, "digdag.observe", nil, 0).Ask(t.Context(), asked); err != nil || s.Engine != "digdag" {
		t.Errorf("%+v, %v", s, err)
	}
	if r.params[1]["cursor"] != nil || r.params[1]["history_from"] == nil {
		t.Errorf("then called with %v", r.params[1])
	}
	r = &runner{t: t, answers: []run.Outcome{no, no}}
	if _, err := Component(r, "digdag.observe", nil, 0).Ask(t.Context(), asked); err == nil || !strings.Contains(err.Error(), "version 1") {
		t.Error(err)
	}
	r = &runner{t: t, answers: []run.Outcome{{State: run.Failed, Code: "unreachable"}}}
	if _, err := Component(r, "digdag.observe", nil, 0).Ask(t.Context(), asked); err == nil || len(r.params) != 1 {
		t.Errorf("%v, %d calls", err, len(r.params))
	}
}

// TestSecretsAreWordsToo: a secret as plain as airflow, the password that Airflow's own
// compose file sets, is masked in what an engine says, and changes no id and no name.
func TestSecretsAreWordsToo(t *testing.T) {
	answer := `{"engine": "airflow", "version": "3.0", "at": "2026-11-22T00:00:00Z", "requests": 4,
		"runs": [{"id": "my_airflow_dag/r", "address": "my_airflow_dag@r", "project": "airflow", "workflow": "my_airflow_dag", "session": "airflow__1",
			"state": "running", "link": "http://airflow:8080/dags", "revision": "airflow-1", "labels": {"airflow": "airflow"},
			"params": {"password": "%[1]s"}, "log_tail": "with %[1]s",
			"tasks": [{"name": "airflow_task", "state": "failed", "word": "failed", "type": "airflow.op", "error": "not %[1]s"}]}],
		"schedules": [{"id": "airflow", "workflow": "my_airflow_dag", "broken": "no module %[1]s"}],
		"health": [{"name": "airflow", "ok": false, "note": "as %[1]s"}],
		"signals": [{"name": "airflow_slots", "value": 1, "labels": {"pool": "airflow"}}],
		"cursor": {"airflow": "my_airflow_dag"}, "blind": ["%[1]s refused", "run my_airflow_dag/r: by %[1]s", "not looked at: run my_airflow_dag/r: by %[1]s"]}`
	r := &runner{t: t, secrets: []string{"airflow"}, answers: []run.Outcome{answered(strings.ReplaceAll(answer, "%[1]s", "airflow"))}}
	got, err := Component(r, "digdag.observe", nil, 0).Ask(t.Context(), Asked{})
	if err != nil {
		t.Fatal(err)
	}
	var want observe.Snapshot
	if err := json.Unmarshal([]byte(strings.ReplaceAll(answer, "%[1]s", redact.Mask)), &want); err != nil {
		t.Fatal(err)
	}
	compact := func(raw json.RawMessage) string { return strings.ReplaceAll(string(raw), " ", "") }
	if g, w := compact(got.Runs[0].Params), compact(want.Runs[0].Params); g != w {
		t.Errorf("params %s, want %s", g, w)
	}
	got.Runs[0].Params, want.Runs[0].Params = nil, nil
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
