package process

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// Grace is how long a task may clean up after the host is gone.
const Grace = 2 * time.Second

// ErrHostGone is why a task is cancelled when its host dies.
var ErrHostGone = errors.New("the host is gone")

// Lifeline is the read end of a pipe that only the host can write: its end of
// file means that the host is dead, however it died.
type Lifeline struct {
	gone chan struct{}
	held sync.WaitGroup
}

// Gone is closed when the host is dead.
func (l *Lifeline) Gone() <-chan struct{} {
	if l == nil {
		return nil
	}
	return l.gone
}

// Hold asks for the grace after the host's end; release gives it back early.
func (l *Lifeline) Hold() (release func()) {
	if l == nil {
		return func() {}
	}
	l.held.Add(1)
	return sync.OnceFunc(l.held.Done)
}

func watchHost() *Lifeline {
	fd, err := strconv.Atoi(os.Getenv(lifelineEnv))
	if err != nil || fd < 3 {
		return nil
	}
	syscall.CloseOnExec(fd)
	l := &Lifeline{gone: make(chan struct{})}
	dir := os.Getenv(runDirEnv)
	go func() {
		// The descriptor is shared with other children of the host, so it stays
		// a blocking one: the thread that this costs is what a process has free.
		var b [1]byte
		for {
			n, err := syscall.Read(fd, b[:])
			if err == syscall.EINTR || n > 0 {
				continue
			}
			if err != nil { // no lifeline at all
				return
			}
			break
		}
		close(l.gone)
		l.wait()
		end(dir)
	}()
	return l
}

func (l *Lifeline) wait() {
	done := make(chan struct{})
	go func() {
		l.held.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(Grace):
	}
}

// end removes the run's folder and kills this process with all that it started.
func end(dir string) {
	if filepath.IsAbs(dir) && filepath.Dir(dir) != dir {
		removed := make(chan struct{})
		go func() {
			os.RemoveAll(dir)
			close(removed)
		}()
		select {
		case <-removed:
		case <-time.After(Grace): // a file system that hangs, or very much to remove
		}
	}
	pid := os.Getpid()
	if syscall.Getpgrp() == pid {
		syscall.Kill(-pid, syscall.SIGKILL)
	}
	syscall.Kill(pid, syscall.SIGKILL)
}
