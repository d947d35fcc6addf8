package e2e

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// started is a host whose task runs.
type started struct {
	cmd    *exec.Cmd
	plugin int
	stderr bytes.Buffer
}

func (w world) start(t *testing.T, component ...string) *started {
	t.Helper()
	mark := w.fifo(t, "mark")
	s := &started{cmd: w.cmd(append(append([]string{"run"}, component...), "--mark", mark)...)}
	s.cmd.Stderr = &s.stderr
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.plugin = pidFrom(t, mark)
	return s
}

// code waits for the host's end.
func (s *started) code() int {
	_ = s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

func TestSignalToTheHostStopsTheTask(t *testing.T) {
	for sig, want := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130, syscall.SIGHUP: 129} {
		t.Run(sig.String(), func(t *testing.T) {
			w := newWorld(t)
			s := w.start(t, "probe.stay", "--child")
			if err := s.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if got := s.code(); got != want {
				t.Errorf("exit %d, want %d\n%s", got, want, s.stderr.String())
			}
			if alive(s.plugin) {
				t.Error("the plugin lives on")
			}
			if text := s.stderr.String(); !strings.Contains(text, "stopping: why=\"cancelled: the host was sent SIG") {
				t.Errorf("the task was not told why:\n%s", text)
			}
			w.gone(t, 5*time.Second)
			if left := w.leftovers(t); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// TestSecondInterruptKills uses a task that ignores the first one.
func TestSecondInterruptKills(t *testing.T) {
	w := newWorld(t)
	s := w.start(t, "probe.stay", "--obey=false", "--child")
	began := time.Now()
	for range 2 {
		if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // two signals at once are one to the kernel
	}
	if got := s.code(); got != 130 {
		t.Errorf("exit %d\n%s", got, s.stderr.String())
	}
	// The ladder alone would take 9 s; half of it tells the two apart.
	if took := time.Since(began); took > 4500*time.Millisecond {
		t.Errorf("took %s: the second signal changed nothing", took)
	}
	w.gone(t, 5*time.Second)
}

// TestIgnoredHangupStaysIgnored is nohup.
func TestIgnoredHangupStaysIgnored(t *testing.T) {
	w := newWorld(t)
	mark := w.fifo(t, "mark")
	cmd := exec.Command("nohup", filepath.Join(bin, "outrider"), "run", "probe.stay", "--mark", mark)
	cmd.Env = w.env()
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	plugin := pidFrom(t, mark)
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 143 {
		t.Errorf("exit %d, want that of SIGTERM\n%s", got, errs.String())
	}
	if alive(plugin) {
		t.Error("the plugin lives on")
	}
}

// TestKilledHostLeavesNothing kills hosts with SIGKILL at 200 random moments of
// their lives: 5 s later none of their processes is there, and one more run
// sweeps their folders.
func TestKilledHostLeavesNothing(t *testing.T) {
	const kills, atOnce = 200, 4
	w := newWorld(t)
	if code, _, errs := ended(t, w.cmd("run", "hello.greet", "--name", "you")); code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	var running sync.WaitGroup
	places := make(chan struct{}, atOnce)
	for i := range kills {
		places <- struct{}{}
		running.Go(func() {
			defer func() { <-places }()
			cmd := w.cmd("run", "probe.stay", "--child", fmt.Sprintf("--obey=%t", i%2 == 0))
			if err := cmd.Start(); err != nil {
				t.Error(err)
				return
			}
			// A random moment is what is tested, so this sleep is no wait for anything.
			time.Sleep(time.Duration(rand.Int64N(int64(120 * time.Millisecond))))
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
			_ = cmd.Wait()
		})
	}
	running.Wait()
	w.gone(t, 5*time.Second)
	if code, _, errs := ended(t, w.cmd("run", "hello.greet", "--name", "you")); code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	if left := w.leftovers(t); len(left) > 0 {
		t.Errorf("%d left after one more run: %q", len(left), left)
	}
}

func TestClosedStdoutIsUndelivered(t *testing.T) {
	w := newWorld(t)
	closed := func() *os.File {
		r, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		t.Cleanup(func() { _ = out.Close() })
		return out
	}
	cmd := w.cmd("run", "hello.greet", "--name", "you")
	cmd.Stdout = closed()
	code, _, errs := ended(t, cmd)
	if code != 1 || !strings.Contains(errs, "output_undelivered") || !strings.Contains(errs, "broken pipe") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	file := filepath.Join(w.home, "out")
	cmd = w.cmd("run", "--output", file, "hello.greet", "--name", "you")
	cmd.Stdout = closed()
	if code, _, errs = ended(t, cmd); code != 0 {
		t.Errorf("with --output: exit %d\n%s", code, errs)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "{\"message\":\"Hello, you!\"}\n" {
		t.Errorf("file: %q, %v", text, err)
	}
}

// mounted runs script in a mount namespace of its own; $M is an empty folder.
func (w world) mounted(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	flags := "-rm"
	if os.Geteuid() == 0 {
		flags = "-m"
	}
	cmd := exec.Command("unshare", flags, "sh", "-euc", script)
	dir := filepath.Join(w.home, "m")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(w.env(), "M="+dir, "B="+bin)
	return cmd
}

func TestOutputOnAFullDisk(t *testing.T) {
	w := newWorld(t)
	code, out, errs := ended(t, w.mounted(t, `
		mount -t tmpfs -o size=64k tmpfs "$M"
		echo old > "$M/out"
		dd if=/dev/zero of="$M/fill" bs=1k count=999 2>/dev/null || true
		code=0
		"$B/outrider" run --output "$M/out" hello.greet --name "$(head -c 9000 /dev/zero | tr '\0' x)" > "$M/../stdout" || code=$?
		cat "$M/out"; ls -A "$M"; tail -c 4 "$M/../stdout"
		exit $code`))
	if code != 1 || !strings.Contains(errs, "output_undelivered") || !strings.Contains(errs, "no space left") {
		t.Errorf("exit %d\n%s", code, errs)
	}
	if out != "old\nfill\nout\n!\"}\n" {
		t.Errorf("the old file, nothing beside it, and the outputs on stdout; got %q", out)
	}
}

func TestReadOnlyStateFolder(t *testing.T) {
	w := newWorld(t)
	code, out, errs := ended(t, w.mounted(t, `
		mount -t tmpfs -o ro tmpfs "$M"
		OUTRIDER_STATE="$M/state" "$B/outrider" run hello.greet --name you`))
	if code != 0 || out != "{\"message\":\"Hello, you!\"}\n" {
		t.Errorf("exit %d, stdout %q\n%s", code, out, errs)
	}
	if !strings.Contains(errs, "read-only file system") {
		t.Errorf("no warning:\n%s", errs)
	}
}

// TestParamsFromAStdinThatNeverEnds is --params - under an engine: Digdag's stdin
// is a pipe that gives neither data nor an end.
func TestParamsFromAStdinThatNeverEnds(t *testing.T) {
	w := newWorld(t)
	r, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = held.Close() }()
	cmd := w.cmd("run", "--engine", "digdag", "--params", "-", "hello.greet")
	cmd.Stdin = r
	code, _, errs := ended(t, cmd)
	if code != 2 || !strings.Contains(errs, "stdin did not end within 10s; under digdag give a file or use --set") {
		t.Errorf("exit %d\n%s", code, errs)
	}
}

// TestRunIDsSortByTime compares the ids of runs made one after the other.
func TestRunIDsSortByTime(t *testing.T) {
	w := newWorld(t)
	last := ""
	for range 5 {
		_, out, errs := ended(t, w.cmd("run", "probe.end", "--kind", "ok"))
		_, rest, ok := strings.Cut(out, `"key":"`)
		if !ok || len(rest) < 26 {
			t.Fatalf("no id in %q\n%s", out, errs)
		}
		if id := rest[:26]; id <= last {
			t.Errorf("%s is not after %s", id, last)
		} else {
			last = id
		}
	}
}
