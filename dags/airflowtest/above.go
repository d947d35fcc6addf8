package airflowtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Above are Airflow's processes above one of a running task.
type Above struct {
	// Child is what Airflow started: the shell of a BashOperator.
	Child int
	// Task is the process that runs the operator, Supervisor the one above it.
	Task, Supervisor int
}

// FindAbove finds what is above process pid of a BashOperator, which gives its
// shell a session of its own.
func FindAbove(pid int) (Above, error) {
	session := 0
	for a := (Above{Child: pid}); ; {
		ppid, sid, err := stat(a.Child)
		if err != nil {
			return a, fmt.Errorf("look above process %d: %w", pid, err)
		}
		if session == 0 {
			session = sid
		}
		if ppid <= 1 {
			return a, fmt.Errorf("look above process %d: %w", pid, errors.New("it has no task process, or no longer"))
		}
		if _, sid, err = stat(ppid); err != nil {
			return a, fmt.Errorf("look above process %d: %w", pid, err)
		}
		if sid != session {
			a.Task = ppid
			a.Supervisor, _, err = stat(a.Task)
			return a, err
		}
		a.Child = ppid
	}
}

// stat reads a process's parent and session: PID (COMM) STATE PPID PGRP SESSION …,
// where COMM may hold anything (proc(5)).
func stat(pid int) (ppid, sid int, err error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 4 {
		return 0, 0, fmt.Errorf("process %d: stat is %q", pid, text)
	}
	ppid, err = strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0, 0, err
	}
	sid, err = strconv.Atoi(string(fields[3]))
	return ppid, sid, err
}
