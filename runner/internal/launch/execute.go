package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/outrider-run/outrider/sdk/protocol"
	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Events takes what a task says. Calls come one at a time, in the order of the
// stream. What returns an error is answered to the task, which waits for it; its
// ctx ends when the task is given up.
type Events interface {
	Log(line *taskv1.LogLine)
	Progress(done, total float64, note string)
	Alive()
	Checkpoint(ctx context.Context, value []byte) error
	Artifact(ctx context.Context, a *taskv1.Artifact) error
	Open(ctx context.Context, task, name string) (path string, err error)
}

// talk is the stream of one Execute.
type talk struct {
	p      *Plugin
	ev     Events
	ctx    context.Context // of the stream
	hangUp context.CancelCauseFunc

	stream  taskv1.Task_ExecuteClient
	began   chan struct{} // closed when Start is sent; stream is set then
	sending sync.Mutex    // one sender at a time

	heard atomic.Int64 // messages received
	busy  atomic.Bool  // an event is being handled
	muted atomic.Bool  // Execute has returned: no event any more

	done   chan struct{} // closed when the stream is over; the rest is readable then
	result *taskv1.Result
	err    error
}

func newTalk(p *Plugin, ev Events) *talk {
	t := &talk{p: p, ev: ev, began: make(chan struct{}), done: make(chan struct{})}
	// The stream outlives the caller's context: Cancel travels on it.
	t.ctx, t.hangUp = context.WithCancelCause(context.Background())
	return t
}

// run sends Start and hands on what comes until the Result.
func (t *talk) run(start *taskv1.Start) {
	defer close(t.done)
	stream, err := t.p.task.Execute(t.ctx)
	if err != nil {
		t.err = err
		return
	}
	// A failed send shows in Recv, with its reason.
	_ = stream.Send(&taskv1.HostMsg{Msg: &taskv1.HostMsg_Start{Start: start}})
	t.stream = stream
	close(t.began)
	for due := uint64(1); ; due++ {
		m, err := stream.Recv()
		if err != nil {
			t.err = err
			return
		}
		t.heard.Add(1)
		if m.GetSeq() != due {
			t.err = fmt.Errorf("%w: message %d came where %d was due", errContract, m.GetSeq(), due)
			return
		}
		if r := m.GetResult(); r != nil {
			t.result = r
			return
		}
		t.handle(m)
	}
}

// errContract is of a message that the protocol does not allow there.
var errContract = errors.New("broke the protocol")

// handle hands one message on and answers it if it asks for that.
func (t *talk) handle(m *taskv1.TaskMsg) {
	t.p.say.Lock()
	t.busy.Store(true)
	ack := t.take(m)
	t.busy.Store(false)
	t.p.say.Unlock()
	if ack != nil {
		t.send(&taskv1.HostMsg{Msg: &taskv1.HostMsg_Ack{Ack: ack}})
	}
}

func (t *talk) take(m *taskv1.TaskMsg) *taskv1.Ack {
	if t.muted.Load() {
		return nil
	}
	ack := &taskv1.Ack{Seq: m.GetSeq()}
	var err error
	switch m := m.GetMsg().(type) {
	case *taskv1.TaskMsg_Log:
		for _, l := range m.Log.GetLines() {
			t.ev.Log(l)
		}
		return nil
	case *taskv1.TaskMsg_Progress:
		t.ev.Progress(m.Progress.GetDone(), m.Progress.GetTotal(), m.Progress.GetNote())
		return nil
	case *taskv1.TaskMsg_Alive:
		t.ev.Alive()
		return nil
	case *taskv1.TaskMsg_Checkpoint:
		err = t.ev.Checkpoint(t.ctx, m.Checkpoint.GetValue())
	case *taskv1.TaskMsg_Artifact:
		err = t.ev.Artifact(t.ctx, m.Artifact)
	case *taskv1.TaskMsg_Open:
		ack.Path, err = t.ev.Open(t.ctx, m.Open.GetTask(), m.Open.GetName())
	default:
		return nil // of a newer protocol that both sides took to be this one
	}
	if err != nil {
		ack.Error = strings.ToValidUTF8(err.Error(), "\uFFFD")
	}
	return ack
}

// send sends one message behind Start. A failure shows in Recv.
func (t *talk) send(m *taskv1.HostMsg) {
	select {
	case <-t.began:
	case <-t.done:
		return
	}
	t.sending.Lock()
	defer t.sending.Unlock()
	_ = t.stream.Send(m)
}

// cancel asks the task to stop. It may block while the plugin reads nothing.
func (t *talk) cancel(reason string, grace time.Duration) {
	t.send(&taskv1.HostMsg{Msg: &taskv1.HostMsg_Cancel{Cancel: &taskv1.Cancel{
		Reason: strings.ToValidUTF8(reason, "\uFFFD"), GraceMs: grace.Milliseconds(),
	}}})
}

