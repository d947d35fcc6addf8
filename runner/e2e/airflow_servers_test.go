package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

// TestAirflowServersKilled kills the servers themselves under a running task, and
// starts them again.
func TestAirflowServersKilled(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		if a.Version == airflowtest.V3 {
			t.Run("api-server", a.apiServerKilled)
		}
		t.Run("scheduler", a.schedulerKilled)
	})
}

// apiServerKilled is when the supervisor of version 3 cannot tell that it lives:
// after some 30 s it ends the task.
func (a airflow) apiServerKilled(t *testing.T) {
	s := kill{dag: "once"}.start(t, a)
	gone := s.watch(t)
	a.kill(t, "api-server")
	<-gone.done
	if gone.at.IsZero() {
		t.Fatal("the task lives on")
	}
	if err := a.Restart(deadline(t), "api-server"); err != nil {
		t.Fatal(err)
	}
	if got := task(t, s.Run, "run"); got.State != "failed" {
		t.Errorf("%+v", got)
	}
	s.awaitLog(t, sent)
	gone.within(t, s.signalled(t))
}

// schedulerKilled is when LocalExecutor's processes are orphans, which the next
// scheduler does not take over: it makes the tasks again beside them, after half a
// minute or more.
func (a airflow) schedulerKilled(t *testing.T) {
	s := kill{dag: "again"}.start(t, a)
	gone := s.watch(t)
	began := time.Now()
	a.kill(t, "scheduler")
	<-gone.done
	if gone.at.IsZero() {
		t.Fatal("the task lives on")
	}
	gone.within(t, began)
	s.awaitLog(t, "orphaned: airflow's process")
	if err := a.Restart(deadline(t), "scheduler"); err != nil {
		t.Fatal(err)
	}
	s.findAgain(t, gone)
}

// kill kills a server and waits for its end.
func (a airflow) kill(t *testing.T, name string) {
	t.Helper()
	if err := a.Kill(name, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	a.ended(t, name)
}

// killGroup kills a server with what it started: Airflow 2's webserver leaves children
// that go on to answer.
func (a airflow) killGroup(t *testing.T, name string) {
	t.Helper()
	if err := syscall.Kill(-a.Process(name).PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	a.ended(t, name)
}

func (a airflow) ended(t *testing.T, name string) {
	t.Helper()
	if _, err := a.AwaitEnd(deadline(t), name); err != nil {
		t.Fatal(err)
	}
}
