package term

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Streams are a process's own; stdout is data, stderr is talk.
type Streams struct {
	In, Out, Err *os.File
}

// Build is what the linker stamped.
type Build struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Built    string `json:"built"`
}

// Stop ends a context at the first signal that asks the program to end; the second one
// ends the program.
func Stop(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}
