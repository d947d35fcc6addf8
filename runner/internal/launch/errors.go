package launch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/outrider-run/outrider/runner/internal/proc"
)

// Codes of an Error.
const (
	CodeMissing       = "plugin_missing"        // there is no such file
	CodeNotExecutable = "plugin_not_executable" // it may not be run
	CodeStart         = "plugin_start"          // it could not be run, or ended before it was connected
	CodeHandshake     = "handshake_timeout"     // it was not connected in time
	CodeProtocol      = "protocol_mismatch"     // no protocol version in common
	CodeCrashed       = "crashed"               // it died without a result
	CodeUnresponsive  = "unresponsive"          // it did not stop when asked and was killed
	CodeKilled        = "killed"                // Kill ended it
	CodeStream        = "stream"                // it broke the contract of the stream
	CodeTooLarge      = "start_too_large"       // what the task was to be sent is over the limit
)

// Error is a failure of a plugin, as opposed to one of its task.
type Error struct {
	// Code is stable and for programs.
	Code string
	// Path is the plugin's program.
	Path string
	Err  error
	// Exit is how the process ended, nil if it had not by itself.
	Exit *proc.Exit
	// Tail is the last of what it printed on stderr.
	Tail string
}

func (e *Error) Error() string { return "plugin " + e.Path + ": " + e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

var errLate = errors.New("took too long to start")

func failed(o Options, code string, err error) *Error {
	return &Error{Code: code, Path: o.Command.Path, Err: err}
}

// failedStart ends the plugin and says why it did not start.
func (p *Plugin) failedStart(cause error) error {
	process := p.running()
	if process == nil {
		p.Close()
		return notStarted(p.o, cause)
	}
	// The exit of a process that goes by itself says more than a lost connection.
	exit := p.exitWithin(p.o.Stop.Kill)
	if exit != nil && exit.Signal == syscall.SIGKILL && p.refused.Load() {
		exit = nil
	}
	p.Close()
	tail := p.stderr.text()
	g := p.stdout.greeting()
	if g.seen {
		if bad := g.check(); bad != nil {
			bad.Path, bad.Tail = p.o.Command.Path, tail
			return bad
		}
	}
	e := failed(p.o, CodeStart, nil)
	e.Exit, e.Tail = exit, tail
	switch {
	case exit != nil && g.seen:
		e.Err = fmt.Errorf("ended (%s) before it took a connection%s", exit, said(tail))
	case exit != nil:
		e.Err = fmt.Errorf("ended (%s) without a handshake%s; is it an Outrider plugin, built for this machine?", exit, said(tail))
	case !g.seen:
		e.Err = fmt.Errorf("closed its stdout without a handshake%s; is it an Outrider plugin?", said(tail))
	default:
		e.Err = fmt.Errorf("connect: %w%s", cause, said(tail))
	}
	return e
}

// late is the error of a plugin that was given up.
func (p *Plugin) late() error {
	p.Close()
	e := failed(p.o, CodeHandshake, nil)
	e.Tail = p.stderr.text()
	what := "sent no handshake"
	if g := p.stdout.greeting(); g.seen {
		what = "greeted, but its socket " + g.address + " did not answer"
	}
	e.Err = fmt.Errorf("%s within %s%s; is it an Outrider plugin?", what, p.o.StartTimeout, said(e.Tail))
	return e
}

// said quotes what a plugin last printed.
func said(tail string) string {
	if g := gist(tail); g != "" {
		return fmt.Sprintf(", last on stderr: %q", g)
	}
	return ""
}

// notStarted explains why the system did not run the program.
func notStarted(o Options, err error) error {
	path := o.Command.Path
	st, statErr := os.Stat(path)
	switch {
	case errors.Is(statErr, fs.ErrNotExist):
		return failed(o, CodeMissing, fmt.Errorf("there is no such file: %w", err))
	case statErr == nil && st.IsDir():
		return failed(o, CodeStart, errors.New("it is a directory, not a program"))
	case errors.Is(err, syscall.EACCES):
		return failed(o, CodeNotExecutable, fmt.Errorf(
			"it may not be executed (mode %s): chmod +x it, and see that its file system is not mounted noexec: %w", modeOf(st), err))
	case errors.Is(err, syscall.ENOEXEC):
		return failed(o, CodeStart, fmt.Errorf(
			"it is no program for this machine: is it cut off, built for another system, or a script without #! line? %w", err))
	case errors.Is(err, fs.ErrNotExist):
		return failed(o, CodeStart, fmt.Errorf("its interpreter or dynamic loader is missing (see its #! line, or ldd): %w", err))
	case errors.Is(err, syscall.ETXTBSY):
		return failed(o, CodeStart, fmt.Errorf(
			"somebody still writes to it: install a plugin under another name and rename it: %w", err))
	}
	if errors.Is(err, syscall.EAGAIN) {
		err = fmt.Errorf("the system has no room for another process (see ulimit -u, and the pids limit of a container): %w", err)
	}
	return failed(o, CodeStart, err)
}

func modeOf(st os.FileInfo) string {
	if st == nil {
		return "unknown"
	}
	return st.Mode().Perm().String()
}

// crashed is the error of a process that ended without a result.
func (p *Plugin) crashed(exit proc.Exit) error {
	e := failed(p.o, CodeCrashed, nil)
	e.Exit, e.Tail = &exit, p.stderr.text()
	how := exit.String()
	if exit.Signal == 0 {
		how = "died: " + how
	}
	hint := ""
	if exit.Signal == syscall.SIGKILL {
		hint = " (not by outrider: by hand, or by the kernel for want of memory)"
	}
	e.Err = errors.New(strings.TrimSpace(how + hint + said(e.Tail)))
	return e
}

// broke is the error of a process that lives and does not keep to the protocol.
func (p *Plugin) broke(format string, args ...any) error {
	e := failed(p.o, CodeStream, fmt.Errorf(format, args...))
	e.Tail = p.stderr.text()
	return e
}

// exitWithin is how the process ended, nil if it has not within d.
func (p *Plugin) exitWithin(d time.Duration) *proc.Exit {
	process := p.running()
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-process.Done():
	case <-late.C:
		select {
		case <-process.Done(): // both at once
		default:
			return nil
		}
	}
	exit := process.Exit()
	return &exit
}
