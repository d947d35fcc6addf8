// Package address reads how people name what an Airflow runs, SOURCE:DAG[@RUN][/TASK],
// and finds what is meant with a client. Reading is pure; finding asks no more than it
// must, and says on a miss what is near. What is done with the found belongs to the
// components.
package address

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Address names a DAG, and perhaps a run of it, a task, and one instance of a mapped
// task.
type Address struct {
	// Source is a name under sources:, or "" where it was left out.
	Source string
	DAG    string
	Run    Run
	// Task is a task's id, with its groups as Airflow has them: group.task. "" if none
	// is named.
	Task string
	// Index is the map index, if Mapped.
	Index  int
	Mapped bool
}

// form is what an address looks like, for errors.
const form = "want SOURCE:DAG[@RUN][/TASK], such as airflow:daily@latest/load or airflow:daily@manual__2026-11-22T07:00:00+00:00/load[3]"

// Parse reads an address. The source may be left out. A run's id stands as it is, but
// for / and %, which are written %2F and %25.
func Parse(text string) (Address, error) {
	a, err := parse(text)
	if err != nil {
		return Address{}, fmt.Errorf("address %.300q: %w", text, err)
	}
	return a, nil
}

var (
	sourceName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)
	// key is what Airflow takes for the id of a DAG or a task (validate_key).
	key = regexp.MustCompile(`^[\p{L}\p{N}_.-]+$`)
	// taskName is a task's id with a map index.
	taskName = regexp.MustCompile(`^([^\[\]]*)(?:\[(\d{1,9})\])?$`)
)

// isKey reports whether an id can be one. Dots alone are a path, not an id.
func isKey(id string) bool { return key.MatchString(id) && id != "." && id != ".." }

func parse(text string) (a Address, err error) {
	rest := text
	if end := strings.IndexAny(rest, ":@/"); end >= 0 && rest[end] == ':' {
		a.Source, rest = rest[:end], rest[end+1:]
		if !sourceName.MatchString(a.Source) {
			return a, fmt.Errorf("%q is no name of a source; %s", a.Source, form)
		}
	}
	// A DAG's id has neither @ nor /, and neither has a run's as it is written.
	named, task, hasTask := strings.Cut(rest, "/")
	dag, run, hasRun := strings.Cut(named, "@")
	if a.DAG = dag; dag == "" {
		return a, fmt.Errorf("the DAG is empty; %s", form)
	}
	if !isKey(dag) {
		return a, fmt.Errorf("%q is no DAG's id, which has letters, digits, _, - and dots; %s", dag, form)
	}
	if hasRun {
		if a.Run, err = parseRun(run); err != nil {
			return a, err
		}
	}
	if hasTask {
		m := taskName.FindStringSubmatch(task)
		if m == nil || !isKey(m[1]) {
			return a, fmt.Errorf("%q is no task; want its id as Airflow shows it, such as load, group.load or load[3] of a mapped one; a / in a run's id is written %%2F", task)
		}
		if a.Task = m[1]; m[2] != "" {
			a.Mapped = true
			if a.Index, err = strconv.Atoi(m[2]); err != nil {
				return a, err
			}
		}
	}
	return a, nil
}

// String writes an address so that Parse reads it as the same.
func (a Address) String() string {
	var b strings.Builder
	if a.Source != "" {
		b.WriteString(a.Source + ":")
	}
	b.WriteString(a.DAG)
	if r := a.Run.String(); r != "" {
		b.WriteString("@" + r)
	}
	if a.Task != "" {
		b.WriteString("/" + a.TaskName())
	}
	return b.String()
}

// TaskName is the task with its map index, as TaskName of the package has it; "" if no
// task is named.
func (a Address) TaskName() string { return TaskName(a.Task, a.MapIndex()) }

// MapIndex is the map index, -1 if none is named.
func (a Address) MapIndex() int {
	if !a.Mapped {
		return -1
	}
	return a.Index
}

// TaskName is how a task instance is named: load, or load[3] of a mapped one, whose
// index is not negative.
func TaskName(task string, mapIndex int) string {
	if mapIndex < 0 || task == "" {
		return task
	}
	return task + "[" + strconv.Itoa(mapIndex) + "]"
}
