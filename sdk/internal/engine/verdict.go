package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Codes that the engine itself gives to results.
const (
	CodePanic            = "panic"
	CodeTooLarge         = "result_too_large"
	CodeBadParams        = "bad_params"
	CodeUnknownComponent = "unknown_component"
)

// maxText caps error texts and stacks, so that a result always fits a message.
const maxText = 64 << 10

// Verdict is an error with what its author said of it. Zero fields say nothing:
// the fields of all verdicts in a chain of errors are taken together, the
// outermost first.
type Verdict struct {
	Kind       taskv1.Result_Kind
	Code       string
	RetryAfter time.Duration
	Unchanged  bool
	Stack      string
	Err        error
}

func (v *Verdict) Error() string {
	if v.Err == nil {
		return "nothing to do"
	}
	return v.Err.Error()
}

func (v *Verdict) Unwrap() error { return v.Err }

// BadParams is the verdict on parameters that a component cannot take.
func BadParams(err error) error {
	return &Verdict{Kind: taskv1.Result_PERMANENT, Code: CodeBadParams, Err: err}
}

// said gathers what all verdicts in err's chain say.
func said(err error) Verdict {
	var all Verdict
	walk(err, func(v *Verdict) {
		if all.Kind == taskv1.Result_KIND_UNSPECIFIED {
			all.Kind = v.Kind
		}
		if all.Code == "" {
			all.Code = v.Code
		}
		if all.RetryAfter == 0 {
			all.RetryAfter = v.RetryAfter
		}
		if all.Stack == "" {
			all.Stack = v.Stack
		}
		all.Unchanged = all.Unchanged || v.Unchanged
	})
	return all
}

func walk(err error, visit func(*Verdict)) {
	for err != nil {
		if v, ok := err.(*Verdict); ok {
			visit(v)
		}
		switch e := err.(type) {
		case interface{ Unwrap() []error }:
			for _, inner := range e.Unwrap() {
				walk(inner, visit)
			}
			return
		default:
			err = errors.Unwrap(err)
		}
	}
}

// result is the end of a run as a message. stopped is why the run was
// cancelled, nil if it was not.
func result(output []byte, err, stopped error) *taskv1.Result {
	v := said(err)
	if err == nil || v.Unchanged {
		if len(output) > protocol.MaxOutput {
			return &taskv1.Result{
				Kind: taskv1.Result_PERMANENT, Code: CodeTooLarge,
				Error: fmt.Sprintf("the output is %d bytes of JSON, the most is %d", len(output), protocol.MaxOutput),
			}
		}
		return &taskv1.Result{Kind: taskv1.Result_SUCCESS, Output: output, Unchanged: v.Unchanged}
	}
	r := &taskv1.Result{
		Kind:  v.Kind,
		Code:  clean(v.Code, 100),
		Error: clean(err.Error(), maxText),
		Stack: clean(v.Stack, maxText),
	}
	switch {
	case stopped != nil && v.Code != CodePanic && v.Kind != taskv1.Result_SKIPPED:
		r.Kind = taskv1.Result_CANCELLED
		if reason := clean(stopped.Error(), maxText/2); !strings.Contains(r.Error, reason) {
			r.Error = clean(reason+": "+r.Error, maxText)
		}
	case r.Kind == taskv1.Result_KIND_UNSPECIFIED:
		r.Kind = taskv1.Result_FAILED
	}
	if r.Kind == taskv1.Result_FAILED && v.RetryAfter > 0 {
		r.RetryAfterMs = max(1, v.RetryAfter.Round(time.Millisecond).Milliseconds())
	}
	return r
}
