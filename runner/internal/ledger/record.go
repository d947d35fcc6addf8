package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/runner/internal/run"
)

// Run is the record of one run. What is unknown is empty or zero.
type Run struct {
	ID        string    `json:"run"`
	State     run.State `json:"state"`
	Component string    `json:"component"`
	// Command tells exec and sh from components.
	Command       bool   `json:"command"`
	PluginVersion string `json:"plugin_version,omitempty"`
	PluginSHA256  string `json:"plugin_sha256,omitempty"`
	// Params is JSON with secrets as references; of a command it is the argv.
	Params json.RawMessage   `json:"params"`
	Labels map[string]string `json:"labels,omitempty"`
	Caller Caller            `json:"caller"`

	// Key is the same over all retries; empty where nothing retries.
	Key     string `json:"key,omitempty"`
	Parent  string `json:"parent,omitempty"`
	RerunOf string `json:"rerun_of,omitempty"`

	Host string `json:"host"`
	User string `json:"user,omitempty"`
	PID  int    `json:"pid"`
	// AskedAt is when the host asked, StartedAt when all was granted.
	AskedAt   time.Time `json:"asked_at"`
	StartedAt time.Time `json:"started_at,omitzero"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	// Token is the fencing token of its claims; 0 without.
	Token int64 `json:"token,omitempty"`

	Attempts  int    `json:"attempts,omitempty"`
	Code      string `json:"code,omitempty"`
	Message   string `json:"message,omitempty"`
	Permanent bool   `json:"permanent,omitempty"`
	Unchanged bool   `json:"unchanged,omitempty"`
	ExitCode  int    `json:"exit_code"`
	// Output, Progress and Checkpoint are JSON, nil without.
	Output     json.RawMessage `json:"output,omitempty"`
	Progress   json.RawMessage `json:"progress,omitempty"`
	Checkpoint json.RawMessage `json:"checkpoint,omitempty"`
	LogTail    string          `json:"log_tail,omitempty"`
	LogPath    string          `json:"log_path,omitempty"`
	// LateResult is the end that was told after the run had been taken for dead.
	LateResult json.RawMessage `json:"late_result,omitempty"`
	// Cancel is why it is to end; empty: it may go on.
	Cancel string `json:"cancel,omitempty"`
	// NextDue is when the next run of this name is expected.
	NextDue time.Time `json:"next_due,omitzero"`

	digest       string
	deliveryBase string
	memoryKey    string
	live         string
	leaseUntil   int64
	epoch        int64
}

// Caller is the task of an engine that asked for the run.
type Caller struct {
	Engine      string `json:"engine"`
	Instance    string `json:"instance,omitempty"`
	Project     string `json:"project,omitempty"`
	Workflow    string `json:"workflow,omitempty"`
	Task        string `json:"task,omitempty"`
	Run         string `json:"run,omitempty"`
	Session     string `json:"session,omitempty"`
	LogicalTime string `json:"logical_time,omitempty"`
	TaskID      string `json:"task_id,omitempty"`
	Delivery    string `json:"delivery,omitempty"`
	Try         int    `json:"try,omitempty"`
	Link        string `json:"link,omitempty"`
}

// Ended reports whether the run is over.
func (r Run) Ended() bool { return r.State != run.Waiting && r.State != run.Running }

// columns of outrider_runs, in the order of values and of scan.
const columns = `id, state, component, command, plugin_version, plugin_sha256, params, digest, labels,
 engine, instance, project, workflow, task, engine_run, session, logical_time, task_id, delivery, try, link,
 run_key, delivery_base, memory_key, parent, rerun_of, host, username, pid, asked_at, started_at, ended_at,
 live, lease_until, epoch, token, attempts, code, message, permanent, unchanged, exit_code,
 output, progress, checkpoint, log_tail, log_path, late_result, cancel, next_due`

var insertRun = `INSERT INTO outrider_runs (` + columns + `) VALUES (?` + strings.Repeat(", ?", strings.Count(columns, ",")) + `)`

func (r *Run) values() ([]any, error) {
	labels, err := json.Marshal(r.Labels)
	if err != nil {
		return nil, fmt.Errorf("write labels: %w", err)
	}
	c := r.Caller
	return []any{
		r.ID, string(r.State), r.Component, flag(r.Command), r.PluginVersion, r.PluginSHA256, string(r.Params), r.digest, string(labels),
		c.Engine, c.Instance, c.Project, c.Workflow, c.Task, c.Run, c.Session, c.LogicalTime, c.TaskID, c.Delivery, c.Try, c.Link,
		r.Key, r.deliveryBase, r.memoryKey, r.Parent, r.RerunOf, r.Host, r.User, r.PID, millis(r.AskedAt), millis(r.StartedAt), millis(r.EndedAt),
		r.live, r.leaseUntil, r.epoch, r.Token, r.Attempts, r.Code, r.Message, flag(r.Permanent), flag(r.Unchanged), r.ExitCode,
		string(r.Output), string(r.Progress), string(r.Checkpoint), r.LogTail, r.LogPath, string(r.LateResult), r.Cancel, millis(r.NextDue),
	}, nil
}

// scan reads a row of columns.
func scan(row interface{ Scan(...any) error }) (Run, error) {
	var r Run
	var state, params, labels, output, progress, checkpoint, late string
	var command, permanent, unchanged int
	var asked, started, ended, due int64
	c := &r.Caller
	err := row.Scan(
		&r.ID, &state, &r.Component, &command, &r.PluginVersion, &r.PluginSHA256, &params, &r.digest, &labels,
		&c.Engine, &c.Instance, &c.Project, &c.Workflow, &c.Task, &c.Run, &c.Session, &c.LogicalTime, &c.TaskID, &c.Delivery, &c.Try, &c.Link,
		&r.Key, &r.deliveryBase, &r.memoryKey, &r.Parent, &r.RerunOf, &r.Host, &r.User, &r.PID, &asked, &started, &ended,
		&r.live, &r.leaseUntil, &r.epoch, &r.Token, &r.Attempts, &r.Code, &r.Message, &permanent, &unchanged, &r.ExitCode,
		&output, &progress, &checkpoint, &r.LogTail, &r.LogPath, &late, &r.Cancel, &due,
	)
	if err != nil {
		return r, err
	}
	r.State, r.Command, r.Permanent, r.Unchanged = run.State(state), command != 0, permanent != 0, unchanged != 0
	r.AskedAt, r.StartedAt, r.EndedAt, r.NextDue = moment(asked), moment(started), moment(ended), moment(due)
	r.Params, r.Output, r.Progress, r.Checkpoint, r.LateResult = raw(params), raw(output), raw(progress), raw(checkpoint), raw(late)
	if err := json.Unmarshal([]byte(labels), &r.Labels); err != nil {
		return r, fmt.Errorf("labels of run %s: %w", r.ID, err)
	}
	return r, nil
}

func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

// millis is t in milliseconds since 1970; 0 for none.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func moment(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
