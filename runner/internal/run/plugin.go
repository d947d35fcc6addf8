package run

import (
	"context"
	"errors"
	"time"

	"github.com/outrider-run/outrider/runner/internal/launch"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Plugin executes a component in a plugin process, a new one for each attempt.
type Plugin struct {
	Options launch.Options
	// Start is what every attempt is sent; its attempt number is filled in.
	Start *taskv1.Start
	// Kill, once closed, ends an attempt at once instead of asking it to stop.
	Kill <-chan struct{}
	// Gate is asked once the plugin is up: it may wait, and change what is sent. The
	// plugin is ended again, and the outcome is Waiting, when it says no. nil: go on.
	Gate func(ctx context.Context, start *taskv1.Start) bool
	// Ended takes what ends the plugin once its outcome is known: it may do that later, but
	// has to. nil: it is done before the outcome is returned.
	Ended func(end func())
}

// Execute starts the plugin, runs the component and ends the plugin.
func (x *Plugin) Execute(ctx context.Context, attempt int, l Listener) Outcome {
	o := x.Options
	o.Lines = l.Log
	p, err := launch.Start(ctx, o)
	if err != nil {
		return failed(err)
	}
	if x.Ended == nil {
		defer p.Close()
	} else {
		defer x.Ended(p.Close)
	}
	defer onClose(x.Kill, p.Kill)()
	start := x.Start
	if x.Gate != nil && !x.Gate(ctx, start) {
		return Outcome{State: Waiting}
	}
	l.Alive()
	start.Attempt += int32(attempt - 1)
	defer func() { start.Attempt -= int32(attempt - 1) }()
	res, err := p.Execute(ctx, start, l)
	if err != nil {
		return failed(err)
	}
	return finished(res)
}

// onClose calls do when c is closed, until the returned stop is called.
func onClose(c <-chan struct{}, do func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-c:
			do()
		case <-done:
		}
	}()
	return func() { close(done) }
}

// finished turns what the task said of its end into an outcome.
func finished(r *taskv1.Result) Outcome {
	o := Outcome{
		State: Failed, Code: r.GetCode(), Message: r.GetError(), Stack: r.GetStack(),
		RetryAfter: time.Duration(r.GetRetryAfterMs()) * time.Millisecond,
	}
	switch r.GetKind() {
	case taskv1.Result_SUCCESS:
		o.State, o.Output, o.Unchanged = Success, r.GetOutput(), r.GetUnchanged()
		if len(o.Output) == 0 {
			o.Output = []byte("{}")
		}
	case taskv1.Result_SKIPPED:
		o.State = Skipped
	case taskv1.Result_CANCELLED:
		o.State = Cancelled
	case taskv1.Result_PERMANENT:
		o.Permanent = true
		o.Misused = misuse[o.Code]
	case taskv1.Result_FAILED:
	default:
		o.Broken, o.Code = true, "stream"
		o.Message = "the plugin ended with an outcome that this host does not know; is it newer than the host?"
	}
	return o
}

// misuse holds the codes of a plugin's refusal that the caller, not the task, has
// to act on.
var misuse = map[string]bool{"bad_params": true, "unknown_component": true, "interpreter_not_found": true}

// failed turns a failure around the task into an outcome.
func failed(err error) Outcome {
	o := Outcome{State: Failed, Broken: true, Code: "plugin_start", Message: err.Error()}
	var e *launch.Error
	if errors.As(err, &e) {
		o.Code = e.Code
		if e.Code == "crashed" {
			o.State = Crashed
		}
	}
	return o
}
