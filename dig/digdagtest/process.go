package digdagtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// process is a server process that leads a group of its own, so that what it
// leaves behind can be found.
type process struct {
	cmd      *exec.Cmd
	done     chan struct{}
	lifeline *os.File // the double dies with us when this closes
}

func launch(argv, env []string, dir string) (*process, error) {
	out, err := os.OpenFile(filepath.Join(dir, "server.out"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer stdin.Close()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		lifeline.Close()
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{}), lifeline: lifeline}
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		close(p.done)
	}()
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func (p *process) exitCode() int {
	if p.running() {
		return -1
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) signal(sig syscall.Signal) error { return p.cmd.Process.Signal(sig) }

func (p *process) signalAndWait(ctx context.Context, sig syscall.Signal) error {
	if err := p.signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// killGroup kills the process and all that is left of its group. The group's
// number cannot be anyone else's while a member lives; a group without members
// is no error.
func (p *process) killGroup() error {
	err := syscall.Kill(-p.pid(), syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		err = nil
	}
	<-p.done
	return errors.Join(err, ignoreClosed(p.lifeline.Close()))
}

func ignoreClosed(err error) error {
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}

// awaitAddress waits until the server has written where it listens.
func (p *process) awaitAddress(ctx context.Context, info string) (url string, err error) {
	err = poll(ctx, 5*time.Millisecond, func() (bool, error) {
		if !p.running() {
			return false, fmt.Errorf("it ended with exit status %d", p.exitCode())
		}
		var at struct {
			Local []struct {
				Host string
				Port int
			} `json:"local_addresses"`
		}
		data, err := os.ReadFile(info)
		if err != nil || json.Unmarshal(data, &at) != nil || len(at.Local) == 0 {
			return false, nil // not yet, or not wholly
		}
		url = "http://" + net.JoinHostPort(at.Local[0].Host, strconv.Itoa(at.Local[0].Port))
		return true, nil
	})
	return url, err
}

// poll asks again and again until f says so, f fails or ctx ends.
func poll(ctx context.Context, every time.Duration, f func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if ok, err := f(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}
