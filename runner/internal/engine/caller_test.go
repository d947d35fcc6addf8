package engine

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

func TestCaller(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want *taskv1.Caller
	}{
		"airflow 3": {
			map[string]string{"AIRFLOW_CTX_DAG_ID": "d", "AIRFLOW_CTX_TASK_ID": "t", "AIRFLOW_CTX_LOGICAL_DATE": "2026-11-21T00:00:00+00:00"},
			&taskv1.Caller{Engine: "airflow", Workflow: "d", Task: "t", LogicalTime: "2026-11-21T00:00:00+00:00"},
		},
		"airflow 2": {
			map[string]string{"AIRFLOW_CTX_DAG_ID": "d", "AIRFLOW_CTX_TASK_ID": "t", "AIRFLOW_CTX_EXECUTION_DATE": "x"},
			&taskv1.Caller{Engine: "airflow", Workflow: "d", Task: "t", LogicalTime: "x"},
		},
		"digdag": {
			map[string]string{"session_uuid": "u", "task_name": "+w+t", "project_id": "7", "session_time": "s"},
			&taskv1.Caller{Engine: "digdag", Project: "7", Task: "+w+t", LogicalTime: "s"},
		},
		"a variable called task_name": {map[string]string{"task_name": "x"}, &taskv1.Caller{Engine: "none"}},
		"shell":                       {nil, &taskv1.Caller{Engine: "none"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Caller(func(k string) string { return c.env[k] }); !proto.Equal(got, c.want) {
				t.Fatalf("got %v, want %v", got, c.want)
			}
		})
	}
}
