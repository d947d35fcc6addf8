// Package engine tells which engine started this host, for which of its tasks,
// what it makes of an exit code, and when it is gone. It looks at the environment,
// the processes above this one and its first three descriptors; it starts nothing
// and ends nothing. Sources of its facts: Digdag 0.10.5.1 and Airflow 2.11 and 3.3
// as measured.
package engine

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Name is an engine.
type Name string

// The engines by the names they have in flags, records and messages.
const (
	Digdag  Name = "digdag"
	Airflow Name = "airflow"
	None    Name = "none"
)

// Parse reads the value of --engine; "" asks for detection.
func Parse(s string) (Name, error) {
	switch n := Name(s); n {
	case Digdag, Airflow, None, "":
		return n, nil
	}
	return "", fmt.Errorf("engine %q: want digdag, airflow or none", s)
}

// Identity is the task that called, in the engine's own words. Empty fields are
// unknown.
type Identity struct {
	// Instance names the engine among several, dev and prod for one.
	Instance string
	// Project is Digdag's project id.
	Project string
	// Workflow is Digdag's workflow or Airflow's DAG.
	Workflow string
	Task     string
	// Run is Digdag's attempt id or Airflow's run id.
	Run string
	// Session is Digdag's session UUID.
	Session string
	// LogicalTime is the session's or the data interval's, RFC 3339.
	LogicalTime string
	// TaskID and Delivery are Digdag's task id and the random part of its runner
	// script: another Delivery of one TaskID is a redelivery.
	TaskID, Delivery string
	// Try counts from 1; 0 is unknown.
	Try int
	// Link leads to the task in the engine's own pages, if its address is known.
	Link string
}

// Engine is the caller of this host.
type Engine struct {
	Name     Name
	Identity Identity
	// Airflow3 tells Airflow 3 and later from 2.
	Airflow3 bool
	// Endpoint is where the engine answers, "" where that is not known.
	Endpoint string
	// Contained: the task runs in a container of its own, which docker: in its .dig
	// file asks for, and what it keeps outside of the project ends with it.
	Contained bool

	// child is the process that the engine started, and above are those whose end
	// means that the engine is gone; both empty where they are not known.
	child int
	above []int
}

// Hinted reports whether it is worth a look at the processes above: an engine's
// variables are set, or Digdag's folder stands in the current one, as it does for
// tasks that get no variables (py>). A shell and cron are spared the look.
func Hinted(asked Name, getenv func(string) string, exists func(string) bool) bool {
	switch asked {
	case None:
		return false
	case "":
		return getenv("AIRFLOW_CTX_DAG_ID") != "" || getenv("session_uuid") != "" || exists(".digdag")
	}
	return true
}

// Detect finds the caller from the environment and the processes above. An asked
// name other than "" wins over what is found.
func Detect(asked Name, getenv func(string) string, line []Process) Engine {
	name := asked
	if name == "" {
		name = detect(getenv, line)
	}
	e := Engine{Name: None}
	switch name {
	case Digdag:
		e = digdag(getenv, line)
		e.Endpoint = getenv(DigdagEndpoint)
		e.Identity.Link = digdagLink(e.Endpoint, e.Identity)
	case Airflow:
		e = airflow(getenv, line)
		e.Endpoint = getenv(AirflowEndpoint)
		e.Identity.Link = airflowLink(e.Endpoint, e.Identity, e.Airflow3)
	}
	e.Identity.Instance = getenv("OUTRIDER_INSTANCE")
	return e
}

func detect(getenv func(string) string, line []Process) Name {
	if getenv("AIRFLOW_CTX_DAG_ID") != "" && getenv("AIRFLOW_CTX_TASK_ID") != "" {
		return Airflow
	}
	if _, ok := digdagChild(line); ok {
		return Digdag
	}
	return None
}

// digdag reads what sh> gives to every task; py> and rb> give only the script.
func digdag(getenv func(string) string, line []Process) Engine {
	e := Engine{Name: Digdag, Identity: Identity{
		Project: getenv("project_id"), Task: getenv("task_name"), Run: getenv("attempt_id"),
		Session: getenv("session_uuid"), LogicalTime: getenv("session_time"),
		Workflow: workflowOf(getenv("task_name")),
	}}
	// sh> has every parameter in its environment, docker: among them, as JSON. What
	// stands in the file system does not tell: the whole Digdag may run in a container.
	e.Contained = strings.HasPrefix(strings.TrimSpace(getenv("docker")), "{")
	if i, ok := digdagChild(line); ok {
		e.child = line[i].PID
		e.Identity.TaskID, e.Identity.Delivery, _ = line[i].script()
		if i+1 < len(line) {
			e.above = []int{line[i+1].PID}
		}
	}
	return e
}

// workflowOf is the first part of a task's full name: +wf+group+task.
func workflowOf(task string) string {
	for i := 1; i < len(task); i++ {
		if task[i] == '+' || task[i] == '^' {
			return task[1:i]
		}
	}
	if len(task) > 1 {
		return task[1:]
	}
	return ""
}

func airflow(getenv func(string) string, line []Process) Engine {
	// 2.x sets the execution date always, 3.x never; 3.x leaves the logical date
	// out when it is null.
	e := Engine{Name: Airflow, Airflow3: getenv("AIRFLOW_CTX_EXECUTION_DATE") == "", Identity: Identity{
		Workflow: getenv("AIRFLOW_CTX_DAG_ID"), Task: getenv("AIRFLOW_CTX_TASK_ID"), Run: getenv("AIRFLOW_CTX_DAG_RUN_ID"),
		LogicalTime: cmp.Or(getenv("AIRFLOW_CTX_LOGICAL_DATE"), getenv("AIRFLOW_CTX_EXECUTION_DATE")),
	}}
	e.Identity.Try, _ = strconv.Atoi(getenv("AIRFLOW_CTX_TRY_NUMBER"))
	if i, ok := airflowChild(line); ok {
		e.child = line[i].PID
		e.above = []int{line[i+1].PID}
		// In 3.x the task process has a supervisor above it whose end loses the
		// result; in 2.x the runner finishes without its supervisor.
		if e.Airflow3 && i+2 < len(line) {
			e.above = append(e.above, line[i+2].PID)
		}
		if s, ok := airflowScheduler(line[i+1:]); ok {
			e.above = append(e.above, s.PID)
		}
	}
	return e
}

// SkipCode is the exit code that the engine takes for a skip: Airflow's
// BashOperator has 99, Digdag has none and so a skip is a success.
func (e Engine) SkipCode() int {
	if e.Name == Airflow {
		return 99
	}
	return 0
}

// StopBudget is how long a stop may take in all. Airflow kills the task process
// 5 s after its SIGTERM, and then reports before the group is dead.
func (e Engine) StopBudget() time.Duration {
	if e.Name == None {
		return 10 * time.Second
	}
	return 3500 * time.Millisecond
}

// OwnsOutput reports whether stdout or stderr is the engine's own pipe, and not one
// of a pipeline in the task.
func (e Engine) OwnsOutput() bool { return e.owns(1) || e.owns(2) }

// Child is the process that the engine started, 0 if it is not known.
func (e Engine) Child() int { return e.child }
