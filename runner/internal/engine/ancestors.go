package engine

import (
	"path"
	"strings"
)

// Process is one process of the line from this host up to init.
type Process struct {
	PID, PPID, SID int
	Argv           []string
}

// script returns the id and the random part of the runner script in p's
// arguments: Digdag starts every sh>, py> and rb> task as
// SHELL… .digdag/tmp/digdag-KIND-ID-RAND/runner.EXT (facts, section 0).
func (p Process) script() (id, random string, ok bool) {
	for _, arg := range p.Argv {
		for part := range strings.SplitSeq(path.Dir(arg), "/") {
			rest, isTask := strings.CutPrefix(part, "digdag-")
			if !isTask {
				continue
			}
			fields := strings.SplitN(rest, "-", 3)
			if len(fields) == 3 && (fields[0] == "sh" || fields[0] == "py" || fields[0] == "rb") && number(fields[1]) {
				return fields[1], fields[2], true
			}
		}
	}
	return "", "", false
}

func number(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}

// digdagChild returns the place in line of the process that Digdag started: of
// those whose arguments hold the nearest runner script the last, for what stands
// between (outrider sh, its guard, a script of the user's) has it in its own too.
func digdagChild(line []Process) (int, bool) {
	type task struct{ id, random string }
	var nearest task
	child := -1
	for i, p := range line {
		id, random, ok := p.script()
		if !ok {
			continue
		}
		if child < 0 {
			nearest = task{id, random}
		}
		if nearest == (task{id, random}) {
			child = i
		}
	}
	return child, child >= 0
}

// airflowChild returns the place in line of the process that Airflow started.
// BashOperator gives it a session of its own, so it is the last in ours.
func airflowChild(line []Process) (int, bool) {
	for i, p := range line {
		if i+1 < len(line) && line[i+1].SID != p.SID {
			return i, true
		}
	}
	return 0, false
}

// airflowScheduler returns the scheduler above a task of its LocalExecutor. The
// next scheduler does not take over what a dead one has started: it makes the task
// again beside it, half a minute later at the earliest (tried on 3.3.2 and 2.11.2).
func airflowScheduler(above []Process) (Process, bool) {
	for _, p := range above {
		// As it is started: PYTHON …/airflow scheduler, or as it names itself.
		words := strings.Fields(strings.Join(p.Argv, " "))
		for i, w := range words {
			if path.Base(w) == "airflow" && i+1 < len(words) && words[i+1] == "scheduler" {
				return p, true
			}
		}
	}
	return Process{}, false
}
