package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestStopAsksWhatIsLeftBehind: CMD ends at once; a child that the signal does not
// reach, or that a shell has made deaf to it, says that it was asked and ends too.
func TestStopAsksWhatIsLeftBehind(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lets a process adopt")
	}
	for name, c := range map[string]struct {
		how string
		sig syscall.Signal
	}{
		"in another session":   {"setsid", syscall.SIGTERM},
		"SIGTERM in the group": {"", syscall.SIGTERM},
		"SIGINT in the group":  {"", syscall.SIGINT},
	} {
		t.Run(name, func(t *testing.T) {
			r := guarded(t, "--lifeline", "3", "--", "sh", "-c", `trap 'exit 5' TERM INT
				`+c.how+` sh -c 'trap "echo asked; exit" TERM; echo ready; while :; do sleep 0.01; done' 2>/dev/null &
				while :; do sleep 0.01; done`)
			r.read()
			if err := r.cmd.Process.Signal(c.sig); err != nil {
				t.Fatal(err)
			}
			if got := r.rest(); got != "asked\n" {
				t.Errorf("printed %q", got)
			}
			if got := r.code(); got != 5 {
				t.Errorf("exit %d", got)
			}
		})
	}
}

// TestStopWaitsForTheDeaf: the guard is there as long as they are, so that the
// host can have them killed, and still tells CMD's own exit.
func TestStopWaitsForTheDeaf(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux lets a process adopt")
	}
	for name, how := range map[string]string{"in the group": "", "in another session": "setsid"} {
		t.Run(name, func(t *testing.T) {
			r := guarded(t, "--lifeline", "3", "--", "sh", "-c", `trap 'exit 5' TERM
				`+how+` sh -c 'trap "" TERM; echo ready; exec sleep 1000' &
				echo $$
				while :; do sleep 0.01; done`)
			pid := 0
			for range 2 { // in either order
				if line := r.read(); line != "ready" {
					pid, _ = strconv.Atoi(line)
				}
			}
			if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			for end := time.Now().Add(hang); syscall.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatal("CMD did not end")
				}
			}
			if _, err := r.line.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
			r.rest()
			if got := r.code(); got != 5 {
				t.Errorf("exit %d", got)
			}
		})
	}
}

// TestWithoutAStopTheRestIsLeftAlone is what a shell does.
func TestWithoutAStopTheRestIsLeftAlone(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r := guarded(t, "--lifeline", "3", "--", "sh", "-c", `(read -r line < "$0"; echo "$line") 2>/dev/null & exit 6`, fifo)
	if got := r.code(); got != 6 {
		t.Errorf("exit %d", got)
	}
	if err := os.WriteFile(fifo, []byte("lives\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := r.rest(); got != "lives\n" {
		t.Errorf("printed %q", got)
	}
}

func TestLiveDescriptorIsNotHandedOn(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	r := guarded(t, "--live", "3", "--", "sh", "-c", `ls -l /proc/$$/fd`)
	if fds := r.rest(); strings.Contains(fds, " 3 -> ") || !strings.Contains(fds, " 1 -> ") {
		t.Errorf("descriptors %s", fds)
	}
	r.code()
}
