// Package client is the host's side of one Execute, in little: it sends Start,
// hands on what the task says, answers it, and returns the Result. The real
// host has its own, with processes, limits and a ladder of signals; this one
// serves `PLUGIN run` and the tests of authors.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Stream is the host's end of one Execute.
type Stream interface {
	Send(*taskv1.HostMsg) error
	Recv() (*taskv1.TaskMsg, error)
	CloseSend() error
}

// Events takes what the task says, one call at a time, in order. Nil functions
// take nothing; a nil Checkpoint or Artifact succeeds, a nil Open fails.
type Events struct {
	Log        func(*taskv1.LogLine)
	Progress   func(*taskv1.Progress)
	Alive      func()
	Checkpoint func(value []byte) error
	Artifact   func(*taskv1.Artifact) error
	Open       func(task, name string) (path string, err error)
}

// Execute runs start to its Result. When ctx ends, its cause is sent as the
// reason of a Cancel; the wait for the Result goes on.
func Execute(ctx context.Context, stream Stream, start *taskv1.Start, ev Events) (*taskv1.Result, error) {
	// A stream that broke shows itself to Recv: when the task has refused already,
	// gRPC answers a Send with io.EOF, and only Recv knows why.
	_ = stream.Send(&taskv1.HostMsg{Msg: &taskv1.HostMsg_Start{Start: start}})
	out := make(chan *taskv1.HostMsg)
	done := make(chan struct{})
	sent := make(chan struct{})
	defer func() {
		close(done)
		<-sent
	}()
	go func() {
		defer close(sent)
		sendAll(ctx, stream, out, done)
	}()

	var seq uint64
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil, errors.New("the stream ended without a result")
		}
		if err != nil {
			return nil, fmt.Errorf("receiving from the task: %w", err)
		}
		if seq++; m.GetSeq() != seq {
			return nil, fmt.Errorf("message %d came where %d was due", m.GetSeq(), seq)
		}
		if r := m.GetResult(); r != nil {
			return r, nil
		}
		if ack := ev.take(m); ack != nil {
			out <- &taskv1.HostMsg{Msg: &taskv1.HostMsg_Ack{Ack: ack}}
		}
	}
}

// sendAll is the one sender after Start.
func sendAll(ctx context.Context, stream Stream, out <-chan *taskv1.HostMsg, done <-chan struct{}) {
	stop := ctx.Done()
	for {
		var m *taskv1.HostMsg
		select {
		case m = <-out:
		case <-stop:
			stop = nil
			m = &taskv1.HostMsg{Msg: &taskv1.HostMsg_Cancel{Cancel: &taskv1.Cancel{Reason: context.Cause(ctx).Error()}}}
		case <-done:
			return
		}
		_ = stream.Send(m)
	}
}

func (ev Events) take(m *taskv1.TaskMsg) *taskv1.Ack {
	ack := &taskv1.Ack{Seq: m.GetSeq()}
	var err error
	switch msg := m.GetMsg().(type) {
	case *taskv1.TaskMsg_Log:
		for _, line := range msg.Log.GetLines() {
			if ev.Log != nil {
				ev.Log(line)
			}
		}
		return nil
	case *taskv1.TaskMsg_Progress:
		if ev.Progress != nil {
			ev.Progress(msg.Progress)
		}
		return nil
	case *taskv1.TaskMsg_Alive:
		if ev.Alive != nil {
			ev.Alive()
		}
		return nil
	case *taskv1.TaskMsg_Checkpoint:
		if ev.Checkpoint != nil {
			err = ev.Checkpoint(msg.Checkpoint.GetValue())
		}
	case *taskv1.TaskMsg_Artifact:
		if ev.Artifact != nil {
			err = ev.Artifact(msg.Artifact)
		}
	case *taskv1.TaskMsg_Open:
		err = errors.New("there is no artifact of another task here")
		if ev.Open != nil {
			ack.Path, err = ev.Open(msg.Open.GetTask(), msg.Open.GetName())
		}
	default:
		return nil
	}
	if err != nil {
		ack.Error = err.Error()
	}
	return ack
}
