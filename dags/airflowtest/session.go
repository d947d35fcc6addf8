package airflowtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// killSession kills all processes of a session and waits for their end.
func killSession(ctx context.Context, sid int) error {
	err := poll(ctx, func() (bool, error) {
		left, err := session(sid)
		for _, pid := range left {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return false, err
			}
		}
		return len(left) == 0, err
	})
	if err != nil {
		err = fmt.Errorf("kill session %d: %w", sid, err)
	}
	return err
}

// session lists the processes of a session that have not ended.
func session(sid int) ([]int, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		p, err := stat(pid)
		if err == nil && p.session == sid && !p.zombie {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// status is what the kernel tells of a process.
type status struct {
	zombie          bool
	parent, session int
}

// stat reads PID (COMM) STATE PPID PGRP SESSION …, where COMM may hold anything
// (proc(5)).
func stat(pid int) (s status, err error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return s, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 4 {
		return s, fmt.Errorf("process %d: stat is %q", pid, text)
	}
	s.zombie = string(fields[0]) == "Z"
	if s.parent, err = strconv.Atoi(string(fields[1])); err != nil {
		return s, err
	}
	s.session, err = strconv.Atoi(string(fields[3]))
	return s, err
}
