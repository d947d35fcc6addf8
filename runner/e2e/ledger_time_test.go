package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/run"
)

// TestClocksStealNoLock moves the clock of who asks for a lock, and of who holds it,
// by an hour: on SQLite the kernel knows who lives, on PostgreSQL its own clock does.
func TestClocksStealNoLock(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { clocks(t, onSQLite(t), "0s") })
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		clocks(t, onPostgres(t), "27s") // longer than a lease
	})
}

// clocks has each who asks wait for so long before it gives up.
func clocks(t *testing.T, s store, wait string) {
	asked := 0
	ask := func(offset, wait string) {
		t.Helper()
		onBusy := []string{"--on-busy", "fail"}
		if wait != "0s" {
			onBusy = []string{"--wait-max", wait}
		}
		cmd := s.cmd(append(append([]string{"exec", "--lock", "a"}, onBusy...), "--", "echo", "stolen")...)
		if offset != "" {
			s.underClock(t, cmd)(offset)
		}
		if code, out, errs := ended(t, cmd); code != 75 || strings.Contains(out, "stolen") {
			t.Errorf("under a clock moved by %q: exit %d\n%s", offset, code, errs)
		}
		asked++
	}
	for _, holder := range []string{"", "+1h", "-1h"} {
		mark, release := s.fifo(t, "mark"+holder), s.fifo(t, "release"+holder)
		cmd := s.cmd("exec", "--lock", "a", "--label", "holder=x"+holder, "--", "sh", "-c", `printf %s $$ >"$0"; read -r _ <"$1"`, mark, release)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		var jump func(string)
		if holder != "" {
			// Its own file, which those who ask do not move.
			s := s
			s.home = filepath.Join(s.home, "holder"+holder)
			must(t, os.Mkdir(s.home, 0o700))
			jump = s.underClock(t, cmd)
		}
		must(t, cmd.Start())
		pidFrom(t, mark)
		if holder == "" {
			ask("+1h", "0s")
			ask("-1h", "0s")
		} else {
			jump(holder)
			if holder == "-1h" {
				ask("", wait)
			}
		}
		ask("", "0s")
		must(t, os.WriteFile(release, []byte("\n"), 0o600))
		_ = cmd.Wait() // the exit code is what counts
		if code := cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the holder under a clock moved by %q: exit %d\n%s", holder, code, errs.String())
		}
		if runs := labelled(t, s.open(t), "holder", "x"+holder); len(runs) != 1 || runs[0].State != run.Success {
			t.Errorf("%+v", runs)
		}
	}
	t.Logf("%d asked for a lock under moved clocks, 0 got it", asked)
}

// TestStoppedHolderLosesItsLock stops a host for longer than its lease. Another takes
// the lock; when the first goes on it is ended, and what it says is late.
func TestStoppedHolderLosesItsLock(t *testing.T) {
	t.Parallel()
	s := onPostgres(t)
	l := s.open(t)
	hold := func(name string) *started {
		mark := s.fifo(t, "mark-"+name)
		x := &started{cmd: s.cmd("run", "--lock", "a", "--label", "who="+name, "probe.body", "--file", filepath.Join(s.home, name), "--until", "--mark", mark)}
		x.cmd.Stderr = &x.stderr
		must(t, x.cmd.Start())
		x.plugin = pidFrom(t, mark)
		return x
	}
	first := hold("first")
	must(t, first.cmd.Process.Signal(syscall.SIGSTOP))
	began := time.Now()
	second := hold("second")
	waited := time.Since(began)
	must(t, first.cmd.Process.Signal(syscall.SIGCONT))
	if code := first.code(); code != 1 || !strings.Contains(first.stderr.String(), "lease_lost") {
		t.Errorf("the first: exit %d\n%s", code, first.stderr.String())
	}
	if alive(first.plugin) {
		t.Error("the first's plugin lives on")
	}
	one, two := labelled(t, l, "who", "first")[0], labelled(t, l, "who", "second")[0]
	if one.State != run.Lost || !strings.Contains(string(one.LateResult), "lease_lost") {
		t.Errorf("the first: %+v", one)
	}
	if two.State != run.Running || two.Token <= one.Token {
		t.Errorf("the second: %s, with token %d after %d", two.State, two.Token, one.Token)
	}
	if locks, err := l.Locks(t.Context()); err != nil || len(locks) != 1 || len(locks[0].Holders) != 1 || locks[0].Holders[0].Run != two.ID {
		t.Errorf("held by %+v, %v", locks, err)
	}
	must(t, second.cmd.Process.Signal(syscall.SIGTERM))
	if code := second.code(); code != 143 {
		t.Errorf("the second: exit %d\n%s", code, second.stderr.String())
	}
	code, out, errs := ended(t, s.cmd("run", "--lock", "a", "--label", "who=third", "probe.body", "--file", filepath.Join(s.home, "third")))
	var got struct{ Fence int64 }
	lastLine(t, out, &got)
	if three := labelled(t, l, "who", "third")[0]; code != 0 || got.Fence != three.Token || got.Fence <= two.Token {
		t.Errorf("the third: exit %d, fence %d, token %d after %d\n%s", code, got.Fence, three.Token, two.Token, errs)
	}
	t.Logf("taken over %s after the stop; tokens %d, %d, %d", waited.Round(time.Millisecond), one.Token, two.Token, got.Fence)
}
