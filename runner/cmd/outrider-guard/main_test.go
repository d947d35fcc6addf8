package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const asGuard = "OUTRIDER_GUARD_TEST"

// TestMain is also the guard that the tests start.
func TestMain(m *testing.M) {
	if os.Getenv(asGuard) != "" {
		_ = os.Unsetenv(asGuard)
		main()
		return
	}
	os.Exit(m.Run())
}

// hang turns a hang into a failure; no test depends on its length.
const hang = time.Minute

type run struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bufio.Reader
	err  bytes.Buffer
	line *os.File // the host's end of the lifeline
}

// guarded starts the guard with args; its descriptor 3 is a lifeline.
func guarded(t *testing.T, args ...string) *run {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, cmd: exec.Command(exe, args...)}
	r.cmd.Env = append(os.Environ(), asGuard+"=1")
	r.cmd.Stderr = &r.err
	lifeEnd, line := pipe(t)
	outEnd, in := pipe(t)
	_ = outEnd.SetReadDeadline(time.Now().Add(hang))
	r.line, r.out = line, bufio.NewReader(outEnd)
	r.cmd.Stdout = in
	r.cmd.ExtraFiles = []*os.File{lifeEnd}
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = lifeEnd.Close()
	_ = in.Close()
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	return r
}

func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	return r, w
}

// read reads one line that the command printed.
func (r *run) read() string {
	r.t.Helper()
	s, err := r.out.ReadString('\n')
	if err != nil {
		r.t.Fatalf("after %q: %v; stderr %q", s, err, r.err.String())
	}
	return strings.TrimSuffix(s, "\n")
}

// code waits for the guard and returns its exit code, -1 for a signal.
func (r *run) code() int {
	r.t.Helper()
	done := make(chan error, 1)
	go func() { done <- r.cmd.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			r.t.Fatal(err)
		}
		return r.cmd.ProcessState.ExitCode()
	case <-time.After(hang):
		r.t.Fatal("the guard hangs")
		return 0
	}
}

// rest reads until nobody holds the other end: everything that was started with
// it is gone.
func (r *run) rest() string {
	r.t.Helper()
	b, err := io.ReadAll(r.out)
	if err != nil {
		r.t.Fatalf("somebody still holds stdout: %v", err)
	}
	return string(b)
}

func TestExitsAsTheCommand(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		args   []string
		code   int
		stderr string
	}{
		"success":          {[]string{"--", "true"}, 0, ""},
		"failure":          {[]string{"--", "sh", "-c", "exit 7"}, 7, ""},
		"signal":           {[]string{"--", "sh", "-c", "kill -TERM $$"}, 143, ""},
		"path":             {[]string{"--", "/bin/sh", "-c", "exit 3"}, 3, ""},
		"with the rest":    {[]string{"--lifeline", "3", "--dir", dir, "--", "sh", "-c", "exit 4"}, 4, ""},
		"script without #": {[]string{"--", write("script", 0o755, "exit $1\n"), "9"}, 9, ""},
		"not found":        {[]string{"--", "no-such-command"}, 127, "no-such-command: not found"},
		"no such file":     {[]string{"--", "/no/such/command"}, 127, "/no/such/command: not found"},
		"not executable":   {[]string{"--", write("plain", 0o644, "")}, 126, "permission denied"},
		"directory":        {[]string{"--", dir}, 126, "permission denied"},
		"no command":       {[]string{"--"}, 125, "usage: "},
		"nothing":          {nil, 125, "usage: "},
		"unknown flag":     {[]string{"--nope", "x", "--", "true"}, 125, "unknown flag --nope"},
		"bad lifeline":     {[]string{"--lifeline", "x", "--", "true"}, 125, "--lifeline x"},
		"no lifeline":      {[]string{"--lifeline", "77", "--", "sleep", "1000"}, 125, "read the lifeline"},
		"root folder":      {[]string{"--dir", "/", "--", "true"}, 125, "--dir /"},
		"relative folder":  {[]string{"--dir", "x", "--", "true"}, 125, "--dir x"},
	} {
		t.Run(name, func(t *testing.T) {
			r := guarded(t, c.args...)
			if got := r.code(); got != c.code {
				t.Errorf("exit %d, want %d", got, c.code)
			}
			if got := r.err.String(); !strings.Contains(got, c.stderr) || (c.stderr == "" && got != "") {
				t.Errorf("stderr %q, want %q", got, c.stderr)
			}
		})
	}
	if _, err := os.Stat(dir); err != nil {
		t.Errorf("the folder was removed while the host lives: %v", err)
	}
}

func TestPassesSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		t.Run(sig.String(), func(t *testing.T) {
			n := strconv.Itoa(int(sig))
			r := guarded(t, "--", "sh", "-c", `trap 'echo got; exit 5' `+n+`; echo ready; while :; do sleep 0.01; done`)
			r.read()
			if err := r.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if got := r.read(); got != "got" {
				t.Errorf("printed %q", got)
			}
			if got := r.code(); got != 5 {
				t.Errorf("exit %d", got)
			}
		})
	}
}

