package run

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// holders lists the processes but this one that have a pipe of the output open.
func (p *passage) holders() []holder {
	wanted := map[string]bool{}
	for _, l := range p.lanes {
		if ino, err := inode(l.from); err == nil {
			wanted[fmt.Sprintf("pipe:[%d]", ino)] = true
		}
	}
	procs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil || len(wanted) == 0 {
		return nil
	}
	var held []holder
	for _, dir := range procs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		fds, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil {
			continue
		}
		for _, fd := range fds {
			if to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err == nil && wanted[to] {
				name, _ := os.ReadFile(filepath.Join(dir, "comm"))
				held = append(held, holder{pid, string(bytes.TrimSpace(name))})
				break
			}
		}
	}
	return held
}
