package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/outrider-run/outrider/sdk/internal/process"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Stream is the plugin's end of one Execute.
type Stream interface {
	Context() context.Context
	Send(*taskv1.TaskMsg) error
	Recv() (*taskv1.HostMsg, error)
}

// errHungUp ends what waits for a host that will not answer any more.
var errHungUp = errors.New("the host closed the stream")

// Stdout says whose lines printed on descriptor 1 are; nil: nobody's.
type printed interface {
	attach(*outbox)
	flush()
}

// Cancelled is why a run's context ended when the host asked for it.
type Cancelled struct{ Reason string }

func (c *Cancelled) Error() string {
	if c.Reason == "" {
		return "cancelled"
	}
	return "cancelled: " + c.Reason
}

// Execute runs one component over stream: Start first, then the component's own
// messages, Result last. The error is one of the stream.
func (s *Server) Execute(stream taskv1.Task_ExecuteServer) error {
	if !s.begin() {
		return errors.New("a plugin process serves one Execute in its life")
	}
	defer s.working.Done()
	return s.execute(stream, stdout{})
}

func (s *Server) execute(stream Stream, prints printed) error {
	release := process.Host().Hold()
	defer release()

	first, err := stream.Recv()
	if err != nil {
		return fmt.Errorf("waiting for Start: %w", err)
	}
	start := first.GetStart()
	if start == nil {
		return errors.New("the first message is not Start")
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	out := newOutbox(stream.Send)
	run := &Run{Start: start, Log: newLogger(out, start.GetLogLevel()), ctx: ctx, out: out}
	prints.attach(out)

	go listen(ctx, stream, run, cancel)
	stopHost := watch(ctx, process.Host().Gone(), func() { cancel(process.ErrHostGone) })
	defer stopHost()

	output, err := s.call(ctx, run)
	run.finish()
	prints.flush()
	var stopped error
	if ctx.Err() != nil {
		stopped = context.Cause(ctx)
	}
	err = out.finish(result(output, err, stopped))
	run.asks.close(errors.New("the run is over"))
	if err != nil {
		return fmt.Errorf("sending the result: %w", err)
	}
	return nil
}

// listen takes the host's messages until the stream ends.
func listen(ctx context.Context, stream Stream, run *Run, cancel context.CancelCauseFunc) {
	for {
		m, err := stream.Recv()
		if err != nil {
			run.asks.close(errHungUp)
			// A host that only closed its half still takes the result.
			if !errors.Is(err, io.EOF) {
				cancel(errHungUp)
			}
			return
		}
		switch m := m.GetMsg().(type) {
		case *taskv1.HostMsg_Cancel:
			if ctx.Err() == nil {
				cancel(&Cancelled{Reason: m.Cancel.GetReason()})
				grace := time.Duration(m.Cancel.GetGraceMs()) * time.Millisecond
				late := time.AfterFunc(grace*3/4, func() { run.tellStacks(grace * 3 / 4) })
				defer late.Stop()
			}
		case *taskv1.HostMsg_Ack:
			run.asks.answer(m.Ack)
		}
	}
}

// tellStacks logs where a task is that does not react to a Cancel, shortly
// before it is killed for that.
func (r *Run) tellStacks(after time.Duration) {
	buf := make([]byte, maxLine)
	buf = buf[:runtime.Stack(buf, true)]
	r.Log.Warn(fmt.Sprintf("still running %v after it was cancelled; it will be killed. Its goroutines:\n%s", after, buf))
}

func watch(ctx context.Context, event <-chan struct{}, then func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		select {
		case <-event:
			then()
		case <-ctx.Done():
		case <-done:
		}
	}()
	return func() { close(done) }
}

// call runs the component in a goroutine of its own, so that a panic and a
// runtime.Goexit are outcomes like others.
func (s *Server) call(ctx context.Context, run *Run) (json.RawMessage, error) {
	name := run.Start.GetComponent()
	c := s.find(name)
	if c == nil {
		return nil, &Verdict{
			Kind: taskv1.Result_PERMANENT, Code: CodeUnknownComponent,
			Err: fmt.Errorf("this plugin serves no component %q", name),
		}
	}
	if err := c.Check(); err != nil {
		return nil, &Verdict{
			Kind: taskv1.Result_PERMANENT, Code: CodeBadComponent,
			Err: fmt.Errorf("component %q cannot be served: %w", name, err),
		}
	}
	var output json.RawMessage
	err := error(&Verdict{Kind: taskv1.Result_FAILED, Code: CodePanic, Err: errors.New("the component ended its goroutine (runtime.Goexit)")})
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				output, err = nil, &Verdict{
					Kind: taskv1.Result_FAILED, Code: CodePanic,
					Err: fmt.Errorf("panic: %v", p), Stack: string(debug.Stack()),
				}
			}
		}()
		output, err = c.Run(ctx, run, run.Start.GetParams())
	}()
	<-done
	return output, err
}

// stdout logs what is printed on descriptor 1 of this process.
type stdout struct{}

func (stdout) attach(out *outbox) {
	line := func(level string) func(string) {
		return func(text string) {
			emit(out, text, func(piece string) *taskv1.LogLine {
				return &taskv1.LogLine{UnixNano: time.Now().UnixNano(), Level: level, Message: piece, Source: sourceStdout}
			})
		}
	}
	if lost := process.Printed(line("info")); lost > 0 {
		line("warn")(fmt.Sprintf("%d lines printed before the run began were too much to keep", lost))
	}
}

func (stdout) flush() { process.FlushPrinted() }

// nowhere leaves descriptor 1 alone: another's process.
type nowhere struct{}

func (nowhere) attach(*outbox) {}
func (nowhere) flush()         {}
