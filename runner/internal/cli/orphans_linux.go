package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/outrider-run/outrider/sdk/protocol"
)

// orphans lists processes that a host started and that outlived it: they carry a
// run's folder below dir in their environment and were handed to init.
func orphans(dir string) []string {
	mark := []byte("\x00" + protocol.RunDirEnv + "=" + dir + "/")
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var out []string
	for _, stat := range stats {
		env, err := os.ReadFile(filepath.Join(filepath.Dir(stat), "environ"))
		if err != nil || !bytes.Contains(append([]byte{0}, env...), mark) {
			continue
		}
		text, err := os.ReadFile(stat)
		if err != nil {
			continue
		}
		// PID (COMM) STATE PPID …; COMM may hold spaces and brackets (proc(5)).
		_, rest, ok := bytes.Cut(text[bytes.LastIndexByte(text, ')')+1:], []byte(" "))
		fields := bytes.Fields(rest)
		if !ok || len(fields) < 2 {
			continue
		}
		if ppid, err := strconv.Atoi(string(fields[1])); err == nil && ppid == 1 {
			cmd, _ := os.ReadFile(filepath.Join(filepath.Dir(stat), "cmdline"))
			out = append(out, fmt.Sprintf("process %s outlived its host: %s", filepath.Base(filepath.Dir(stat)), bytes.ReplaceAll(bytes.TrimRight(cmd, "\x00"), []byte{0}, []byte(" "))))
		}
	}
	return out
}
