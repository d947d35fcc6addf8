package engine

import (
	"bytes"
	"os"
	"strconv"
	"strings"
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
	stat, err := os.ReadFile(dir + "/stat")
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
	if cmd, err := os.ReadFile(dir + "/cmdline"); err == nil && len(cmd) > 0 {
		p.Argv = strings.Split(strings.TrimSuffix(string(cmd), "\x00"), "\x00")
	}
	return p, true
}
