package airflowtest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Run is one run of a DAG.
type Run struct {
	DAG, ID string

	client *client
}

// Task is one try of a task of a run, as Airflow shows it.
type Task struct {
	// State is empty before Airflow has looked at the task.
	State string `json:"state"`
	// Try is the number of this try, or of the last.
	Try      int        `json:"try_number"`
	MaxTries int        `json:"max_tries"`
	PID      int        `json:"pid"`
	Start    *time.Time `json:"start_date"`
	End      *time.Time `json:"end_date"`
}

// In returns a condition for WaitTask: the task is in one of states.
func In(states ...string) func(Task) bool {
	return func(t Task) bool { return slices.Contains(states, t.State) }
}

// Trigger starts a run of dag with conf, which may be nil.
func (s *Server) Trigger(ctx context.Context, dag string, conf map[string]any) (Run, error) {
	r := Run{DAG: dag, ID: "test-" + strings.ToLower(rand.Text()), client: s.client}
	in := map[string]any{"dag_run_id": r.ID, "conf": conf}
	if conf == nil {
		in["conf"] = struct{}{}
	}
	if s.Version == V3 {
		in["logical_date"] = nil // it must be there, and 2 refuses null
	}
	err := s.client.change(ctx, http.MethodPost, "dags/"+dag+"/dagRuns", in, nil)
	if err != nil && !isStatus(err, http.StatusConflict) { // our own, of the try before
		return r, fmt.Errorf("trigger %s: %w", dag, err)
	}
	return r, nil
}

// Run is a run that somebody else started.
func (s *Server) Run(dag, id string) Run { return Run{DAG: dag, ID: id, client: s.client} }

func (r Run) path() string { return "dags/" + r.DAG + "/dagRuns/" + r.ID }

func (r Run) taskPath(task string) string { return r.path() + "/taskInstances/" + task }

// State is the run's.
func (r Run) State(ctx context.Context) (string, error) {
	var out struct{ State string }
	return out.State, r.client.get(ctx, r.path(), &out)
}

// Wait waits until the run has ended and returns how.
func (r Run) Wait(ctx context.Context) (state string, err error) {
	err = poll(ctx, func() (bool, error) {
		now, err := r.State(ctx)
		if err != nil {
			return false, permanent(err)
		}
		state = now
		return state == "success" || state == "failed", nil
	})
	if err != nil {
		err = fmt.Errorf("wait for run %s of %s, which is %s: %w", r.ID, r.DAG, state, err)
	}
	return state, err
}

// Task tells about the last try of a task.
func (r Run) Task(ctx context.Context, task string) (Task, error) {
	var t Task
	return t, r.client.get(ctx, r.taskPath(task), &t)
}

// Tries tells about every try of a task, in order.
func (r Run) Tries(ctx context.Context, task string) ([]Task, error) {
	var out struct {
		Tries []Task `json:"task_instances"`
	}
	err := r.client.get(ctx, r.taskPath(task)+"/tries", &out)
	slices.SortFunc(out.Tries, func(a, b Task) int { return a.Try - b.Try })
	return out.Tries, err
}

// WaitTask waits until a task is as ok wants it.
func (r Run) WaitTask(ctx context.Context, task string, ok func(Task) bool) (t Task, err error) {
	err = poll(ctx, func() (bool, error) {
		now, err := r.Task(ctx, task)
		if err != nil {
			return false, permanent(err)
		}
		t = now
		return ok(t), nil
	})
	if err != nil {
		err = fmt.Errorf("wait for task %s of run %s of %s, try %d of which is %q: %w", task, r.ID, r.DAG, t.Try, t.State, err)
	}
	return t, err
}

// Mark sets the run's state, as the button in Airflow's pages does.
func (r Run) Mark(ctx context.Context, state string) error {
	return r.client.change(ctx, http.MethodPatch, r.path(), map[string]string{"state": state}, nil)
}

// MarkTask sets a task's state.
func (r Run) MarkTask(ctx context.Context, task, state string) error {
	return r.client.change(ctx, http.MethodPatch, r.taskPath(task), r.wet(map[string]any{"new_state": state}), nil)
}

// Clear has all tasks of the run made again.
func (r Run) Clear(ctx context.Context) error {
	return r.client.change(ctx, http.MethodPost, r.path()+"/clear", map[string]any{"dry_run": false}, nil)
}

// ClearTask has one task made again, of a run that has ended too.
func (r Run) ClearTask(ctx context.Context, task string) error {
	in := map[string]any{"dry_run": false, "only_failed": false, "reset_dag_runs": true, "dag_run_id": r.ID, "task_ids": []string{task}}
	return r.client.change(ctx, http.MethodPost, "dags/"+r.DAG+"/clearTaskInstances", in, nil)
}

// wet is in with what version 2 needs lest it only pretend.
func (r Run) wet(in map[string]any) map[string]any {
	if r.client.version == V2 {
		in["dry_run"] = false
	}
	return in
}

// XCom is what a task returned: text, or JSON where it is something else. ok is
// false when it returned nothing.
func (r Run) XCom(ctx context.Context, task string) (text string, ok bool, err error) {
	text, err = r.xcom(ctx, task, "")
	if IsNotFound(err) {
		return "", false, nil
	}
	return text, err == nil, err
}

// MappedXCom is XCom of one of a mapped task's copies, by its index.
func (r Run) MappedXCom(ctx context.Context, task string, index int) (text string, err error) {
	return r.xcom(ctx, task, fmt.Sprintf("&map_index=%d", index))
}

func (r Run) xcom(ctx context.Context, task, more string) (text string, err error) {
	var out struct{ Value json.RawMessage }
	// 2 would else make text of it in Python's way.
	if err := r.client.get(ctx, r.taskPath(task)+"/xcomEntries/return_value?stringify=false"+more, &out); err != nil {
		return "", err
	}
	if json.Unmarshal(out.Value, &text) != nil {
		text = string(out.Value)
	}
	return text, nil
}

// Line is one line of a log.
type Line struct {
	Time time.Time // zero where Airflow gives none
	Text string
}

// Log is the log of one try of a task.
func (r Run) Log(ctx context.Context, task string, try int) ([]Line, error) {
	path := fmt.Sprintf("%s/logs/%d?full_content=true", r.taskPath(task), try)
	var lines []Line
	if r.client.version == V2 {
		var text string
		if err := r.client.get(ctx, path, &text); err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			lines = append(lines, parseLine(strings.TrimSuffix(line, "\n")))
		}
		return lines, nil
	}
	var out struct {
		Content []struct {
			Timestamp time.Time
			Event     string
		}
	}
	if err := r.client.get(ctx, path, &out); err != nil {
		return nil, err
	}
	for _, c := range out.Content {
		lines = append(lines, Line{c.Timestamp, c.Event})
	}
	return lines, nil
}

// parseLine reads a line of version 2: [TIME] {FILE:LINE} LEVEL - TEXT, or the
// next line of a text of several.
func parseLine(line string) Line {
	head, text, ok := strings.Cut(line, " - ")
	stamp, _, closed := strings.Cut(strings.TrimPrefix(head, "["), "]")
	at, err := time.Parse("2006-01-02T15:04:05.999-0700", stamp)
	if !ok || !closed || err != nil {
		return Line{Text: line}
	}
	return Line{at, text}
}
