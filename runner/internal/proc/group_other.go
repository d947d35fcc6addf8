//go:build !linux

package proc

import "golang.org/x/sys/unix"

// groupLives reports whether a process of the group is there.
func groupLives(pgid int) bool { return unix.Kill(-pgid, 0) == nil }
