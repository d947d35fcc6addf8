package db

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// turnPatience is how long a writer keeps to the queue. Who is before it may have
// been stopped in the middle; SQLite itself then says who may write.
const turnPatience = 5 * time.Second

// turn waits until it is this writer's turn on a SQLite file, and returns how to give
// it up. SQLite's own way to wait is to sleep and ask again, so that who writes often
// leaves no gap for the others; a flock wakes them at once, in the order in which
// they came. It is a courtesy, and where it cannot be had a writer goes on without.
func (d *DB) turn(ctx context.Context) (done func()) {
	if d.Kind != SQLite {
		return func() {}
	}
	f, err := os.OpenFile(d.at+".turn", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return func() {}
	}
	over := func() { _ = f.Close() }
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		return over
	}
	mine := make(chan struct{})
	go func() {
		_ = flock(f, unix.LOCK_EX) // without it, too, it goes on
		close(mine)
	}()
	late := time.NewTimer(turnPatience)
	defer late.Stop()
	select {
	case <-mine:
		return over
	case <-ctx.Done():
	case <-late.C:
	}
	go func() { // it must not be closed under the one who waits
		<-mine
		over()
	}()
	return func() {}
}
