package run

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// guard is the built outrider-guard.
var guard string

func TestMain(m *testing.M) { os.Exit(withGuard(m.Run)) }

func withGuard(run func() int) int {
	dir, err := os.MkdirTemp("", "guard")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	guard = filepath.Join(dir, "outrider-guard")
	if out, err := exec.Command("go", "build", "-o", guard, "github.com/outrider-run/outrider/runner/cmd/outrider-guard").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the guard: %v\n%s", err, out)
		return 1
	}
	return run()
}

// hang turns a hang into a failure; no test depends on its length.
const hang = time.Minute

// shell is a command that runs as a host would have it run.
type shell struct {
	*Command
	t    *testing.T
	ctx  context.Context
	stop context.CancelCauseFunc
	// out and errs are the far ends of the host's own descriptors.
	out, errs *bufio.Reader
	said      chan string
	ended     chan Outcome
}

// newShell prepares `sh -c script`; one gives it one file for both outputs.
func newShell(t *testing.T, one bool, script string) *shell {
	t.Helper()
	s := &shell{t: t, said: make(chan string, 9), ended: make(chan Outcome, 1)}
	s.ctx, s.stop = context.WithCancelCause(t.Context())
	late := time.AfterFunc(hang, func() { s.stop(fmt.Errorf("hangs")) })
	t.Cleanup(func() { late.Stop() })
	outEnd, out := pipes(t)
	errEnd, errs := outEnd, out
	if !one {
		errEnd, errs = pipes(t)
	}
	s.out, s.errs = bufio.NewReader(outEnd), bufio.NewReader(errEnd)
	s.Command = &Command{
		Guard: guard, Argv: []string{"sh", "-c", script}, Env: os.Environ(),
		Stdout: out, Stderr: errs, Stop: hang, Kill: make(chan struct{}),
		Say: func(format string, args ...any) { s.said <- fmt.Sprintf(format, args...) },
	}
	return s
}

func pipes(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

func (s *shell) start() *shell {
	go func() {
		o := s.Execute(s.ctx, 1, silent{})
		_, _ = s.Stdout.Close(), s.Stderr.Close() // so that what is read ends
		s.ended <- o
	}()
	return s
}

func (s *shell) line() string {
	s.t.Helper()
	text, err := s.out.ReadString('\n')
	if err != nil {
		s.t.Fatalf("after %q: %v", text, err)
	}
	return strings.TrimSuffix(text, "\n")
}

func (s *shell) pid() int {
	s.t.Helper()
	pid, err := strconv.Atoi(s.line())
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

func (s *shell) code(want int) Outcome {
	s.t.Helper()
	o := <-s.ended
	if o.Command == nil || *o.Command != want {
		s.t.Errorf("want the command's exit code %d: %+v", want, o)
	}
	return o
}

func all(t *testing.T, r io.Reader) string {
	t.Helper()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// lives is false for what only waits to be reaped.
// awaitEnd waits for the end of a process that was killed: its files are closed, which
// others see, a moment before it is gone.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(hang); lives(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d lives on", pid)
		}
	}
}

func lives(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && stat[bytes.LastIndexByte(stat, ')')+2] != 'Z'
}

func TestCommandOutcomes(t *testing.T) {
	for script, want := range map[string]Outcome{
		"exit 0":                         {State: Success},
		"exit 7":                         {State: Failed, Message: "exit code 7"},
		"kill -9 $$":                     {State: Failed, Code: "killed", Message: "exit code 137 (killed)"},
		"exec no-such-command":           {State: Failed, Code: "command_not_run", Message: "exit code 127"},
		"exit 3 # stands for permanent":  {State: Failed, Permanent: true, Message: "exit code 3"},
		"exit 99 # stands for a skip":    {State: Skipped, Message: "exit code 99"},
		"kill -TERM $$ # without a stop": {State: Failed, Code: "killed", Message: "exit code 143 (SIGTERM)"},
	} {
		s := newShell(t, true, script)
		s.Outcomes = map[int]Outcome{3: {State: Failed, Permanent: true}, 99: {State: Skipped}}
		got := <-s.start().ended
		got.Command = nil
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Errorf("%s:\n%+v, want\n%+v", script, got, want)
		}
	}
}

const alternating = `i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done; printf '\377end'`

