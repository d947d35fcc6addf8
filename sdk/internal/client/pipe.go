package client

import (
	"context"
	"io"
	"sync"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// Server serves the plugin's end of a stream.
type Server interface {
	Context() context.Context
	Send(*taskv1.TaskMsg) error
	Recv() (*taskv1.HostMsg, error)
}

// Local runs start in this process: serve gets the plugin's end of a stream
// that has no wire. It returns when serve has.
func Local(ctx context.Context, serve func(Server) error, start *taskv1.Start, ev Events) (*taskv1.Result, error) {
	// The task learns of ctx's end by a Cancel, as it would from a host.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	p := &pipe{
		ctx:    life,
		toTask: make(chan *taskv1.HostMsg),
		toHost: make(chan *taskv1.TaskMsg),
		eof:    make(chan struct{}),
	}
	served := make(chan error, 1)
	go func() {
		err := serve((*taskEnd)(p))
		p.once.Do(func() { close(p.eof) })
		served <- err
	}()
	result, err := Execute(ctx, (*hostEnd)(p), start, ev)
	end()
	if serveErr := <-served; result == nil && serveErr != nil {
		return nil, serveErr
	}
	return result, err
}

type pipe struct {
	ctx    context.Context
	toTask chan *taskv1.HostMsg
	toHost chan *taskv1.TaskMsg
	eof    chan struct{} // the task's end is over
	once   sync.Once
}

type taskEnd pipe

func (p *taskEnd) Context() context.Context { return p.ctx }

func (p *taskEnd) Send(m *taskv1.TaskMsg) error {
	select {
	case p.toHost <- m:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}

func (p *taskEnd) Recv() (*taskv1.HostMsg, error) {
	select {
	case m := <-p.toTask:
		return m, nil
	case <-p.ctx.Done():
		return nil, p.ctx.Err()
	case <-p.eof:
		return nil, io.EOF
	}
}

type hostEnd pipe

func (p *hostEnd) Send(m *taskv1.HostMsg) error {
	select {
	case p.toTask <- m:
		return nil
	case <-p.eof:
		return io.EOF
	}
}

func (p *hostEnd) Recv() (*taskv1.TaskMsg, error) {
	select {
	case m := <-p.toHost:
		return m, nil
	case <-p.eof:
		return nil, io.EOF
	}
}

func (p *hostEnd) CloseSend() error { return nil }
