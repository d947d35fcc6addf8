package engine

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Ancestors returns this process and those above it, up to init or to one that
// may not be looked at.
func Ancestors() []Process {
	var line []Process
	for pid := os.Getpid(); pid > 0 && len(line) < 64; {
		p, ok := process(pid)
		if !ok {
			break
		}
		line = append(line, p)
		pid = p.PPID
	}
	return line
}

// process reads /proc/PID/stat, PID (COMM) STATE PPID PGRP SESSION …, where COMM
// may hold spaces and brackets (proc(5)).
func process(pid int) (Process, bool) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := read(dir + "/stat")
	if err != nil {
		return Process{}, false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 4 {
		return Process{}, false
	}
	p := Process{PID: pid}
	p.PPID, _ = strconv.Atoi(fields[1])
	p.SID, _ = strconv.Atoi(fields[3])
	if cmd, err := read(dir + "/cmdline"); err == nil && len(cmd) > 0 {
		p.Argv = strings.Split(strings.TrimSuffix(string(cmd), "\x00"), "\x00")
	}
	return p, true
}

// read reads a file of /proc without what os.ReadFile does for files that can
// block: it runs at every start.
func read(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(fd) }()
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return all, err
		}
		all = append(all, buf[:n]...)
	}
}
