package command

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Exit tells how a command ended.
type Exit struct {
	// Code is the exit code, -1 after a signal.
	Code int
	// Signal is what killed it, 0 if it ended by itself.
	Signal syscall.Signal
	// CoreDumped tells that a killed command left a core file.
	CoreDumped bool
	// Cancelled tells that it was asked to end before it did.
	Cancelled bool
}

// String reads "exit status 7" or "killed by SIGSEGV (core dumped)".
func (e Exit) String() string {
	if e.Signal == 0 {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	name := unix.SignalName(e.Signal)
	if name == "" {
		name = fmt.Sprintf("signal %d", int(e.Signal))
	}
	if e.CoreDumped {
		name += " (core dumped)"
	}
	return "killed by " + name
}

func exitOf(s *os.ProcessState, cancelled bool) Exit {
	e := Exit{Code: s.ExitCode(), Cancelled: cancelled}
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal, e.CoreDumped = ws.Signal(), ws.CoreDump()
	}
	return e
}

// busy reports whether err is the kernel's "text file busy".
func busy(err error) bool { return errors.Is(err, syscall.ETXTBSY) }
