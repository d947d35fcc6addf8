package airflowtest

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

//go:embed keeper.py
var keeperProgram string

// keeper is the process above all servers: it ends with us, and they with it.
type keeper struct {
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	ended  chan struct{} // closed when no more comes from it
	mu     sync.Mutex
	change chan struct{} // closed, and made anew, at each change of state
	state  map[string]Process
}

// Process is one of the servers.
type Process struct {
	PID int
	// Ended tells that it has, with ExitCode: minus the signal where one killed it.
	Ended    bool
	ExitCode int
}

// startKeeper starts a keeper that removes dirs in the end; it works in the first.
func startKeeper(python string, dirs, env []string) (*keeper, error) {
	k := &keeper{ended: make(chan struct{}), change: make(chan struct{}), state: map[string]Process{}}
	k.cmd = exec.Command(python, append([]string{"-I", "-c", keeperProgram}, dirs...)...)
	k.cmd.Dir, k.cmd.Env = dirs[0], env
	// Ctrl-C in a terminal is not for it.
	k.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if k.stdin, err = k.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := k.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	var stderr strings.Builder
	k.cmd.Stderr = &stderr
	if err := k.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(k.ended)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var name string
			var p Process
			n, _ := fmt.Sscan(lines.Text(), &name, &p.PID, &p.ExitCode) // n tells all
			p.Ended = n == 3
			k.mu.Lock()
			k.state[name] = p
			close(k.change)
			k.change = make(chan struct{})
			k.mu.Unlock()
		}
	}()
	return k, nil
}

// start starts a process and waits until it is there.
func (k *keeper) start(ctx context.Context, name, log string, argv []string) error {
	line, err := json.Marshal([]any{name, log, argv})
	if err != nil {
		return err
	}
	before := k.get(name).PID
	if _, err := k.stdin.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("start %s: %w", name, err)
	}
	_, err = k.wait(ctx, name, func(p Process) bool { return p.PID != before })
	return err
}

func (k *keeper) get(name string) Process {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state[name]
}

// wait waits until a process is as ok wants it.
func (k *keeper) wait(ctx context.Context, name string, ok func(Process) bool) (Process, error) {
	for {
		k.mu.Lock()
		p, change := k.state[name], k.change
		k.mu.Unlock()
		if ok(p) {
			return p, nil
		}
		select {
		case <-change:
		case <-k.ended:
			return p, errors.New("the keeper of the servers has ended")
		case <-ctx.Done():
			return p, fmt.Errorf("wait for %s: %w", name, context.Cause(ctx))
		}
	}
}

// stop ends everything that was started, and what that started.
func (k *keeper) stop() error {
	err := k.stdin.Close()
	<-k.ended
	return errors.Join(err, k.cmd.Wait())
}
