// Package engine tells which engine started this host and for which of its tasks.
// It reads the environment that the engine gives to every task and starts
// nothing.
package engine

import (
	"cmp"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// The engines by the names they have in flags, records and messages.
const (
	Digdag  = "digdag"
	Airflow = "airflow"
	None    = "none"
)

// Caller reads who called from the variables of Airflow's BashOperator and
// Digdag's sh> (facts, section 0 of each engine).
func Caller(getenv func(string) string) *taskv1.Caller {
	if dag := getenv("AIRFLOW_CTX_DAG_ID"); dag != "" {
		return &taskv1.Caller{
			Engine: Airflow, Workflow: dag, Task: getenv("AIRFLOW_CTX_TASK_ID"),
			// 3.x leaves the logical date out when it is null; 2.x has the older name.
			LogicalTime: cmp.Or(getenv("AIRFLOW_CTX_LOGICAL_DATE"), getenv("AIRFLOW_CTX_EXECUTION_DATE")),
		}
	}
	if getenv("session_uuid") != "" && getenv("task_name") != "" {
		return &taskv1.Caller{
			Engine: Digdag, Project: getenv("project_id"), Task: getenv("task_name"),
			LogicalTime: getenv("session_time"),
		}
	}
	return &taskv1.Caller{Engine: None}
}
