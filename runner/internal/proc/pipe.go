package proc

import (
	"fmt"
	"os"
	"time"
)

// Pipe is the host's end of what a child prints on.
type Pipe struct{ r *os.File }

// NewPipe makes a pipe and returns the host's end and the child's, which the
// host closes after the start.
func NewPipe() (*Pipe, *os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("make a pipe: %w", err)
	}
	return &Pipe{r: r}, w, nil
}

// linger is how long a pipe whose process has ended may stay silent before it
// is given up. All that the process itself wrote is in the pipe by then.
const linger = 100 * time.Millisecond

// Drain hands on what comes until end of file. Once ended is closed it stops
// at the first silence too: whoever inherited the other end, say a daemon that
// the child left behind, could hold it for ever. The bytes are only lent.
func (p *Pipe) Drain(ended <-chan struct{}, do func([]byte)) {
	finished := make(chan struct{})
	woken := make(chan struct{})
	defer func() {
		close(finished)
		<-woken
		_ = p.r.Close()
	}()
	go func() {
		defer close(woken)
		select {
		case <-finished:
		case <-ended:
			_ = p.r.SetReadDeadline(time.Now().Add(linger))
		}
	}()
	buf := make([]byte, 16<<10)
	for {
		n, err := p.r.Read(buf)
		if n > 0 {
			do(buf[:n])
		}
		if err != nil {
			return
		}
		select {
		case <-ended:
			// do may have taken longer than the pipe may be silent.
			_ = p.r.SetReadDeadline(time.Now().Add(linger))
		default:
		}
	}
}

// Close ends Drain at once.
func (p *Pipe) Close() { _ = p.r.Close() }
