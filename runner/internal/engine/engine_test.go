package engine

import (
	"reflect"
	"strings"
	"testing"
)

func env(kv map[string]string) func(string) string {
	return func(k string) string { return kv[k] }
}

// line is a line of processes of one session, this host first, init last.
func line(argv ...[]string) []Process {
	var out []Process
	for i, a := range argv {
		out = append(out, Process{PID: 100 - i, PPID: 99 - i, SID: 100 - len(argv) + 1, Argv: a})
	}
	return out
}

var digdagEnv = map[string]string{
	"session_uuid": "u-u", "task_name": "+daily+load+rows", "project_id": "7", "attempt_id": "42",
	"session_time": "2026-11-21T00:00:00+09:00",
}

func TestDetectDigdag(t *testing.T) {
	script := ".digdag/tmp/digdag-sh-1234-9876543/runner.sh"
	want := Identity{
		Project: "7", Workflow: "daily", Task: "+daily+load+rows", Run: "42", Session: "u-u",
		LogicalTime: "2026-11-21T00:00:00+09:00", TaskID: "1234", Delivery: "9876543",
	}
	for name, c := range map[string]struct {
		line         []Process
		child, above int
	}{
		"the host is the shell": {line([]string{"outrider", "sh", script}, []string{"java"}), 100, 99},
		"below the shell":       {line([]string{"outrider", "run"}, []string{"/bin/sh", script}, []string{"java"}), 99, 98},
		"bash in between": {
			line([]string{"outrider", "run"}, []string{"bash", "-c", "a; outrider run x"}, []string{"/bin/sh", script}, []string{"whatever"}), 98, 97,
		},
		"below outrider sh": {
			line([]string{"outrider", "run"}, []string{"/bin/sh", script}, []string{"outrider-guard", "--", "/bin/sh", script}, []string{"outrider", "sh", script}, []string{"java"}),
			97, 96,
		},
		"Digdag in a task of Digdag": {
			line([]string{"outrider", "run"}, []string{"/bin/sh", script}, []string{"java"}, []string{"/bin/sh", strings.ReplaceAll(script, "1234", "9")}, []string{"java"}),
			99, 98,
		},
		"absolute path": {line([]string{"outrider", "sh", "/tmp/digdag-tempdir1/workspace/p/" + script}, []string{"java"}), 100, 99},
	} {
		t.Run(name, func(t *testing.T) {
			e := Detect("", env(digdagEnv), c.line)
			if e.Name != Digdag || e.Identity != want || e.child != c.child || !reflect.DeepEqual(e.above, []int{c.above}) {
				t.Fatalf("got %+v", e)
			}
		})
	}
}

// TestDetectNeedsMoreThanAVariable keeps a shell in which somebody exported
// Digdag's names from being taken for a task.
func TestDetectNeedsMoreThanAVariable(t *testing.T) {
	for _, argv := range [][]string{{"bash"}, {"vi", "digdag-notes/runner.sh"}, {"sh", "digdag-sh-x-1/runner.sh"}, {"sh", "digdag-td-1-1/runner.sh"}} {
		if e := Detect("", env(digdagEnv), line([]string{"outrider"}, argv)); e.Name != None {
			t.Errorf("%v: %s", argv, e.Name)
		}
	}
}

func TestDetectAirflow(t *testing.T) {
	// bash and the host share a session; task process and supervisor have others.
	above := []Process{
		{PID: 10, PPID: 9, SID: 9, Argv: []string{"outrider"}},
		{PID: 9, PPID: 8, SID: 9, Argv: []string{"bash", "-c", "x; outrider"}},
		{PID: 8, PPID: 7, SID: 5, Argv: []string{"airflow task"}},
		{PID: 7, PPID: 5, SID: 5, Argv: []string{"airflow supervisor"}},
	}
	vars := map[string]string{
		"AIRFLOW_CTX_DAG_ID": "d", "AIRFLOW_CTX_TASK_ID": "t", "AIRFLOW_CTX_DAG_RUN_ID": "r", "AIRFLOW_CTX_TRY_NUMBER": "2",
		"AIRFLOW_CTX_LOGICAL_DATE": "2026-11-21T00:00:00+00:00",
	}
	e := Detect("", env(vars), above)
	want := Identity{Workflow: "d", Task: "t", Run: "r", Try: 2, LogicalTime: "2026-11-21T00:00:00+00:00"}
	if e.Name != Airflow || !e.Airflow3 || e.Identity != want || e.child != 9 || !reflect.DeepEqual(e.above, []int{8, 7}) {
		t.Fatalf("3.x: %+v", e)
	}
	vars["AIRFLOW_CTX_EXECUTION_DATE"] = "2026-11-21T00:00:00+00:00"
	if e := Detect("", env(vars), above); e.Airflow3 || !reflect.DeepEqual(e.above, []int{8}) {
		t.Fatalf("2.x: %+v", e)
	}
}

