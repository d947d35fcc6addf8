package command

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// heldBy says who holds the pipes that have not ended after a wait, in one line. Without
// /proc, or when they belong to another user, it cannot name them.
func (p *pipes) heldBy(waited time.Duration) string {
	open := p.open()
	var names []string
	want := map[string]bool{}
	for _, i := range open {
		names = append(names, pipeNames[i])
		if link, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", p.fd(i))); err == nil {
			want[link] = true
		}
	}
	who := strings.Join(holders(want), ", ")
	if who == "" {
		who = "a process that cannot be named"
	}
	return fmt.Sprintf("the command ended, but %s still open after %s: held by %s; not waiting any longer",
		are(names), waited, who)
}

func are(names []string) string {
	verb := " is"
	if len(names) > 1 {
		verb = " are"
	}
	return strings.Join(names, ", ") + verb
}

// fd is the number of a pipe's read end. File.Fd would make it a blocking one.
func (p *pipes) fd(i int) int {
	n := -1
	if conn, err := p.all[i].r.SyscallConn(); err == nil {
		conn.Control(func(fd uintptr) { n = int(fd) })
	}
	return n
}

// holders lists the other processes that have one of the pipes open.
func holders(pipes map[string]bool) []string {
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*") // what may not be read is left out
	var out []string
	seen := map[string]bool{strconv.Itoa(os.Getpid()): true}
	for _, fd := range fds {
		pid := strings.Split(fd, "/")[2]
		if seen[pid] {
			continue
		}
		if link, err := os.Readlink(fd); err != nil || !pipes[link] {
			continue
		}
		seen[pid] = true
		name, _ := os.ReadFile("/proc/" + pid + "/comm")
		out = append(out, fmt.Sprintf("%s (pid %s)", strings.ToValidUTF8(strings.TrimSpace(string(name)), "?"), pid))
	}
	return out
}
