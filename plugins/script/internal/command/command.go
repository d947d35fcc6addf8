// Package command runs one program for one run: its pipes, its environment,
// its end by itself or by a cancel. It reads lines and hands them on; what they
// mean, what an exit code means and where the program came from is not known
// here.
package command

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// drainTime is how long the end of the pipes is awaited after the command
	// ended: what it left in the background may hold them for ever.
	drainTime = 2 * time.Second
	// drainTimeStopped is the same after a cancel, when the host waits for the
	// end and will kill.
	drainTimeStopped = 300 * time.Millisecond
	// killDelay is how long after a cancel the command is killed here. Every
	// host kills sooner; this is for a run without one.
	killDelay = 10 * time.Second
)

// Command is a program to run once.
type Command struct {
	Path string
	Args []string // without the program's own name
	Dir  string
	Env  []string
	// Stdin is what the program reads, from its current offset.
	Stdin *os.File
	// OwnGroup starts the command in a process group of its own. Without it the
	// command stands in this process's group, which this process must lead: the
	// host's SIGKILL of that group then reaches all of it.
	OwnGroup bool

	// Stdout, Stderr and Events each read one of the command's pipes (1, 2 and
	// 3) until it ends, each in a goroutine of its own.
	Stdout, Stderr, Events func(io.Reader)
	// Notice tells of something that the user should know.
	Notice func(text string)
}

// Run starts the command and returns when it has ended and all that it printed
// was read. When ctx ends the group gets SIGTERM. The error tells that the
// command could not be started or waited for; how it ended is in Exit.
func (c Command) Run(ctx context.Context) (Exit, error) {
	pipes, err := openPipes(c)
	if err != nil {
		return Exit{}, err
	}
	defer pipes.close()
	var cancelled atomic.Bool
	cmd, err := c.start(ctx, pipes, &cancelled)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return Exit{}, fmt.Errorf("starting %s: %w", c.Path, err)
	}
	if c.OwnGroup {
		// Nothing of it outlives its run, as the host has it too.
		defer syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	drained := pipes.read()
	err = cmd.Wait()
	if cmd.ProcessState == nil {
		return Exit{}, fmt.Errorf("waiting for %s: %w", c.Path, err)
	}
	patience := drainTime
	if cancelled.Load() {
		patience = drainTimeStopped
	}
	select {
	case <-drained:
	case <-time.After(patience):
		c.Notice(pipes.heldBy(patience))
		pipes.giveUp()
		<-drained
	}
	return exitOf(cmd.ProcessState, cancelled.Load()), nil
}

// start starts the program, and tries again while its file is busy: whoever
// wrote it may just have forked, which keeps it open for writing for a moment.
func (c Command) start(ctx context.Context, pipes *pipes, cancelled *atomic.Bool) (*exec.Cmd, error) {
	defer pipes.closeWriters()
	for wait := 5 * time.Millisecond; ; wait *= 2 {
		cmd := exec.CommandContext(ctx, c.Path, c.Args...)
		cmd.Dir, cmd.Env = c.Dir, c.Env
		cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Stdin, pipes.writer(0), pipes.writer(1)
		cmd.ExtraFiles = []*os.File{pipes.writer(2)}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: c.OwnGroup}
		cmd.Cancel = func() error {
			cancelled.Store(true)
			return c.terminate(cmd.Process.Pid)
		}
		cmd.WaitDelay = killDelay
		err := cmd.Start()
		if !busy(err) || wait > time.Second {
			return cmd, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// terminate asks the whole group to end. This process is in it unless the
// command has its own; the SDK drops the signal here. What is stopped has to go
// on to see it.
func (c Command) terminate(pid int) error {
	group := syscall.Getpgrp()
	if c.OwnGroup {
		group = pid
	}
	if err := syscall.Kill(-group, syscall.SIGTERM); err != nil {
		return os.ErrProcessDone
	}
	syscall.Kill(-group, syscall.SIGCONT)
	return nil
}
