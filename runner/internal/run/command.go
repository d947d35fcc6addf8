package run

import (
	"context"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/outrider-run/outrider/runner/internal/proc"
)

// Command executes any program under the guard, its descriptors passed through.
type Command struct {
	// Guard is the path of outrider-guard.
	Guard string
	// Argv is the program, looked up on PATH, with its arguments.
	Argv []string
	// Env is the whole environment.
	Env []string
	// Dir is a folder that is removed when the host is gone; "" for none.
	Dir string
	// Live is handed to the guard, so that it stays open while that lives.
	Live *os.File
	// Stdin, Stdout and Stderr are the host's own descriptors.
	Stdin, Stdout, Stderr *os.File
	// Inherit hands stdout and stderr on as they are, as a terminal wants it.
	Inherit bool
	// Foreground leaves the program in the terminal's group.
	Foreground bool
	// Stop is how long the program may take to stop when asked.
	Stop time.Duration
	// Kill, once closed, ends the program at once.
	Kill <-chan struct{}
	// Started is called when the guard is on its way; nil for nothing.
	Started func()
	// Gate is asked after that: it may wait. The program is not started, and
	// the outcome is Waiting, when it says no. nil: go on.
	Gate func() bool
	// Say takes what people should know meanwhile.
	Say func(format string, args ...any)
	// Log takes a copy of the output; nil for none. Inherited output has none.
	Log io.Writer
	// Outlives reports whether the program goes on when nobody reads its output any
	// more, which is then let go; nil: it gets the SIGPIPE that it would get alone.
	Outlives func() bool
	// Outcomes turns exit codes into outcomes; codes that are not in it are
	// failures, 0 is a success.
	Outcomes map[int]Outcome
}

// Execute runs the program to its end and to the end of its output.
func (x *Command) Execute(ctx context.Context, _ int, l Listener) Outcome {
	out, err := newPassage(x, l.Alive)
	if err != nil {
		return hostFailed(err)
	}
	line, err := proc.NewLifeline()
	if err != nil {
		out.abandon()
		return hostFailed(err)
	}
	defer line.Close()
	p, err := proc.Start(ctx, x.spec(out, line))
	out.started()
	if err != nil {
		out.abandon()
		if ctx.Err() != nil {
			return Outcome{State: Cancelled}
		}
		return hostFailed(err)
	}
	defer func() { _ = p.Close(time.Second) }()
	if x.Started != nil {
		x.Started()
	}
	if granted := x.Gate == nil || x.Gate(); !granted || ctx.Err() != nil {
		line.Kill() // it holds the program still
		<-p.Done()
		out.abandon()
		if !granted {
			return Outcome{State: Waiting}
		}
		return Outcome{State: Cancelled}
	}
	l.Alive()
	line.Go()

	copied, late := out.copy(), make(chan struct{})
	stopped := context.AfterFunc(ctx, func() {
		time.AfterFunc(x.Stop, func() { close(late) })
		x.stop(ctx, p, line)
	})
	defer stopped()
	defer onClose(x.Kill, line.Kill)()
	<-p.Done()
	x.await(ctx, copied, late, out)
	return x.outcome(p.Exit())
}

func (x *Command) spec(out *passage, line *proc.Lifeline) proc.Spec {
	args, extra := []string{"--held", "--lifeline", "3"}, []*os.File{line.End()}
	if x.Live != nil {
		args, extra = append(args, "--live", "4"), append(extra, x.Live)
	}
	if x.Foreground {
		args = append(args, "--foreground")
	}
	if x.Dir != "" {
		args = append(args, "--dir", x.Dir)
	}
	return proc.Spec{
		Path: x.Guard, Args: append(append(args, "--"), x.Argv...), Env: x.Env,
		Stdin: x.Stdin, Stdout: out.childOut, Stderr: out.childErr,
		Extra: extra, Foreground: x.Foreground,
	}
}

// stop is the ladder: the signal that the host got, else SIGTERM, to the
// program's group; after Stop the guard kills all that is left.
func (x *Command) stop(ctx context.Context, p *proc.Process, line *proc.Lifeline) {
	sig := syscall.SIGTERM
	if c := causeOf(ctx); c != nil && c.Signal != 0 {
		sig = c.Signal
	}
	if !x.Foreground || sig != syscall.SIGINT && sig != syscall.SIGQUIT {
		_ = p.Signal(sig) // the terminal has sent its own to the whole group
	}
	select {
	case <-p.Done():
	case <-time.After(x.Stop):
		line.Kill()
	}
}

// await waits for the end of the output, as Digdag and a shell's pipe do: what
// the program left behind may still write. Who keeps it waiting is told once. A
// run that is stopped does not wait, it ends them.
func (x *Command) await(ctx context.Context, copied, late <-chan struct{}, out *passage) {
	hint := time.NewTimer(2 * time.Second)
	defer hint.Stop()
	for {
		select {
		case <-copied:
			return
		case <-hint.C:
			if held := out.holders(); len(held) > 0 {
				x.Say("the command has ended, but its output is still held open by %s; redirect the output of what it leaves behind", describe(held))
			}
		case <-ctx.Done():
			endHolders(copied, late, out)
			return
		}
	}
}

// drain is how long the last of the output may take to whoever reads it.
const drain = 300 * time.Millisecond

// endHolders asks those who hold the output to end, kills who is still there when
// the time to stop is over, and gives the output up if its reader does not read.
func endHolders(copied, late <-chan struct{}, out *passage) {
	if out.signalHolders(syscall.SIGTERM) {
		select {
		case <-copied:
			return
		case <-late:
		}
	}
	out.signalHolders(syscall.SIGKILL)
	select {
	case <-copied:
	case <-time.After(drain):
		out.abandon()
	}
}

// Codes of a command that did not run, as timeout(1) and docker have them.
const (
	codeNotRun   = 125
	codeNotExec  = 126
	codeNotFound = 127
)

// outcome turns the guard's exit, which is the program's, into an outcome.
func (x *Command) outcome(e proc.Exit) Outcome {
	code := e.Code
	if e.Signal != 0 {
		code = 128 + int(e.Signal)
	}
	if o, ok := x.Outcomes[code]; ok {
		o.Message = "exit code " + strconv.Itoa(code)
		o.Command = &code
		return o
	}
	if code == 0 {
		return Outcome{State: Success, Command: &code}
	}
	o := Outcome{State: Failed, Command: &code, Message: "exit code " + strconv.Itoa(code)}
	switch {
	case code == codeNotFound || code == codeNotExec:
		o.Code = "command_not_run"
	case code > 128 && code < 128+65:
		o.Code = "killed"
		o.Message += " (" + signalName(syscall.Signal(code-128)) + ")"
	}
	return o
}

func hostFailed(err error) Outcome {
	code := codeNotRun
	return Outcome{State: Failed, Permanent: true, Code: "host", Message: err.Error(), Command: &code}
}

// CommandExit returns the exit code of `outrider exec` and `sh`: the command's
// own, but for what the host itself decided.
func (o Outcome) CommandExit(skip int) int {
	own := 0
	if o.Command != nil {
		own = *o.Command
	}
	switch {
	case o.State == TimedOut:
		return 124
	case o.State == Cancelled && own != 0:
		return own
	case o.Signal != 0:
		return 128 + int(o.Signal)
	case o.State == Cancelled:
		return 143
	case o.State == Skipped:
		return skip
	case o.State == Success:
		return 0
	case o.Permanent && own != codeNotRun:
		return 3
	case o.Code == CodeBusy && o.Command == nil:
		return codeBusy
	case own != 0:
		return own
	}
	return 1
}