// TestTheSchedulerOfALocalExecutorIsWatched, which other executors do not have
// above their tasks.
func TestTheSchedulerOfALocalExecutorIsWatched(t *testing.T) {
	vars := env(map[string]string{"AIRFLOW_CTX_DAG_ID": "d", "AIRFLOW_CTX_TASK_ID": "t"})
	for name, c := range map[string]struct {
		argv []string
		want []int
	}{
		"as started":       {[]string{"/venv/bin/python", "/venv/bin/airflow", "scheduler"}, []int{8, 7, 6}},
		"as it says":       {[]string{"airflow scheduler -- LocalExecutor"}, []int{8, 7, 6}},
		"Celery's worker":  {[]string{"/venv/bin/python", "/venv/bin/airflow", "celery", "worker"}, []int{8, 7}},
		"another's folder": {[]string{"vi", "/opt/airflow/scheduler"}, []int{8, 7}},
	} {
		above := []Process{
			{PID: 10, PPID: 8, SID: 10, Argv: []string{"outrider"}},
			{PID: 8, PPID: 7, SID: 5},
			{PID: 7, PPID: 6, SID: 5},
			{PID: 6, PPID: 1, SID: 5, Argv: c.argv},
			{PID: 1, SID: 1, Argv: []string{"init"}},
		}
		if e := Detect("", vars, above); !reflect.DeepEqual(e.above, c.want) {
			t.Errorf("%s: %v, want %v", name, e.above, c.want)
		}
	}
}

func TestAFlagWins(t *testing.T) {
	vars := map[string]string{"AIRFLOW_CTX_DAG_ID": "d", "AIRFLOW_CTX_TASK_ID": "t"}
	if e := Detect(None, env(vars), nil); e.Name != None {
		t.Errorf("--engine none: %+v", e)
	}
	if e := Detect(Airflow, env(nil), nil); e.Name != Airflow || len(e.above) != 0 {
		t.Errorf("--engine airflow: %+v", e)
	}
	if _, err := Parse("cron"); err == nil {
		t.Error("--engine cron is taken")
	}
}

func TestSkipCode(t *testing.T) {
	for name, want := range map[Name]int{Airflow: 99, Digdag: 0, None: 0} {
		if got := (Engine{Name: name}).SkipCode(); got != want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func TestWorkflowOf(t *testing.T) {
	for in, want := range map[string]string{"+wf+a^sub+b": "wf", "+wf": "wf", "+wf^error": "wf", "": "", "+": ""} {
		if got := workflowOf(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestHinted(t *testing.T) {
	digdagFolder := func(path string) bool { return path == ".digdag" }
	nothing := func(string) bool { return false }
	for name, c := range map[string]struct {
		asked  Name
		env    map[string]string
		exists func(string) bool
		want   bool
	}{
		"shell":          {"", nil, nothing, false},
		"airflow":        {"", map[string]string{"AIRFLOW_CTX_DAG_ID": "d"}, nothing, true},
		"digdag sh>":     {"", map[string]string{"session_uuid": "u"}, nothing, true},
		"digdag py>":     {"", nil, digdagFolder, true},
		"told":           {Digdag, nil, nothing, true},
		"told otherwise": {None, map[string]string{"session_uuid": "u"}, digdagFolder, false},
	} {
		if got := Hinted(c.asked, env(c.env), c.exists); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
