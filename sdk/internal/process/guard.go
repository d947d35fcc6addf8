package process

import (
	"bytes"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// maxLine is where a line without an end is cut.
	maxLine = 64 << 10
	// maxEarly is how much of what was printed before the run began is kept.
	maxEarly = 1 << 20
)

// guard stands behind descriptor 1. go-plugin takes the first line on it for
// the handshake and stops reading at a line of 64 KiB, so nothing but the
// handshake may reach the host: all else goes through a pipe to the log.
type guard struct {
	real *os.File // the host's end, for the handshake
	fd1  *os.File // the pipe, as os.Stdout
	fd2  *os.File // kept so that no finalizer closes it while it is replaced
	read int
	rest *os.File // owns read

	mu    sync.Mutex
	buf   []byte
	line  []byte
	early []string
	kept  int
	lost  int
	sink  func(line string)
}

// guardStdout returns nil where it cannot work; the plugin then runs unguarded.
func guardStdout() *guard {
	out, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil
	}
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		unix.Close(out)
		return nil
	}
	syscall.CloseOnExec(pipe[0])
	// Only the read end must not block: children print on the other.
	syscall.SetNonblock(pipe[0], true)
	if err := unix.Dup2(pipe[1], 1); err != nil {
		unix.Close(pipe[0])
		unix.Close(pipe[1])
		unix.Close(out)
		return nil
	}
	unix.Close(pipe[1])
	g := &guard{
		real: os.NewFile(uintptr(out), "stdout"),
		fd1:  os.Stdout,
		fd2:  os.Stderr,
		read: pipe[0],
		rest: os.NewFile(uintptr(pipe[0]), "stdout guard"),
	}
	go g.drain()
	return g
}

// drain reads for the life of the process.
func (g *guard) drain() {
	conn, err := g.rest.SyscallConn()
	if err != nil {
		return
	}
	for {
		closed := false
		err := conn.Read(func(uintptr) bool {
			g.mu.Lock()
			defer g.mu.Unlock()
			var n int
			n, closed = g.readOnce()
			return n > 0 || closed
		})
		if err != nil || closed {
			return
		}
	}
}

// readOnce takes what one read gives; the caller holds the lock.
func (g *guard) readOnce() (n int, closed bool) {
	if g.buf == nil {
		g.buf = make([]byte, maxLine)
	}
	for {
		n, err := syscall.Read(g.read, g.buf)
		switch {
		case err == syscall.EINTR:
			continue
		case err != nil:
			return 0, err != syscall.EAGAIN
		case n == 0:
			return 0, true
		}
		g.split(g.buf[:n])
		return n, false
	}
}

func (g *guard) split(b []byte) {
	for len(b) > 0 {
		end := bytes.IndexByte(b, '\n')
		part := b
		if end >= 0 {
			part = b[:end]
		}
		if room := maxLine - len(g.line); len(part) > room {
			g.line = append(g.line, part[:room]...)
			b = b[room:]
			g.emit()
			continue
		}
		g.line = append(g.line, part...)
		if end < 0 {
			return
		}
		g.emit()
		b = b[end+1:]
	}
}

func (g *guard) emit() {
	line := string(bytes.TrimSuffix(g.line, []byte{'\r'}))
	g.line = g.line[:0]
	switch {
	case g.sink != nil:
		g.sink(line)
	case g.kept+len(line) > maxEarly:
		g.lost++
	default:
		g.kept += len(line)
		g.early = append(g.early, line)
	}
}

// Printed hands every line that reaches descriptor 1 to sink, those before the
// call first, and makes os.Stdout and os.Stderr, which go-plugin replaced, the
// descriptors 1 and 2 again.
// lost is how many lines were too much to keep. sink is called by one goroutine
// at a time.
func Printed(sink func(line string)) (lost int) {
	if stdout == nil {
		return 0
	}
	os.Stdout, os.Stderr = stdout.fd1, stdout.fd2
	stdout.mu.Lock()
	defer stdout.mu.Unlock()
	for _, line := range stdout.early {
		sink(line)
	}
	stdout.early, stdout.sink = nil, sink
	return stdout.lost
}

// FlushPrinted returns when the sink has all that was printed before the call,
// a line without an end included.
func FlushPrinted() {
	if stdout == nil {
		return
	}
	stdout.mu.Lock()
	defer stdout.mu.Unlock()
	for {
		if n, closed := stdout.readOnce(); n == 0 || closed {
			break
		}
	}
	if len(stdout.line) > 0 {
		stdout.emit()
	}
}
