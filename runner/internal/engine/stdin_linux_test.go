package engine

import (
	"encoding/json"
	"fmt"
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

// left is what a host that left its stdin alone has open, and what a child of it
// has: descriptors and where they lead.
type left struct {
	Child        int
	Host, Childs map[int]string
	CloseOnExec  map[int]bool
}

// playLeaver leaves its stdin alone, starts a child that stays longer than itself
// and reports.
func playLeaver() error {
	e := Detect(Name(os.Args[1]), os.Getenv, Ancestors())
	if err := e.LeaveStdin(); err != nil {
		return err
	}
	child := exec.Command("sleep", "1000")
	child.Stdin = os.Stdin
	if err := child.Start(); err != nil {
		return err
	}
	l := left{Child: child.Process.Pid, CloseOnExec: map[int]bool{}}
	var err error
	if l.Host, err = links(os.Getpid()); err != nil {
		return err
	}
	if l.Childs, err = links(l.Child); err != nil {
		return err
	}
	for fd := range l.Host {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		l.CloseOnExec[fd] = err == nil && flags&unix.FD_CLOEXEC != 0
	}
	if err := json.NewEncoder(os.NewFile(3, "report")).Encode(l); err != nil {
		return err
	}
	return stay()
}

func links(pid int) (map[int]string, error) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	to := map[int]string{}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			return nil, err
		}
		if link, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			to[n] = link
		}
	}
	return to, nil
}

// leaver starts a host with stdin and waits until it has left that alone.
func leaver(t *testing.T, asked Name, stdin *os.File, env ...string) (*exec.Cmd, left) {
	t.Helper()
	cmd := exec.Command(executable(t), string(asked))
	cmd.Env = append(append(os.Environ(), play+"=leaver"), env...)
	reports, report := pipes(t)
	cmd.Stdin, cmd.ExtraFiles = stdin, []*os.File{report}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, _ = report.Close(), stdin.Close()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if err := reports.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	var l left
	if err := json.NewDecoder(reports).Decode(&l); err != nil {
		t.Fatal(err)
	}
	endAfter(t, l.Child)
	return cmd, l
}

// socketpair is Airflow 3's stdin of a task: peer is the supervisor's end.
func socketpair(t *testing.T) (peer int, stdin *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fds[0]) })
	return fds[0], os.NewFile(uintptr(fds[1]), "stdin")
}

// TestAirflow3sSocketIsLeftAlone: null on descriptor 0, here and in children; one
// duplicate that they do not get and nobody reads; the peer sees its end when the
// host is dead, and not when a child is.
func TestAirflow3sSocketIsLeftAlone(t *testing.T) {
	peer, stdin := socketpair(t)
	socket, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", stdin.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	host, l := leaver(t, "", stdin, airflowVars()...)
	if l.Host[0] != os.DevNull || l.Childs[0] != os.DevNull {
		t.Errorf("descriptor 0 is %s, a child's %s", l.Host[0], l.Childs[0])
	}
	kept := 0
	for fd, to := range l.Host {
		if to != socket {
			continue
		}
		kept++
		if !l.CloseOnExec[fd] || fd < 3 {
			t.Errorf("descriptor %d is the socket and goes to children", fd)
		}
	}
	if kept != 1 {
		t.Errorf("%d duplicates, want one: %v", kept, l.Host)
	}
	for fd, to := range l.Childs {
		if strings.HasPrefix(to, "socket:") {
			t.Errorf("a child has %s at %d", to, fd)
		}
	}
	if n, err := unix.Read(peerOf(t, peer), make([]byte, 1)); err != unix.EAGAIN {
		t.Errorf("while the host lives its peer reads %d, %v", n, err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if n := awaitEnd(t, peer); n != 0 {
		t.Errorf("the peer reads %d bytes", n)
	}
	if syscall.Kill(l.Child, 0) != nil {
		t.Error("the child should live: its end is not what the peer waits for")
	}
}

// peerOf makes reads of fd return at once.
func peerOf(t *testing.T, fd int) int {
	t.Helper()
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	return fd
}

// awaitEnd waits until fd has something to read or has ended.
func awaitEnd(t *testing.T, fd int) int {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(time.Minute.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if n != 1 || err != nil {
			t.Fatalf("no end: %v", err)
		}
		n, err = unix.Read(fd, make([]byte, 9))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
}

// TestAirflow3sSocketIsNotRead: what the supervisor sends stays where it is.
func TestAirflow3sSocketIsNotRead(t *testing.T) {
	peer, stdin := socketpair(t)
	if _, err := unix.Write(peer, []byte("request")); err != nil {
		t.Fatal(err)
	}
	leaver(t, "", stdin, airflowVars()...)
	unread, err := unix.IoctlGetInt(peer, unix.SIOCOUTQ)
	if err != nil || unread == 0 {
		t.Errorf("%d bytes are unread, %v", unread, err)
	}
	if n, err := unix.Read(peerOf(t, peer), make([]byte, 1)); err != unix.EAGAIN {
		t.Errorf("the peer got %d bytes, %v", n, err)
	}
}

// TestOtherStdinIsPassedOn: anything else is ordinary input.
func TestOtherStdinIsPassedOn(t *testing.T) {
	_, socket := socketpair(t)
	pipe, _ := pipes(t)
	for name, c := range map[string]struct {
		asked Name
		stdin *os.File
		env   []string
	}{
		"a socket under Digdag": {Digdag, socket, nil},
		"Airflow 2's pipe":      {"", pipe, airflowVars("AIRFLOW_CTX_EXECUTION_DATE=x")},
	} {
		t.Run(name, func(t *testing.T) {
			want, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", c.stdin.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			if _, l := leaver(t, c.asked, c.stdin, c.env...); l.Host[0] != want || l.Childs[0] != want {
				t.Errorf("descriptor 0 is %s, a child's %s, want %s", l.Host[0], l.Childs[0], want)
			}
		})
	}
}
