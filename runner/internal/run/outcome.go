package run

import (
	"encoding/json"
	"fmt"
	"syscall"
	"time"
)

// State is where a run stands (design, section 2).
type State string

// The states of a run. Waiting and Running are the only ones that are left again:
//
//	waiting → running | skipped | cancelled | timed_out | lost
//	running → success | failed | skipped | cancelled | timed_out | crashed | lost
const (
	Waiting   State = "waiting"
	Running   State = "running"
	Success   State = "success"
	Failed    State = "failed"
	Skipped   State = "skipped"
	Cancelled State = "cancelled"
	TimedOut  State = "timed_out"
	Crashed   State = "crashed"
	Lost      State = "lost"
)

// Codes of outcomes that the host decides; a component adds its own.
const (
	CodeTimeout     = "timeout"
	CodeIdle        = "idle_timeout"
	CodeCancelled   = "cancelled"
	CodeOrphaned    = "orphaned"
	CodeUndelivered = "output_undelivered"
	CodeBusy        = "busy"
	CodeLeaseLost   = "lease_lost"
)

// Outcome is how an attempt or a run ended.
type Outcome struct {
	State State
	// Code is stable and for programs; empty on a plain success or failure.
	Code string
	// Message is one line or more for people: the error, or a skip's reason.
	Message string
	// Permanent: a retry does not help.
	Permanent bool
	// Broken: not the task failed but its plugin (exit 5).
	Broken bool
	// Misused: the caller has to change something first (exit 2).
	Misused bool
	// Output is one JSON object, compact; only of a success.
	Output json.RawMessage
	// RetryAfter: not before; zero means no wish.
	RetryAfter time.Duration
	// Unchanged: the wanted state was there already.
	Unchanged bool
	// Stack is that of a panic.
	Stack string
	// Signal is the signal that made the host cancel, zero without one.
	Signal syscall.Signal
	// Attempts is how many attempts were made.
	Attempts int
	// Command is the exit code of a command (exec, sh); nil for a component.
	Command *int
}

// codeBusy is the exit code of a run that gave up waiting (EX_TEMPFAIL).
const codeBusy = 75

// Exit returns the exit code of `outrider run` (design, section 6). skip is the
// code of a skipped run.
func (o Outcome) Exit(skip int) int {
	switch {
	case o.Signal != 0:
		return 128 + int(o.Signal)
	case o.State == Success:
		return 0
	case o.State == Skipped:
		return skip
	case o.State == TimedOut:
		return 124
	case o.State == Cancelled:
		return 143
	case o.Misused:
		return 2
	case o.State == Crashed, o.Broken:
		return 5
	case o.Permanent:
		return 3
	case o.Code == CodeBusy:
		return codeBusy
	default:
		return 1
	}
}

// Line is the outcome in one line for people, without the run's name.
func (o Outcome) Line() string {
	s := string(o.State)
	if o.State == Success && o.Unchanged {
		s = "success (nothing to do)"
	}
	if o.Code != "" && o.Code != s {
		s += " (" + o.Code + ")"
	}
	if o.Message != "" {
		s += ": " + o.Message
	}
	if o.Attempts > 1 {
		s += fmt.Sprintf(" [%d attempts]", o.Attempts)
	}
	return s
}
