package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestKilledHostEndsItsCommand is SIGKILL to `outrider exec` itself: the guard sees
// to it that nothing of the command is left, deaf or in another session, and no
// folder.
func TestKilledHostEndsItsCommand(t *testing.T) {
	w := newWorld(t)
	mark := w.fifo(t, "mark")
	cmd := w.cmd("exec", "--", "sh", "-c", `trap "" TERM; setsid sleep 1000 & printf %s $$ >`+mark+`; wait; sleep 1000`)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pidFrom(t, mark)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	w.gone(t, soon)
	if entries, err := os.ReadDir(w.state() + "/tmp"); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

// terminal is a new one: what is typed and shown, and the side of programs.
func terminal(t *testing.T) (user, programs *os.File) {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	programs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = user.Close(), programs.Close() })
	return user, programs
}

// onTerminal starts cmd as the leader of a terminal, as a shell without job control
// is, and returns what reads all that is shown.
func onTerminal(t *testing.T, args ...string) (pid int, typed io.Writer, shown func() (int, string)) {
	t.Helper()
	user, programs := terminal(t)
	w := newWorld(t)
	cmd := w.cmd(args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = programs, programs, programs
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }) // a hang is a failure
	t.Cleanup(func() { late.Stop() })
	_ = programs.Close()
	return cmd.Process.Pid, user, func() (int, string) {
		var text bytes.Buffer
		// It ends with EIO when no program has the terminal open any more.
		if _, err := io.Copy(&text, user); err != nil && !errors.Is(err, syscall.EIO) {
			t.Error(err)
		}
		_ = cmd.Wait() // the exit code is what counts
		return cmd.ProcessState.ExitCode(), strings.ReplaceAll(text.String(), "\r\n", "\n")
	}
}

// TestTerminalIsTheCommands: the command has the terminal itself on all three
// descriptors, and stands in its foreground group.
func TestTerminalIsTheCommands(t *testing.T) {
	pid, _, shown := onTerminal(t, "exec", "--", "sh", "-c",
		`for fd in 0 1 2; do readlink /proc/$$/fd/$fd; done | sed 's:/[0-9]*$::'; read -r _ _ _ _ group _ _ front _ </proc/$$/stat; echo $group $front; exit 6`)
	code, text := shown()
	want := "/dev/pts\n/dev/pts\n/dev/pts\n" + fmt.Sprintf("%d %d\n", pid, pid)
	if code != 6 || text != want {
		t.Errorf("exit %d, shown\n%s, want\n%s", code, text, want)
	}
}

// interrupts counts the SIGINTs that it gets within half a second, however close.
const interrupts = `
import os, signal, sys, time
r, w = os.pipe()
os.set_blocking(w, False)
signal.signal(signal.SIGINT, lambda *_: None)
signal.set_wakeup_fd(w)
with open(sys.argv[1], "w") as f:
    f.write(str(os.getpid()))
n = len(os.read(r, 1))
time.sleep(0.5)
os.write(w, b".")
print(n + len(os.read(r, 9)) - 1)
sys.exit(7)`

// TestInterruptByKeyIsSentOnce: the terminal sends Ctrl-C to the whole group, and
// the host does not send it again.
func TestInterruptByKeyIsSentOnce(t *testing.T) {
	mark := newWorld(t).fifo(t, "mark")
	_, typed, shown := onTerminal(t, "exec", "--", "python3", "-c", interrupts, mark)
	pidFrom(t, mark)
	if _, err := typed.Write([]byte{3}); err != nil {
		t.Fatal(err)
	}
	code, text := shown()
	if code != 7 || !strings.HasPrefix(strings.TrimPrefix(text, "^C"), "1\n") {
		t.Errorf("exit %d, shown\n%s", code, text)
	}
}
