package sdk

import (
	"errors"
	"time"

	"github.com/outrider-run/outrider/sdk/internal/engine"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Permanent says that a retry does not help. It returns nil for nil, and it
// may be wrapped in turn.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &engine.Verdict{Kind: taskv1.Result_PERMANENT, Err: err}
}

// RetryAfter says that a retry may help, but not before d has passed. It
// returns nil for a nil err.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &engine.Verdict{Kind: taskv1.Result_FAILED, RetryAfter: d, Err: err}
}

// Code gives a failure a stable code for programs, such as table_missing,
// beside the text for people. It returns nil for a nil err.
func Code(code string, err error) error {
	if err == nil {
		return nil
	}
	return &engine.Verdict{Code: code, Err: err}
}

// Skip ends a run that had nothing to do, which is neither a success nor a
// failure.
func Skip(reason string) error {
	return &engine.Verdict{Kind: taskv1.Result_SKIPPED, Err: errors.New(reason)}
}

// Unchanged, returned beside an output, says that the wanted state was there
// already: a success, recorded as such. Joined with another error it is a
// failure.
func Unchanged() error { return engine.Unchanged() }
