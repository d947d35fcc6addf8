package sdktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// State is how a run ended.
type State string

// The states.
const (
	Success   State = "success"
	Failed    State = "failed"    // a retry may help
	Permanent State = "permanent" // a retry does not help
	Skipped   State = "skipped"
	Cancelled State = "cancelled"
	Crashed   State = "crashed" // a binary died without a result
)

// Outcome is a run as its host saw it.
type Outcome struct {
	State State
	// Output is the JSON object of a success.
	Output json.RawMessage
	// Code, Error and Stack are of a failure; Error is the reason of a skip.
	Code, Error, Stack string
	RetryAfter         time.Duration
	Unchanged          bool

	Logs        []Line
	Progress    []Progress
	Alive       int
	Checkpoints []json.RawMessage
	// Artifacts are the committed ones, by name.
	Artifacts map[string][]byte

	// Stdout and Stderr are what a binary printed past the protocol.
	Stdout, Stderr string
}

// Line is one line of the log.
type Line struct {
	Level   string
	Message string
	// Fields are the key-value pairs, as JSON has them.
	Fields map[string]any
	// Source is task, or stdout for what was printed.
	Source string
}

// Progress is one report of progress.
type Progress struct {
	Done, Total float64
	Note        string
}

// Err is nil for a success, and else the error's text, or the reason of a skip.
func (o Outcome) Err() error {
	if o.State == Success {
		return nil
	}
	return fmt.Errorf("%s: %w", o.State, errors.New(o.Error))
}

// Decode reads the output into v.
func (o Outcome) Decode(v any) error {
	if err := json.Unmarshal(o.Output, v); err != nil {
		return fmt.Errorf("decoding the output of a run that ended %s: %w", o.State, err)
	}
	return nil
}

func (o *Outcome) setResult(r *taskv1.Result) {
	states := map[taskv1.Result_Kind]State{
		taskv1.Result_SUCCESS: Success, taskv1.Result_FAILED: Failed, taskv1.Result_PERMANENT: Permanent,
		taskv1.Result_SKIPPED: Skipped, taskv1.Result_CANCELLED: Cancelled,
	}
	o.State = states[r.GetKind()]
	o.Output = r.GetOutput()
	o.Code, o.Error, o.Stack = r.GetCode(), r.GetError(), r.GetStack()
	o.RetryAfter = time.Duration(r.GetRetryAfterMs()) * time.Millisecond
	o.Unchanged = r.GetUnchanged()
}
