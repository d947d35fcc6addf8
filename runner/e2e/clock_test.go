package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// underClock makes cmd's program see a wall clock that the returned function
// moves while it runs. The host is static, so no preload reaches its clock; an
// emulator's libc does, and the plugin it starts runs natively.
func (w world) underClock(t *testing.T, cmd *exec.Cmd) (jump func(offset string)) {
	t.Helper()
	emulator, err := exec.LookPath("qemu-x86_64")
	if err != nil {
		t.Fatalf("qemu-user is missing (make deps installs it): %v", err)
	}
	libs, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
	if err != nil || len(libs) == 0 {
		t.Fatalf("faketime is missing (make deps installs it): %v", err)
	}
	offset := filepath.Join(w.home, "clock")
	jump = func(by string) {
		if err := os.WriteFile(offset, []byte(by+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	jump("+0")
	cmd.Args = append([]string{emulator, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = emulator
	cmd.Env = append(cmd.Env, "LD_PRELOAD="+libs[0], "FAKETIME_TIMESTAMP_FILE="+offset,
		"FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1")
	return jump
}

// TestClockJumpBack shows that a timeout does not wait for the clock to catch up.
func TestClockJumpBack(t *testing.T) {
	w := newWorld(t)
	mark := w.fifo(t, "mark")
	cmd := w.cmd("run", "--timeout", "4s", "probe.stay", "--mark", mark)
	jump := w.underClock(t, cmd)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidFrom(t, mark)
	jump("-10d")
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 124 {
		t.Errorf("exit %d, want 124\n%s", got, errs.String())
	}
}

// TestClockJumpAhead shows that no timeout fires because the clock moved, and
// that the duration which the run reports stays true.
func TestClockJumpAhead(t *testing.T) {
	w := newWorld(t)
	mark := w.fifo(t, "mark")
	cmd := w.cmd("run", "--timeout", "1h", "--idle-timeout", "1h", "probe.stay", "--mark", mark, "--for", "300ms")
	jump := w.underClock(t, cmd)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidFrom(t, mark)
	jump("+10d")
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 0 {
		t.Fatalf("exit %d\n%s", got, errs.String())
	}
	m := tookField.FindStringSubmatch(errs.String())
	if m == nil {
		t.Fatalf("no duration:\n%s", errs.String())
	}
	if d, err := time.ParseDuration(m[1]); err != nil || d <= 0 || d > time.Hour {
		t.Errorf("took %s, %v", m[1], err)
	}
}

var tookField = regexp.MustCompile(`took=(\S+)`)