// silence is how long the stream of a dead process may bring nothing before it
// is given up: somebody else holds its end.
const silence = 500 * time.Millisecond

// Execute runs one task to its result. A plugin runs one in its life. When ctx
// ends, its cause is sent as the reason of a Cancel; a task that does not answer
// it within the budget is killed with all of its group. From then on Execute
// returns within the budget even if Events does not. An error is an *Error.
func (p *Plugin) Execute(ctx context.Context, start *taskv1.Start, ev Events) (*taskv1.Result, error) {
	if p.begun.Swap(true) {
		return nil, p.broke("a plugin process runs one task in its life")
	}
	if n := proto.Size(start); n > protocol.MaxMessage-64 {
		return nil, failed(p.o, CodeTooLarge, fmt.Errorf(
			"the task's start is a message of %d bytes, %d of them parameters; the most is %d", n, len(start.GetParams()), protocol.MaxMessage))
	}
	p.orderly.Store(false)
	t := newTalk(p, ev)
	defer t.hangUp(nil)
	defer t.muted.Store(true)
	go t.run(start)

	process := p.running()
	asked, exited := ctx.Done(), process.Done()
	var answer, quiet, last <-chan time.Time
	unanswered := false
	for heard := int64(-1); ; {
		select {
		case <-t.done:
			return p.conclude(t, unanswered, context.Cause(ctx))
		case <-asked:
			asked = nil
			go t.cancel(context.Cause(ctx).Error(), p.o.Stop.Cancel)
			answer = time.After(p.o.Stop.Cancel)
		case <-answer:
			unanswered = true
			process.KillGroup()
			last = time.After(p.o.Stop.Reap)
		case <-exited:
			// What the process left behind may hold its end of the stream.
			exited = nil
			process.KillGroup()
			quiet = time.After(silence)
		case <-quiet:
			if n := t.heard.Load(); n == heard && !t.busy.Load() {
				t.hangUp(errors.New("the plugin's end of the stream is silent"))
			} else {
				heard = n
			}
			quiet = time.After(silence)
		case <-last:
			return nil, p.ended(unanswered, context.Cause(ctx), errors.New("gave up"))
		}
	}
}

// conclude makes the outcome of a stream that is over.
func (p *Plugin) conclude(t *talk, unanswered bool, cause error) (*taskv1.Result, error) {
	if t.result != nil {
		// A process runs one task in its life, so after the result there is nothing
		// to wait for: to ask it to exit would cost a run an eighth of its time. Only
		// one that answered a Cancel is given the moment, as the stop ladder has it.
		p.orderly.Store(cause != nil)
		return t.result, nil
	}
	return nil, p.ended(unanswered, cause, t.err)
}

// ended is why there is no result.
func (p *Plugin) ended(unanswered bool, cause, err error) error {
	switch {
	case p.killed.Load():
		e := failed(p.o, CodeKilled, errors.New("killed"))
		e.Tail = p.stderr.text()
		return e
	case unanswered:
		e := failed(p.o, CodeUnresponsive, fmt.Errorf("did not stop within %s of being asked to (%w) and was killed", p.o.Stop.Cancel, cause))
		e.Tail = p.stderr.text()
		return e
	}
	switch status.Code(err) {
	case codes.ResourceExhausted:
		return p.broke("a message is over the limit of %d bytes, big outputs belong into an artifact: %s",
			protocol.MaxMessage, status.Convert(err).Message())
	case codes.Unimplemented:
		return p.broke("does not serve tasks (service outrider.task.v1.Task)")
	}
	if errors.Is(err, errContract) {
		return p.broke("%w", err)
	}
	if exit := p.exitWithin(p.crashWait(cause, err)); exit != nil {
		p.settle()
		return p.crashed(*exit)
	}
	if errors.Is(err, io.EOF) {
		return p.broke("ended the task without a result")
	}
	return p.broke("the stream broke: %s", status.Convert(err).Message())
}

// crashWait is how long a process may take to be dead whose stream ended so. A
// stream that ended with a word of the plugin is no sign of death.
func (p *Plugin) crashWait(cause, err error) time.Duration {
	switch code := status.Code(err); {
	case code != codes.Unavailable && code != codes.Canceled:
		return 0
	case cause != nil:
		return p.o.Stop.Reap
	}
	return 2 * time.Second
}

// settle waits until all that a dead process printed is read.
func (p *Plugin) settle() {
	done := make(chan struct{})
	go func() {
		p.drained.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(p.o.Stop.Reap):
	}
}
