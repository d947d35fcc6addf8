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

// moveAside renames the file of the database, which was opened as file, with the
// two that belong to it, closes the database and says in an error where it is. It
// leaves the file where it is while another process has it open, and a new one
// that another process has begun.
func (d *DB) moveAside(path string, file os.FileInfo) error {
	defer func() {
		// Not before it is moved: SQLite would clear up -wal, as it does where a file
		// still has its name.
		_ = d.sql.Close()
		_ = d.lock.Close()
		d.lock = nil
	}()
	if err := flockAlone(d.lock); err != nil {
		return fmt.Errorf("it is left where it is, because other processes have it open: end them and try again, then it is moved aside (%w)", err)
	}
	if now, err := os.Stat(path); err != nil || !os.SameFile(now, file) {
		return errors.New("another process has moved it aside, to " + path + ".damaged-TIME; the next start begins anew")
	}
	to := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000Z")
	// The file itself goes last: with a new one in its place, what is left of the
	// old -wal would be taken for part of that.
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+suffix, to+suffix); err != nil && (suffix == "" || !errors.Is(err, fs.ErrNotExist)) {
			return fmt.Errorf("it could not be moved aside: %w", err)
		}
	}
	return fmt.Errorf("it has been moved aside to %s; the next start begins anew at %s, or put a backup there;"+
		" what can be had of the old one: sqlite3 %s .recover", to, path, to)
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