// TestOrderOfOutputs: where both descriptors are one file, as under Digdag, the
// order of what is written to them is kept.
func TestOrderOfOutputs(t *testing.T) {
	var both, outs, errs strings.Builder
	for i := range 500 {
		fmt.Fprintf(&outs, "out %d\n", i)
		fmt.Fprintf(&errs, "err %d\n", i)
		fmt.Fprintf(&both, "out %d\nerr %d\n", i, i)
	}
	s := newShell(t, true, alternating).start()
	if got := all(t, s.out); got != both.String()+"\xffend" {
		t.Errorf("one file: %q", got)
	}
	s.code(0)
	s = newShell(t, false, alternating).start()
	errors := make(chan string)
	go func() { errors <- all(t, s.errs) }()
	if got := all(t, s.out); got != outs.String()+"\xffend" {
		t.Errorf("stdout: %q", got)
	}
	if got := <-errors; got != errs.String() {
		t.Errorf("stderr: %q", got)
	}
	s.code(0)
}

// TestDescriptorsOfTheCommand: three, blocking ones as programs expect them.
func TestDescriptorsOfTheCommand(t *testing.T) {
	s := newShell(t, false, `for n in 0 1 2; do grep -H flags /proc/$$/fdinfo/$n; done; ls -l /proc/$$/fd`)
	live, err := os.CreateTemp(t.TempDir(), "live")
	if err != nil {
		t.Fatal(err)
	}
	s.Live = live
	s.start()
	const nonblock = 0o4000
	for range 3 {
		_, text, _ := strings.Cut(s.line(), "flags:\t")
		if flags, err := strconv.ParseInt(text, 8, 64); err != nil || flags&nonblock != 0 {
			t.Errorf("flags %s, %v", text, err)
		}
	}
	if fds := all(t, s.out); strings.Contains(fds, " 3 -> ") || strings.Contains(fds, " 4 -> ") {
		t.Errorf("more than three descriptors:\n%s", fds)
	}
	s.code(0)
}

func TestInheritedOutputs(t *testing.T) {
	s := newShell(t, false, `readlink /proc/$$/fd/1 /proc/$$/fd/2`)
	s.Inherit = true
	want := ""
	for _, f := range []*os.File{s.Stdout, s.Stderr} {
		n, err := inode(f)
		if err != nil {
			t.Fatal(err)
		}
		want += fmt.Sprintf("pipe:[%d]\n", n)
	}
	s.start()
	if got := all(t, s.out); got != want {
		t.Errorf("descriptors %q, want the host's own %q", got, want)
	}
	s.code(0)
}

// TestClosedReader: the command gets the SIGPIPE that it would get without us.
func TestClosedReader(t *testing.T) {
	s := newShell(t, false, "yes | cat")
	s.Argv = []string{"yes"}
	r, w := pipes(t)
	s.Stdout = w
	s.start()
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	s.code(128 + int(syscall.SIGPIPE))
}

// TestStop: the group gets the host's own signal, and when Execute returns nothing
// that the command started is left, deaf or in another session.
func TestStop(t *testing.T) {
	for name, c := range map[string]struct {
		child string
		cause *Cause
		said  string
	}{
		"polite":                  {`sh -c 'echo $$; exec sleep 1000'`, Signalled(syscall.SIGTERM), "SIGTERM"},
		"by SIGINT":               {`sh -c 'echo $$; exec sleep 1000'`, Signalled(syscall.SIGINT), "SIGINT"},
		"orphaned":                {`sh -c 'echo $$; exec sleep 1000'`, Orphaned(fmt.Errorf("gone")), "SIGTERM"},
		"deaf":                    {`sh -c 'trap "" TERM; echo $$; exec sleep 1000'`, Signalled(syscall.SIGTERM), "SIGTERM"},
		"deaf in another session": {`setsid sh -c 'trap "" TERM; echo $$; exec sleep 1000'`, Signalled(syscall.SIGTERM), "SIGTERM"},
		"deaf without our output": {`sh -c 'trap "" TERM; echo $$; exec sleep 1000 >/dev/null 2>&1'`, Signalled(syscall.SIGTERM), "SIGTERM"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShell(t, false, `
				trap 'echo SIGTERM; exit 5' TERM
				trap 'echo SIGINT; exit 5' INT
				`+c.child+` &
				while :; do sleep 0.01; done`)
			if strings.Contains(name, "deaf") {
				s.Stop = 100 * time.Millisecond
			}
			s.start()
			child := s.pid()
			s.stop(c.cause)
			if got := s.line(); got != c.said {
				t.Errorf("was sent %s, want %s", got, c.said)
			}
			s.code(5)
			awaitEnd(t, child)
		})
	}
}

func TestKillDoesNotAsk(t *testing.T) {
	s := newShell(t, true, `trap 'echo asked' TERM; echo ready; while :; do sleep 0.01; done`)
	kill := make(chan struct{})
	s.Kill = kill
	s.start()
	s.line()
	close(kill)
	if got := all(t, s.out); got != "" {
		t.Errorf("printed %q", got)
	}
	s.code(137)
}

