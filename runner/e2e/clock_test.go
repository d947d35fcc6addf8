package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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

// TestClockJump moves the wall clock under a run: its timeout neither fires early
// nor waits for the clock to catch up, and its duration stays true.
func TestClockJump(t *testing.T) {
	for by, c := range map[string]struct {
		args []string
		exit int
		says string
	}{
		"+10d": {[]string{"--timeout", "60s", "--idle-timeout", "60s"}, 143, "cancelled"},
		"-10d": {[]string{"--timeout", "4s"}, 124, "timed_out"},
	} {
		t.Run(by, func(t *testing.T) {
			w := newWorld(t)
			mark := w.fifo(t, "mark")
			cmd := w.cmd(append(append([]string{"run"}, c.args...), "probe.stay", "--mark", mark)...)
			jump := w.underClock(t, cmd)
			var errs bytes.Buffer
			cmd.Stderr = &errs
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			pidFrom(t, mark)
			jump(by)
			if c.exit == 143 {
				// Give a timer that follows the wall clock the time to fire.
				time.Sleep(time.Second)
				if err := cmd.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
				c.exit = 130
			}
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != c.exit || !strings.Contains(errs.String(), c.says) {
				t.Errorf("exit %d, want %d\n%s", got, c.exit, errs.String())
			}
		})
	}
}

var tookField = regexp.MustCompile(`took=(\S+)`)

// TestClockJumpLeavesDurationsTrue reads the duration that a run reports.
func TestClockJumpLeavesDurationsTrue(t *testing.T) {
	w := newWorld(t)
	mark := w.fifo(t, "mark")
	cmd := w.cmd("run", "probe.stay", "--mark", mark, "--for", "300ms")
	jump := w.underClock(t, cmd)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidFrom(t, mark)
	jump("-10d")
	_ = cmd.Wait()
	m := tookField.FindStringSubmatch(errs.String())
	if m == nil {
		t.Fatalf("no duration:\n%s", errs.String())
	}
	if d, err := time.ParseDuration(m[1]); err != nil || d <= 0 || d > time.Hour {
		t.Errorf("took %s, %v", m[1], err)
	}
}
