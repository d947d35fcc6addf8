package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Spec is what to start.
type Spec struct {
	Path string
	// Args stand behind argv[0], which is Path.
	Args []string
	// Dir is the working directory, empty for the host's.
	Dir string
	// Env is the whole environment.
	Env []string
	// Stdin, Stdout and Stderr are the null device where nil.
	Stdin, Stdout, Stderr *os.File
	// Extra become descriptors 3, 4 and so on.
	Extra []*os.File
	// Foreground leaves the child in the host's process group, where a terminal
	// reaches it; signals then go to the child alone.
	Foreground bool
}

// Process is a child that leads its own process group unless it is in the
// foreground. Its process id stays taken until Close, so that no signal can ever
// reach a stranger.
type Process struct {
	p    *os.Process
	own  bool // it leads a group
	done chan struct{}
	exit Exit // readable once done is closed

	mu     sync.Mutex
	reaped bool
}

// Start starts s. A program file that somebody still has open for writing
// (ETXTBSY, also for a moment after each fork of the writer) and a system
// without room for another process (EAGAIN) are tried again for about a second.
func Start(ctx context.Context, s Spec) (*Process, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", s.Path, err)
	}
	defer func() { _ = null.Close() }()
	files := []*os.File{null, null, null}
	for i, f := range []*os.File{s.Stdin, s.Stdout, s.Stderr} {
		if f != nil {
			files[i] = f
		}
	}
	attr := &os.ProcAttr{
		Dir: s.Dir, Env: s.Env, Files: append(files, s.Extra...),
		Sys: &syscall.SysProcAttr{Setpgid: !s.Foreground},
	}
	if attr.Env == nil {
		attr.Env = []string{} // nil would mean the host's
	}
	p, err := start(ctx, s.Path, append([]string{s.Path}, s.Args...), attr)
	if err != nil {
		return nil, err
	}
	c := &Process{p: p, own: !s.Foreground, done: make(chan struct{})}
	go func() {
		c.exit = c.wait()
		close(c.done)
	}()
	return c, nil
}

// busyTries bounds how often a start is tried, with waits of 1, 2, 4 … 512 ms
// between.
const busyTries = 11

func start(ctx context.Context, path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	wait := time.Millisecond
	for try := 1; ; try++ {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("start %s: %w", path, context.Cause(ctx))
		}
		p, err := os.StartProcess(path, argv, attr)
		if err == nil {
			return p, nil
		}
		busy := errors.Is(err, syscall.ETXTBSY) || errors.Is(err, syscall.EAGAIN)
		if !busy || try == busyTries {
			return nil, fmt.Errorf("start %s: %w", path, unwrapped(err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait *= 2
	}
}

// unwrapped drops "fork/exec PATH:", which says nothing that the caller's text
// does not.
func unwrapped(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// Pid is the process's id and that of its group.
func (p *Process) Pid() int { return p.p.Pid }

// Done is closed when the process has ended. What else is in its group may live.
func (p *Process) Done() <-chan struct{} { return p.done }

// Exit is how the process ended; it waits for that.
func (p *Process) Exit() Exit {
	<-p.done
	return p.exit
}

// Signal sends sig to every process of the group.
func (p *Process) Signal(sig syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	to, what := -p.p.Pid, "process group"
	if !p.own {
		to, what = p.p.Pid, "process"
	}
	if err := unix.Kill(to, sig); err != nil {
		return fmt.Errorf("send %s to %s %d: %w", unix.SignalName(sig), what, p.p.Pid, err)
	}
	return nil
}

// KillGroup kills every process of the group, frozen ones too. It does not wait.
func (p *Process) KillGroup() { _ = p.Signal(syscall.SIGKILL) }

// Close kills what is left of the group, waits at most patience until nothing
// of it is, and gives the process id back. More calls change nothing.
func (p *Process) Close(patience time.Duration) error {
	late := time.NewTimer(patience)
	defer late.Stop()
	p.KillGroup()
	select {
	case <-p.done:
	case <-late.C:
		return fmt.Errorf("process %d does not end although it was sent SIGKILL %s ago", p.p.Pid, patience)
	}
	if !p.reap() || !p.own {
		return nil
	}
	// The signal is out; what got it needs a moment to be gone. Signal 0 only
	// asks, so that it does no harm should the id be another's by now.
	for wait := 100 * time.Microsecond; groupLives(p.p.Pid); wait = min(2*wait, 10*time.Millisecond) {
		select {
		case <-time.After(wait):
		case <-late.C:
			return fmt.Errorf("a process of group %d does not end although it was sent SIGKILL %s ago", p.p.Pid, patience)
		}
	}
	return nil
}

// reap takes the ended process off the process table; true for the first call.
func (p *Process) reap() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return false
	}
	p.reaped = true
	_, _ = p.p.Wait()
	return true
}
