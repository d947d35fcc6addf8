package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// pipeNames are the names of a command's pipes, for people.
var pipeNames = [...]string{"stdout", "stderr", "descriptor 3"}

// pipes are what a command prints to.
type pipes struct {
	all     [len(pipeNames)]pipe
	writers sync.Once
}

// pipe is one of them, with who reads it.
type pipe struct {
	r, w  *os.File
	read  func(io.Reader)
	ended atomic.Bool
	rest  int // bytes that are still read after giveUp
}

// openPipes makes the pipes of c.
func openPipes(c Command) (*pipes, error) {
	p := &pipes{}
	for i, read := range []func(io.Reader){c.Stdout, c.Stderr, c.Events} {
		r, w, err := os.Pipe()
		if err != nil {
			p.close()
			return nil, fmt.Errorf("making a pipe: %w", err)
		}
		// 1 MiB is the most that a pipe holds unless root wants more.
		p.all[i].r, p.all[i].w, p.all[i].read, p.all[i].rest = r, w, read, 1<<20
	}
	return p, nil
}

func (p *pipes) writer(i int) *os.File { return p.all[i].w }

// closeWriters leaves the write ends to the command alone.
func (p *pipes) closeWriters() {
	p.writers.Do(func() {
		for i := range p.all {
			p.all[i].w.Close() // nil-safe
		}
	})
}

func (p *pipes) close() {
	p.closeWriters()
	for i := range p.all {
		p.all[i].r.Close()
	}
}

// read starts the readers and returns what is closed when all have ended.
func (p *pipes) read() <-chan struct{} {
	var readers sync.WaitGroup
	for i := range p.all {
		readers.Go(p.all[i].drain)
	}
	drained := make(chan struct{})
	go func() {
		readers.Wait()
		close(drained)
	}()
	return drained
}

// drain lets the reader read, and reads on if it stopped early: a command must
// not be held up by a full pipe.
func (p *pipe) drain() {
	p.read(p)
	io.Copy(io.Discard, p)
	p.ended.Store(true)
}

// giveUp ends all reading, but not before what is already in a pipe was read.
func (p *pipes) giveUp() {
	for i := range p.all {
		p.all[i].r.SetReadDeadline(time.Unix(1, 0))
	}
}

// Read reads what the command prints. After giveUp it reads what is there.
func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	if b = b[:min(len(b), p.rest)]; len(b) == 0 {
		return 0, io.EOF
	}
	conn, err := p.r.SyscallConn()
	if err != nil {
		return 0, io.EOF
	}
	n = 0
	// The descriptor does not block, so neither does this.
	if err := conn.Control(func(fd uintptr) { n, _ = syscall.Read(int(fd), b) }); err != nil || n <= 0 {
		return 0, io.EOF
	}
	p.rest -= n
	return n, nil
}

// open lists the pipes that have not ended, by number.
func (p *pipes) open() []int {
	var out []int
	for i := range p.all {
		if !p.all[i].ended.Load() {
			out = append(out, i)
		}
	}
	return out
}
