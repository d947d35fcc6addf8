package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// watched is one thing whose end means that the engine is gone.
type watched struct {
	fd     int
	events int16
	owned  bool // fd is closed with the watch
	why    string
}

// Gone tells on a channel, once, why the engine is gone: one of its processes has
// ended, or the far end of a pipe that is the engine's has closed. It reads and
// writes nothing. Without an engine the channel never speaks. The watch ends with
// ctx.
func (e Engine) Gone(ctx context.Context) (<-chan error, error) {
	said := make(chan error, 1)
	list, err := e.watchList()
	if errors.Is(err, unix.ESRCH) {
		said <- err
		return said, nil
	}
	if err != nil || len(list) == 0 {
		return said, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		closeAll(list)
		return said, fmt.Errorf("watch the engine: %w", err)
	}
	woken := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(woken)
		_, _ = unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	})
	go func() {
		defer func() {
			if !stop() {
				<-woken // it writes to wake, which must still be ours
			}
			_ = unix.Close(wake)
		}()
		defer closeAll(list)
		if why := poll(list, wake); why != nil {
			said <- why
		}
	}()
	return said, nil
}

// watchList opens what is to be watched.
func (e Engine) watchList() ([]watched, error) {
	var list []watched
	for _, pid := range e.above {
		fd, err := unix.PidfdOpen(pid, 0)
		why := fmt.Sprintf("%s's process %d has ended", e.Name, pid)
		if err != nil {
			closeAll(list)
			return nil, fmt.Errorf("watch %s's process %d: %w", e.Name, pid, err)
		}
		list = append(list, watched{fd: fd, events: unix.POLLIN, owned: true, why: why})
	}
	for _, fd := range []int{1, 2} {
		// POLLERR on the write end says that nobody can read any more; it is
		// reported without being asked for.
		if e.owns(fd) {
			list = append(list, watched{fd: fd, why: fmt.Sprintf("%s closed the pipe of descriptor %d", e.Name, fd)})
		}
	}
	// Airflow 3's descriptor 0 is a socket that must not be touched.
	if e.Name == Digdag && e.owns(0) && !hungUp(0) {
		list = append(list, watched{fd: 0, why: "digdag closed the pipe of descriptor 0"})
	}
	return list, nil
}

// owns reports whether descriptor fd is the same pipe here as in the process that
// the engine started. Any other pipe belongs to a shell's pipeline.
func (e Engine) owns(fd int) bool {
	if e.child == 0 {
		return false
	}
	var here, there unix.Stat_t
	if unix.Fstat(fd, &here) != nil || here.Mode&unix.S_IFMT != unix.S_IFIFO {
		return false
	}
	if e.child == os.Getpid() {
		return true
	}
	path := "/proc/" + strconv.Itoa(e.child) + "/fd/" + strconv.Itoa(fd)
	return unix.Stat(path, &there) == nil && here.Dev == there.Dev && here.Ino == there.Ino
}

func hungUp(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd)}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n > 0 && fds[0].Revents&unix.POLLHUP != 0
}

// poll waits until one of list is over, or wake can be read: then it returns nil.
func poll(list []watched, wake int) error {
	fds := make([]unix.PollFd, 0, len(list)+1)
	for _, w := range list {
		fds = append(fds, unix.PollFd{Fd: int32(w.fd), Events: w.events})
	}
	fds = append(fds, unix.PollFd{Fd: int32(wake), Events: unix.POLLIN})
	for {
		if _, err := unix.Poll(fds, -1); err != nil {
			if errors.Is(err, unix.EINTR) {
				continue
			}
			return nil
		}
		if fds[len(list)].Revents != 0 {
			return nil
		}
		for i, w := range list {
			if fds[i].Revents&(unix.POLLERR|unix.POLLHUP|w.events) != 0 {
				return errors.New(w.why)
			}
		}
	}
}

func closeAll(list []watched) {
	for _, w := range list {
		if w.owned {
			_ = unix.Close(w.fd)
		}
	}
}

// LeaveStdin puts null on descriptor 0 where that is Airflow 3's socket to its
// supervisor, which nothing may read or write. The duplicate stays open, unread
// and out of children's sight, until this process ends: Airflow reports a task as
// failed when the last holder has closed it, and so not before the group is dead.
func (e Engine) LeaveStdin() error {
	var st unix.Stat_t
	if e.Name != Airflow || unix.Fstat(0, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil
	}
	if _, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 10); err != nil {
		return fmt.Errorf("keep airflow's socket: %w", err)
	}
	null, err := unix.Open(os.DevNull, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer func() { _ = unix.Close(null) }()
	if err := unix.Dup3(null, 0, 0); err != nil {
		return fmt.Errorf("put %s on descriptor 0: %w", os.DevNull, err)
	}
	return nil
}
