package engine

import (
	"cmp"
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
	CodeBadComponent     = "bad_component"
)

// maxText caps error texts and stacks, so that a result always fits a message.
const maxText = 64 << 10

// Verdict is an error with what its author said of it. Zero fields say nothing:
// what an error inside says holds then.
type Verdict struct {
	Kind       taskv1.Result_Kind
	Code       string
	RetryAfter time.Duration
	Stack      string
	Err        error
}

// Unchanged is the verdict of a success that had nothing to do.
func Unchanged() error { return &Verdict{Kind: taskv1.Result_SUCCESS} }

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

// severity orders kinds by which one holds for errors that were joined: what is
// to be closed may fail beside a Skip, and that is a failure.
func severity(k taskv1.Result_Kind) int {
	switch k {
	case taskv1.Result_SUCCESS:
		return 0
	case taskv1.Result_SKIPPED:
		return 1
	case taskv1.Result_FAILED:
		return 2
	}
	return 3
}

// Judge takes together what all verdicts in err say: the outer one before the
// inner, the graver one of two that were joined. An error without a verdict is a
// failure.
func Judge(err error) Verdict {
	if v, ok := err.(*Verdict); ok {
		if v.Err == nil {
			return *v
		}
		return over(*v, Judge(v.Err))
	}
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		var all Verdict
		for i, inner := range e.Unwrap() {
			one := Judge(inner)
			if i == 0 || severity(one.Kind) > severity(all.Kind) {
				all = over(one, all)
			} else {
				all = over(all, one)
			}
		}
		return all
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return Judge(inner)
		}
	}
	return Verdict{Kind: taskv1.Result_FAILED}
}

// over fills what outer leaves open from inner.
func over(outer, inner Verdict) Verdict {
	if outer.Kind == taskv1.Result_KIND_UNSPECIFIED {
		outer.Kind = inner.Kind
	}
	outer.Code = cmp.Or(outer.Code, inner.Code)
	outer.RetryAfter = cmp.Or(outer.RetryAfter, inner.RetryAfter)
	outer.Stack = cmp.Or(outer.Stack, inner.Stack)
	return outer
}

// Succeeded reports whether err, of a component that returned an output beside
// it, is none.
func Succeeded(err error) bool {
	return err == nil || Judge(err).Kind == taskv1.Result_SUCCESS
}

// result is the end of a run as a message. stopped is why the run was
// cancelled, nil if it was not.
func result(output []byte, err, stopped error) *taskv1.Result {
	if Succeeded(err) {
		if len(output) > protocol.MaxOutput {
			return &taskv1.Result{
				Kind: taskv1.Result_PERMANENT, Code: CodeTooLarge,
				Error: fmt.Sprintf("the output is %d bytes of JSON, the most is %d", len(output), protocol.MaxOutput),
			}
		}
		return &taskv1.Result{Kind: taskv1.Result_SUCCESS, Output: output, Unchanged: err != nil}
	}
	v := Judge(err)
	r := &taskv1.Result{
		Kind:  v.Kind,
		Code:  clean(v.Code, 100),
		Error: clean(err.Error(), maxText),
		Stack: clean(v.Stack, maxText),
	}
	if stopped != nil && v.Code != CodePanic && v.Kind != taskv1.Result_SKIPPED {
		r.Kind = taskv1.Result_CANCELLED
		if reason := clean(stopped.Error(), maxText/2); !strings.Contains(r.Error, reason) {
			r.Error = clean(reason+": "+r.Error, maxText)
		}
	}
	if r.Kind == taskv1.Result_FAILED && v.RetryAfter > 0 {
		r.RetryAfterMs = max(1, v.RetryAfter.Round(time.Millisecond).Milliseconds())
	}
	return r
}
