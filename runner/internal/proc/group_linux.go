package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// groupLives reports whether a process of the group runs. Zombies do not count:
// in a container whose first process collects none they stay for ever.
func groupLives(pgid int) bool {
	if unix.Kill(-pgid, 0) != nil {
		return false
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return true // no /proc to ask
	}
	group := []byte(strconv.Itoa(pgid))
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// PID (NAME) STATE PPID PGRP …, and the name may hold anything.
		f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(f) > 2 && bytes.Equal(f[2], group) && !bytes.ContainsAny(f[0], "ZX") {
			return true
		}
	}
	return false
}
