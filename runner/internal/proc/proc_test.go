package proc

import (
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

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// hang turns a hang into a failure; no test depends on its length.
const hang = time.Minute

// sh starts a shell script.
func sh(t *testing.T, script string, change ...func(*Spec)) *Process {
	t.Helper()
	s := Spec{Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}}
	for _, c := range change {
		c(&s)
	}
	p, err := Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(hang) })
	return p
}

// printing starts a shell script and returns what reads its output.
func printing(t *testing.T, script string, change ...func(*Spec)) (*Process, *Pipe) {
	t.Helper()
	pipe, w, err := NewPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pipe.Close)
	p := sh(t, script, append(change, func(s *Spec) { s.Stdout = w })...)
	_ = w.Close()
	return p, pipe
}

func drained(t *testing.T, p *Process, pipe *Pipe) string {
	t.Helper()
	var b bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		pipe.Drain(p.Done(), func(s []byte) { b.Write(s) })
	}()
	select {
	case <-done:
	case <-time.After(hang):
		t.Fatal("Drain hangs")
	}
	return b.String()
}

func TestExit(t *testing.T) {
	for script, want := range map[string]struct {
		exit Exit
		text string
	}{
		"true":                       {Exit{}, "exit status 0"},
		"exit 7":                     {Exit{Code: 7}, "exit status 7"},
		"exit 255":                   {Exit{Code: 255}, "exit status 255"},
		"kill -TERM $$":              {Exit{Code: -1, Signal: syscall.SIGTERM}, "killed by SIGTERM"},
		"kill -KILL $$":              {Exit{Code: -1, Signal: syscall.SIGKILL}, "killed by SIGKILL"},
		"kill -USR2 $$":              {Exit{Code: -1, Signal: syscall.SIGUSR2}, "killed by SIGUSR2"},
		"ulimit -c 0; kill -SEGV $$": {Exit{Code: -1, Signal: syscall.SIGSEGV}, "killed by SIGSEGV"},
	} {
		got := sh(t, script).Exit()
		got.Core = false // the system's choice
		if got != want.exit || got.String() != want.text {
			t.Errorf("%s: %+v, %q", script, got, got)
		}
	}
	if s := killed(syscall.SIGSEGV, true).String(); s != "killed by SIGSEGV (core dumped)" {
		t.Error(s)
	}
	if s := killed(syscall.Signal(63), false).String(); s != "killed by signal 63" {
		t.Error(s)
	}
}

func TestGetsWhatTheSpecSays(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("SECRET", "not for children")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.WriteString(w, "extra"); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	p, out := printing(t, `cat; echo "$A,$SECRET,$(pwd -P),$1"; cat <&3; [ "$(ps -o pgid= $$ | tr -d ' ')" = $$ ] && echo leader`, func(s *Spec) {
		s.Args = append(s.Args, "arg0", "arg 1")
		s.Env = append(s.Env, "A=b")
		s.Dir = dir
		s.Extra = []*os.File{r}
	})
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := drained(t, p, out); got != "b,,"+real+",arg 1\nextraleader\n" {
		t.Errorf("printed %q", got)
	}
}

func TestEmptyEnvironmentIsEmpty(t *testing.T) {
	t.Setenv("SECRET", "not for children")
	p, out := printing(t, `echo "<$SECRET>"`, func(s *Spec) { s.Env = nil })
	if got := drained(t, p, out); got != "<>\n" {
		t.Errorf("printed %q", got)
	}
}

