package db

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// asidePatience is for how long the other processes that have a damaged file open
// are awaited.
const asidePatience = 3 * time.Second

// moveAside closes the database and renames its file, which was opened as file,
// with the two that belong to it, and says so in an error. It leaves the file
// where it is while another process has it open, and a new one that another
// process has begun.
func (d *DB) moveAside(path string, file os.FileInfo) error {
	_ = d.sql.Close() // it is damaged
	defer d.lock.Close()
	if err := flockAlone(d.lock); err != nil {
		return fmt.Errorf("%s is left where it is, because other processes have it open: stop them and try again, or restore a backup (%w)", path, err)
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(now, file) {
		return fmt.Errorf("another process has moved %s aside, to %s.damaged-TIME", path, path)
	}
	to := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	// The file itself goes last: with a new one in its place, what is left of the
	// old -wal would be taken for part of that.
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+suffix, to+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("move it aside: %w", err)
		}
	}
	return fmt.Errorf("%s is now %s: the next call begins anew at %s; what can be had of the old one prints: sqlite3 %s .recover", path, to, path, to)
}

// flockAlone waits a moment until nobody else holds the lock.
func flockAlone(f *os.File) error {
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		err := flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || time.Since(start) > asidePatience {
			return err
		}
	}
}
