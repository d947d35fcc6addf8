package proc

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit is how a process ended.
type Exit struct {
	// Code is the exit status, -1 when a signal killed the process.
	Code int
	// Signal is what killed the process, 0 when it exited by itself.
	Signal syscall.Signal
	// Core is whether a core dump was written.
	Core bool
}

// String is "exit status 7" or "killed by SIGSEGV (core dumped)".
func (e Exit) String() string {
	if e.Signal == 0 {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	name := unix.SignalName(e.Signal)
	if name == "" {
		name = fmt.Sprintf("signal %d", int(e.Signal))
	}
	if e.Core {
		return "killed by " + name + " (core dumped)"
	}
	return "killed by " + name
}

// killed is the Exit of a process that a signal ended.
func killed(sig syscall.Signal, core bool) Exit { return Exit{Code: -1, Signal: sig, Core: core} }