func TestSignalReachesTheGroup(t *testing.T) {
	p, out := printing(t, `trap 'echo parent; wait; exit' TERM; sh -c 'trap "echo child; exit" TERM; echo ready; while :; do sleep 0.01; done' & wait; wait`)
	var got strings.Builder
	done := make(chan struct{})
	go func() {
		defer close(done)
		once := false
		out.Drain(p.Done(), func(b []byte) {
			got.Write(b)
			if !once && strings.Contains(got.String(), "ready") {
				once = true
				if err := p.Signal(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
			}
		})
	}()
	select {
	case <-done:
	case <-time.After(hang):
		t.Fatal("the group lives")
	}
	for _, who := range []string{"parent", "child"} {
		if !strings.Contains(got.String(), who) {
			t.Errorf("the %s got no signal: %q", who, got.String())
		}
	}
}

func TestCloseEndsTheGroup(t *testing.T) {
	for name, script := range map[string]string{
		"all of it":        `trap '' TERM; sleep 1000 & echo $!; wait`,
		"after the leader": `sleep 1000 & echo $!`,
		"frozen":           `sleep 1000 & echo $!; kill -STOP $!; kill -STOP $$`,
	} {
		t.Run(name, func(t *testing.T) {
			p, out := printing(t, script)
			if name == "after the leader" {
				<-p.Done()
			}
			line := make([]byte, 16)
			n, err := out.r.Read(line)
			if err != nil {
				t.Fatal(err)
			}
			child, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Close(hang); err != nil {
				t.Fatal(err)
			}
			if runs(child) || runs(p.Pid()) {
				t.Error("a process of the group runs")
			}
			if err := p.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
				t.Errorf("a signal after Close: %v", err)
			}
			if err := p.Close(hang); err != nil {
				t.Error(err)
			}
		})
	}
}

// runs reports whether a process is there and no zombie.
func runs(pid int) bool {
	state, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(string(state), "Z")
}

// In a container whose first process collects no zombies they would hold up
// every Close.
func TestZombiesDoNotCount(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	p := sh(t, "sleep 1000")
	other, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{
		Sys: &syscall.SysProcAttr{Setpgid: true, Pgid: p.Pid()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Wait() // not before: until then it is one
	if err := p.Close(hang / 20); err != nil {
		t.Error(err)
	}
}

// A process id may not be given back before Close: a signal could hit a stranger.
func TestKeepsTheIdUntilClose(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs WNOWAIT")
	}
	p := sh(t, "exit 3")
	<-p.Done()
	if err := syscall.Kill(p.Pid(), 0); err != nil {
		t.Errorf("the id is free while it may still be signalled: %v", err)
	}
	if err := p.Close(hang); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.Pid(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the id is still taken: %v", err)
	}
	if p.Exit().Code != 3 {
		t.Error(p.Exit())
	}
}

func TestStartFails(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		filepath.Join(dir, "none"): syscall.ENOENT,
		plain:                      syscall.EACCES,
		dir:                        syscall.EACCES,
	} {
		_, err := Start(t.Context(), Spec{Path: path})
		if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "start "+path+": ") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestLifeline(t *testing.T) {
	l, err := NewLifeline()
	if err != nil {
		t.Fatal(err)
	}
	p, out := printing(t, `echo waiting; cat <&3; echo gone`, func(s *Spec) { s.Extra = []*os.File{l.End()} })
	if got, err := io.ReadAll(io.LimitReader(out.r, 8)); string(got) != "waiting\n" {
		t.Fatal(string(got), err)
	}
	l.Close()
	if got := drained(t, p, out); got != "gone\n" {
		t.Errorf("printed %q", got)
	}
}

func TestDrainTakesAllOfTheDead(t *testing.T) {
	p, out := printing(t, `head -c 60000 /dev/zero`)
	<-p.Done()
	n := 0
	out.Drain(p.Done(), func(b []byte) {
		n += len(b)
		time.Sleep(2 * linger) // a slow taker, as a full terminal is
	})
	if n != 60000 {
		t.Errorf("%d bytes", n)
	}
}

func TestDrainIsNotHeldByStrangers(t *testing.T) {
	p, out := printing(t, `sleep 1000 & echo last`)
	if got := drained(t, p, out); got != "last\n" {
		t.Errorf("printed %q", got)
	}
}
