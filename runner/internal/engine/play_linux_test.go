package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// play is the variable that makes the test binary one of the processes of a play:
// an engine, or the host somewhere below it.
const play = "ENGINE_TEST_PLAY"

// argvVar tells an engine what to start: in a variable, for its own arguments are
// looked at.
const argvVar = "ENGINE_TEST_ARGV"

func TestMain(m *testing.M) {
	err := errors.New("no such part")
	switch os.Getenv(play) {
	case "":
		os.Exit(m.Run())
	case "engine", "task":
		err = playEngine()
	case "host":
		err = playHost()
	case "leaver":
		err = playLeaver()
	}
	if err != nil {
		fmt.Fprintln(os.NewFile(3, "report"), err)
		os.Exit(1)
	}
}

// playEngine starts what argvVar says with its own descriptors and stays. As
// Airflow does, a task gives what it starts a session of its own.
func playEngine() error {
	argv := strings.Split(os.Getenv(argvVar), "\n")
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{os.NewFile(3, "report")}
	cmd.Env = append(os.Environ(), play+"=host")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: os.Getenv(play) == "task"}
	if os.Getenv(play) == "engine" && os.Getenv("AIRFLOW_CTX_DAG_ID") != "" {
		cmd.Path, cmd.Args = os.Getenv("HOST"), []string{"task"}
		cmd.Env = append(os.Environ(), play+"=task")
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	// Nobody else may keep the far ends of the descriptors open.
	for _, f := range []*os.File{os.Stdin, os.Stdout, os.Stderr, cmd.ExtraFiles[0]} {
		_ = f.Close()
	}
	return stay()
}

// stay stays until it is killed.
func stay() error {
	for {
		time.Sleep(time.Hour)
	}
}

// report is what the host says: what it watches, then why the engine is gone.
type report struct {
	Engine Name
	PID    int
	Above  []int
	Watch  []string
	Gone   string
}

// playHost watches as a host does and reports on descriptor 3.
func playHost() error {
	say := json.NewEncoder(os.NewFile(3, "report"))
	e := Detect("", os.Getenv, Ancestors())
	list, err := e.watchList()
	if err != nil {
		return err
	}
	closeAll(list)
	r := report{Engine: e.Name, PID: os.Getpid(), Above: e.above}
	for _, w := range list {
		r.Watch = append(r.Watch, w.why)
	}
	gone, err := e.Gone(context.Background())
	if err != nil {
		return err
	}
	if err := say.Encode(r); err != nil {
		return err
	}
	r.Gone = (<-gone).Error()
	return say.Encode(r)
}

// stage is a running play.
type stage struct {
	t       *testing.T
	engine  *exec.Cmd
	reports *json.Decoder
	fds     map[int]*os.File // the far ends of the engine's descriptors
	first   report
}

// runner is where Digdag puts the script of a task.
const runner = ".digdag/tmp/digdag-sh-12-345/runner.sh"

// onDigdag plays a task of Digdag whose runner script is text, in which $HOST is
// the host. stdin is what the engine gives it; nil is a pipe that is open.
func onDigdag(t *testing.T, text string, stdin *os.File) *stage {
	t.Helper()
	return raise(t, scripted(t, text), stdin, digdagVars(), "/bin/sh", runner)
}

func digdagVars() []string { return []string{"session_uuid=u", "task_name=+w+a"} }

// scripted is a folder with a runner script.
func scripted(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(runner)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, runner), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// raise starts the engine and waits until the host below it watches.
func raise(t *testing.T, dir string, stdin *os.File, env []string, argv ...string) *stage {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, engine: exec.Command(exe), fds: map[int]*os.File{}}
	s.engine.Dir = dir
	s.engine.Env = append(append(os.Environ(), play+"=engine", argvVar+"="+strings.Join(argv, "\n"), "HOST="+exe), env...)
	s.engine.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	inEnd, in := pipes(t)
	out, outEnd := pipes(t)
	errs, errEnd := pipes(t)
	reports, reportEnd := pipes(t)
	s.fds[0], s.fds[1], s.fds[2] = in, out, errs
	if stdin == nil {
		stdin = inEnd
	}
	s.engine.Stdin, s.engine.Stdout, s.engine.Stderr = stdin, outEnd, errEnd
	s.engine.ExtraFiles = []*os.File{reportEnd}
	if err := s.engine.Start(); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{inEnd, outEnd, errEnd, reportEnd} {
		_ = f.Close()
	}
	if err := reports.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	s.reports = json.NewDecoder(reports)
	t.Cleanup(func() {
		_ = s.engine.Process.Kill()
		_ = s.engine.Wait()
	})
	s.first = s.next()
	endAfter(t, s.first.PID)
	if env := strings.Join(env, " "); strings.Contains(env, "AIRFLOW_CTX_DAG_ID") && len(s.first.Above) > 0 {
		endAfter(t, s.first.Above[0])
	}
	return s
}

// endAfter kills a process that is no child of ours when the test is over, and no
// other that got its number meanwhile.
func endAfter(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		_ = unix.Close(fd)
	})
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

// next waits for what the host says.
func (s *stage) next() report {
	s.t.Helper()
	var r report
	if err := s.reports.Decode(&r); err != nil {
		said, _ := io.ReadAll(s.reports.Buffered())
		s.t.Fatalf("no report: %v; %s", err, said)
	}
	return r
}

// close closes the far end of the engine's descriptor fd.
func (s *stage) close(fd int) {
	s.t.Helper()
	if err := s.fds[fd].Close(); err != nil {
		s.t.Fatal(err)
	}
}
