package run

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// passage carries a command's output to the host's own descriptors: as they are,
// or through pipes, so that the host knows when something was said. Where both
// are one file there is one pipe, and so the order of what is written stays.
type passage struct {
	childOut, childErr *os.File
	lanes              []lane
	own                []*os.File // the child's ends, closed once it is started
	alive              func()
	log                io.Writer // may be nil
	outlives           func() bool
}

type lane struct{ from, to *os.File }

func newPassage(x *Command, alive func()) (*passage, error) {
	p := &passage{childOut: x.Stdout, childErr: x.Stderr, alive: alive, log: x.Log, outlives: x.Outlives}
	if x.Inherit {
		return p, nil
	}
	var err error
	if p.childOut, err = p.pipe(x.Stdout); err != nil {
		return nil, err
	}
	if p.childErr = p.childOut; !sameFile(x.Stdout, x.Stderr) {
		if p.childErr, err = p.pipe(x.Stderr); err != nil {
			p.started()
			p.abandon()
			return nil, err
		}
	}
	return p, nil
}

func (p *passage) pipe(to *os.File) (child *os.File, err error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe for the output: %w", err)
	}
	p.lanes = append(p.lanes, lane{r, to})
	p.own = append(p.own, w)
	return w, nil
}

func sameFile(a, b *os.File) bool {
	sa, err := a.Stat()
	if err != nil {
		return false
	}
	sb, err := b.Stat()
	return err == nil && os.SameFile(sa, sb)
}

// started closes the child's ends in this process.
func (p *passage) started() {
	for _, f := range p.own {
		_ = f.Close()
	}
	p.own = nil
}

// copy copies until every pipe has ended and then closes the channel.
func (p *passage) copy() <-chan struct{} {
	var all sync.WaitGroup
	for _, l := range p.lanes {
		all.Go(func() {
			// Closing early, when nobody reads the host's own output any more, gives
			// the command the SIGPIPE that it would have got without the host.
			defer func() { _ = l.from.Close() }()
			p.carry(l)
		})
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	return done
}

func (p *passage) carry(l lane) {
	buf := make([]byte, 128<<10)
	for gone := false; ; {
		n, err := l.from.Read(buf)
		if n > 0 {
			p.alive()
			if p.log != nil {
				_, _ = p.log.Write(buf[:n]) // it keeps its own errors
			}
			if gone {
				continue
			}
			if _, err := l.to.Write(buf[:n]); err != nil {
				if p.outlives == nil || !p.outlives() {
					return
				}
				gone = true
			}
		}
		if err != nil {
			return
		}
	}
}

// abandon gives the pipes up.
func (p *passage) abandon() {
	p.started()
	for _, l := range p.lanes {
		_ = l.from.Close()
	}
}

// holder is a process that has an end of the output open.
type holder struct {
	pid  int
	name string
}

// signalHolders reports whether there are any.
func (p *passage) signalHolders(sig syscall.Signal) bool {
	held := p.holders()
	for _, h := range held {
		_ = syscall.Kill(h.pid, sig)
	}
	return len(held) > 0
}

func describe(held []holder) string {
	names := make([]string, len(held))
	for i, h := range held {
		names[i] = fmt.Sprintf("%s (process %d)", h.name, h.pid)
	}
	return strings.Join(names, ", ")
}

// inode identifies a pipe.
func inode(f *os.File) (uint64, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	var st unix.Stat_t
	var serr error
	if err := conn.Control(func(fd uintptr) { serr = unix.Fstat(int(fd), &st) }); err != nil {
		return 0, err
	}
	return st.Ino, errors.Join(serr)
}