// TestHolderIsNamed: the run waits for who holds its output, and says so once.
func TestHolderIsNamed(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newShell(t, true, `sh -c 'echo $$; read -r line < `+fifo+`; echo $line' & exit 6`).start()
	pid := s.pid()
	want := fmt.Sprintf("still held open by sh (process %d);", pid)
	select {
	case said := <-s.said:
		if !strings.Contains(said, want) {
			t.Errorf("said %q, want %q", said, want)
		}
	case o := <-s.ended:
		t.Fatalf("ended before its output: %+v", o)
	}
	if err := os.WriteFile(fifo, []byte("late\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.line(); got != "late" {
		t.Errorf("printed %q", got)
	}
	s.code(6)
	if len(s.said) > 0 {
		t.Errorf("said again: %q", <-s.said)
	}
}

// TestStopEndsHolders: the command has ended, and who holds its output is deaf.
func TestStopEndsHolders(t *testing.T) {
	s := newShell(t, true, `setsid sh -c 'trap "" TERM; echo $$; exec sleep 1000' & exit 6`)
	s.Stop = 100 * time.Millisecond
	s.start()
	pid := s.pid()
	<-s.said
	s.stop(Signalled(syscall.SIGTERM))
	s.code(6)
	awaitEnd(t, pid)
}

// TestStopWithAReaderThatHangs: nobody reads, and the run ends all the same.
func TestStopWithAReaderThatHangs(t *testing.T) {
	s := newShell(t, false, "")
	s.Argv = []string{"sh", "-c", "echo; exec yes"}
	began := time.Now()
	s.start()
	s.line()
	for full := []unix.PollFd{{Fd: int32(s.Stdout.Fd()), Events: unix.POLLOUT}}; ; time.Sleep(time.Millisecond) {
		if n, err := unix.Poll(full, 0); n == 0 && err == nil {
			break
		}
	}
	s.stop(Signalled(syscall.SIGTERM))
	s.code(143)
	if took := time.Since(began); took > s.Stop/2 {
		t.Errorf("took %s", took)
	}
}

func TestExitCodesOfCommands(t *testing.T) {
	code := func(n int) *int { return &n }
	for want, o := range map[int]Outcome{
		0:   {State: Success, Command: code(0)},
		7:   {State: Failed, Command: code(7)},
		3:   {State: Failed, Permanent: true, Command: code(9)},
		98:  {State: Skipped, Command: code(4)},
		124: {State: TimedOut, Command: code(143)},
		125: hostFailed(context.Canceled),
		130: {State: Cancelled, Signal: syscall.SIGINT, Command: code(0)},
		143: {State: Cancelled, Code: CodeOrphaned, Command: code(0)},
		5:   {State: Cancelled, Signal: syscall.SIGTERM, Command: code(5)},
		129: {State: Cancelled, Signal: syscall.SIGHUP},
	} {
		if got := o.CommandExit(98); got != want {
			t.Errorf("%+v: exit %d, want %d", o, got, want)
		}
	}
}

// TestAProgramMayOutliveItsReader: what it prints is let go then, and it ends well.
func TestAProgramMayOutliveItsReader(t *testing.T) {
	s := newShell(t, true, "i=0; while [ $i -lt 400 ]; do printf %01024d 0 || exit 9; i=$((i+1)); done")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	_ = r.Close()
	s.Stdout, s.Stderr, s.Outlives = w, w, func() bool { return true }
	s.start().code(0)
}

// TestGate: the guard is up while the gate is asked, and the program does not start
// before, or ever, when it says no or the run is over by then.
func TestGate(t *testing.T) {
	for name, c := range map[string]struct {
		grants, stops bool
		want          State
	}{
		"granted":             {true, false, Success},
		"refused":             {false, false, Waiting},
		"granted and stopped": {true, true, Cancelled},
		"refused and stopped": {false, true, Waiting},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			s := newShell(t, false, "echo started")
			s.Dir = dir
			asked := make(chan struct{})
			s.Gate = func() bool {
				close(asked)
				if c.stops {
					s.stop(nil)
				}
				return c.grants
			}
			s.start()
			<-asked
			if o := <-s.ended; o.State != c.want {
				t.Errorf("outcome %+v", o)
			}
			text, err := io.ReadAll(s.out)
			if started := len(text) > 0; err != nil || started != (c.want == Success) {
				t.Errorf("it printed %q: %v", text, err)
			}
			if _, err := os.Stat(dir); err != nil {
				t.Errorf("the folder, which is the host's: %v", err)
			}
		})
	}
}
