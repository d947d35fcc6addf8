package state

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// private reports why others than this user could change what is in path.
func private(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if uid := os.Getuid(); int(st.Uid) != uid && st.Uid != 0 {
		return fmt.Errorf("%s belongs to user %d, not to %d", path, st.Uid, uid)
	}
	if st.Mode&0o002 != 0 {
		return fmt.Errorf("%s can be written by every user: chmod o-w it", path)
	}
	return nil
}

func writable(path string) bool { return unix.Access(path, unix.W_OK|unix.X_OK) == nil }
