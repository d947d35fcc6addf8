package airflowtest

import (
	"context"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"
)

// smoke is a DAG that both versions can read.
const smoke = `
try:
    from airflow.sdk import DAG
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    from airflow import DAG
    from airflow.operators.bash import BashOperator

with DAG("smoke", schedule=None):
    BashOperator(task_id="say", bash_command="echo hello from $AIRFLOW_CTX_TASK_ID; echo $FROM_TEST {{ dag_run.conf['word'] }}")
`

func TestAirflow(t *testing.T) {
	for _, v := range []Version{V3, V2} {
		t.Run(string(v), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			s, err := Start(ctx, Options{Version: v, DAGs: map[string]string{"smoke.py": smoke}, Env: append(os.Environ(), "FROM_TEST=from the test")})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { stopped(t, s) })
			if err := s.AwaitDAG(ctx, "smoke"); err != nil {
				t.Fatal(err)
			}
			r, err := s.Trigger(ctx, "smoke", map[string]any{"word": "and on"})
			if err != nil {
				t.Fatal(err)
			}
			if state, err := r.Wait(ctx); err != nil || state != "success" {
				t.Fatalf("%s, %v", state, err)
			}
			if text, ok, err := r.XCom(ctx, "say"); text != "from the test and on" || !ok || err != nil {
				t.Errorf("XCom %q, %v, %v", text, ok, err)
			}
			log, err := r.Log(ctx, "say", 1)
			said := func(l Line) bool { return l.Text == "hello from say" && !l.Time.IsZero() }
			if err != nil || !slices.ContainsFunc(log, said) {
				t.Errorf("log %v, %v", log, err)
			}
			restarted(t, s)
		})
	}
}

// restarted kills the scheduler, whose workers live on until it is started again.
func restarted(t *testing.T, s *Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := s.Kill("scheduler", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	old, err := s.AwaitEnd(ctx, "scheduler")
	if err != nil || old.ExitCode != -9 {
		t.Fatalf("%+v, %v", old, err)
	}
	if left, err := session(old.PID); len(left) == 0 || err != nil {
		t.Fatalf("it left nothing: %v", err)
	}
	if err := s.Restart(ctx, "scheduler"); err != nil {
		t.Fatal(err)
	}
	if left, err := session(old.PID); len(left) > 0 || err != nil {
		t.Errorf("%d of its processes live on: %v", len(left), err)
	}
	r, err := s.Trigger(ctx, "smoke", map[string]any{"word": "again"})
	if err != nil {
		t.Fatal(err)
	}
	if state, err := r.Wait(ctx); err != nil || state != "success" {
		t.Errorf("%s, %v", state, err)
	}
}

// stopped stops s and looks what it left.
func stopped(t *testing.T, s *Server) {
	t.Helper()
	var pids []int
	for _, name := range s.Names() {
		pids = append(pids, s.Process(name).PID)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d lives on", pid)
		}
	}
	if _, err := os.Stat(s.dir); err == nil {
		t.Errorf("%s is still there", s.dir)
	}
}
