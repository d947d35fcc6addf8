package process

import (
	"os"
	"os/signal"
	"syscall"
)

// LeaveSignals makes this process deaf to the signals that end a terminal's or
// a service's processes: the host decides, through the protocol. They are
// caught and dropped, because what is ignored stays so in every child; what was
// ignored from the start, as under nohup, is to stay so. SIGPIPE is among them
// so that a dead host is noticed by the lifeline alone.
func LeaveSignals() {
	ch := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE} {
		if !signal.Ignored(s) {
			signal.Notify(ch, s)
		}
	}
	go func() {
		for range ch {
		}
	}()
}
