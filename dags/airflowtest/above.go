package airflowtest

import (
	"errors"
	"fmt"
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
		child, err := stat(a.Child)
		if err != nil {
			return a, fmt.Errorf("look above process %d: %w", pid, err)
		}
		if session == 0 {
			session = child.session
		}
		if child.parent <= 1 {
			return a, fmt.Errorf("look above process %d: %w", pid, errors.New("it has no task process, or no longer"))
		}
		parent, err := stat(child.parent)
		if err != nil {
			return a, fmt.Errorf("look above process %d: %w", pid, err)
		}
		if parent.session != session {
			a.Task, a.Supervisor = child.parent, parent.parent
			return a, nil
		}
		a.Child = child.parent
	}
}