func TestIgnoredSignalsStayIgnored(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", `trap '' HUP; exec "$0" "$@"`, exe, "--", "sh", "-c", "kill -HUP $$; exit 6")
	cmd.Env = append(os.Environ(), asGuard+"=1")
	_ = cmd.Run()
	if got := cmd.ProcessState.ExitCode(); got != 6 {
		t.Errorf("exit %d", got)
	}
}

func TestOwnGroupAndNoLifeline(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	r := guarded(t, "--lifeline", "3", "--", "sh", "-c", `echo $$; cut -d' ' -f5 /proc/$$/stat; ls -l /proc/$$/fd; echo end; exec sleep 1000`)
	pid := r.read()
	if group := r.read(); group != pid || group == strconv.Itoa(r.cmd.Process.Pid) {
		t.Errorf("command %s in group %s", pid, group)
	}
	for line := r.read(); line != "end"; line = r.read() {
		if strings.Contains(line, " 3 -> ") {
			t.Errorf("the lifeline is handed on: %s", line)
		}
	}
}

// family prints its own id and starts descendants in the group, in another
// session, and one whose parent is gone; all of them deaf to SIGTERM.
const family = `
trap '' TERM
sleep 1000 &
setsid sleep 1000 &
(setsid sh -c 'sleep 1000 & echo orphaned' &)
echo ready
wait
sleep 1000`

func TestNothingOutlivesTheHost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lets a process adopt")
	}
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := guarded(t, "--lifeline", "3", "--dir", dir, "--", "sh", "-c", family)
	r.read()
	r.read()
	_ = r.line.Close()
	r.rest()
	r.code()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
}

func TestAByteKillsAtOnce(t *testing.T) {
	r := guarded(t, "--lifeline", "3", "--", "sh", "-c", `trap 'echo asked' TERM; sleep 1000 & echo ready; wait; wait`)
	r.read()
	if _, err := r.line.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if got := r.rest(); got != "" {
		t.Errorf("printed %q", got)
	}
	if got := r.code(); got != 137 {
		t.Errorf("exit %d", got)
	}
}

// TestHeld: CMD starts with a 2 alone, and the folder goes with the host.
func TestHeld(t *testing.T) {
	for name, c := range map[string]struct {
		send    []byte
		said    string
		code    int
		removed bool
	}{
		"go on":            {[]byte{2}, "ran\n", 7, false},
		"not wanted":       {[]byte{1}, "", 137, false},
		"the host is gone": {nil, "", 137, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			r := guarded(t, "--held", "--lifeline", "3", "--dir", dir, "--", "sh", "-c", "echo ran; exit 7")
			if c.send == nil {
				_ = r.line.Close()
			} else if _, err := r.line.Write(c.send); err != nil {
				t.Fatal(err)
			}
			if got := r.rest(); got != c.said {
				t.Errorf("printed %q", got)
			}
			if got := r.code(); got != c.code {
				t.Errorf("exit %d", got)
			}
			if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) != c.removed {
				t.Errorf("the folder: %v", err)
			}
		})
	}
}

func TestForeground(t *testing.T) {
	r := guarded(t, "--foreground", "--", "sh", "-c",
		`trap 'echo interrupted' INT; trap 'echo asked; exit 5' TERM; ps -o pgid= $$; while :; do sleep 0.01; done`)
	if got := strings.TrimSpace(r.read()); got != strconv.Itoa(r.cmd.Process.Pid) {
		t.Errorf("in group %s, the guard's is %d", got, r.cmd.Process.Pid)
	}
	// The terminal's own signals reach CMD without the guard.
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := r.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.rest(); got != "asked\n" {
		t.Errorf("printed %q", got)
	}
	if got := r.code(); got != 5 {
		t.Errorf("exit %d", got)
	}
}

func TestGraceWhenTheHostIsGone(t *testing.T) {
	r := guarded(t, "--lifeline", "3", "--", "sh", "-c",
		`trap 'echo asked; sleep 0.2; echo done; exit' TERM; echo ready; while :; do sleep 0.01; done`)
	r.read()
	_ = r.line.Close()
	if got := r.rest(); got != "asked\ndone\n" {
		t.Errorf("printed %q", got)
	}
	r.code()
}

func TestStoppedCommandIsAskedToo(t *testing.T) {
	r := guarded(t, "--lifeline", "3", "--", "sh", "-c", `trap 'echo asked; exit' TERM; sleep 1000 & echo $$; wait`)
	pid := r.read()
	group, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(-group, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(hang); ; time.Sleep(time.Millisecond) {
		state, err := exec.Command("ps", "-o", "stat=", "-p", pid).Output()
		if err != nil || time.Now().After(end) {
			t.Fatalf("not stopped: %s, %v", state, err)
		}
		if strings.ContainsAny(string(state), "TD") { // D: waits for a stopped child that has not become sleep yet
			break
		}
	}
	_ = r.line.Close()
	if got := r.rest(); got != "asked\n" {
		t.Errorf("printed %q", got)
	}
	r.code()
}

func TestCommandDiesWithTheGuard(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a death signal")
	}
	r := guarded(t, "--", "sh", "-c", "echo ready; exec sleep 1000")
	r.read()
	_ = r.cmd.Process.Kill()
	r.rest()
	r.code()
}
