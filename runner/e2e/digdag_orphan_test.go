package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon is how long a run may live on once its engine is gone or it was signalled.
const soon = 4 * time.Second

// until waits until f is true.
func (d digdag) until(f func() bool) {
	d.t.Helper()
	for !f() {
		select {
		case <-d.Context().Done():
			d.t.Fatal("waited in vain")
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestDigdagServerKilled: whatever stands between a run and its engine, it is gone
// soon after, and says why.
func TestDigdagServerKilled(t *testing.T) {
	d := onOwnDigdag(t)
	d.start("killed", nil)
	d.await("run", "between", "pipeline", "exec", "sh", "polite", "deaf", "nested")
	if err := d.Kill9(); err != nil {
		t.Fatal(err)
	}
	d.world.gone(t, soon)
	for name, code := range map[string]string{
		"run": "143", "between": "143", "pipeline": "143", "exec": "143", "sh": "143", "polite": "143", "deaf": "137",
	} {
		if got := strings.TrimSpace(d.read(name + ".code")); got != code {
			t.Errorf("%s: exit code %s, want %s", name, got, code)
		}
		if text := d.read(name + ".err"); !strings.Contains(text, "orphaned: digdag") {
			t.Errorf("%s does not say why:\n%s", name, text)
		}
	}
}

// TestDigdagServerKilledAndRunsFinish is --on-orphan finish.
func TestDigdagServerKilledAndRunsFinish(t *testing.T) {
	d := onOwnDigdag(t)
	d.start("finish", nil)
	d.await("run", "sh")
	if err := d.Kill9(); err != nil {
		t.Fatal(err)
	}
	d.await("run.code") // it takes longer than a stop may
	d.release()
	d.await("sh.code")
	if got := d.read("run.out") + d.read("run.code") + d.read("through") + d.read("sh.code"); got != "{}\n0\nthrough\n0\n" {
		t.Errorf("outputs and exit codes %q", got)
	}
	if text := d.read("run.err") + d.read("sh.err"); strings.Contains(text, "orphan") {
		t.Errorf("said:\n%s", text)
	}
}

// TestDigdagTerminatedServerWaits: a SIGTERM to the server alone ends no task.
func TestDigdagTerminatedServerWaits(t *testing.T) {
	d := onOwnDigdag(t)
	a := d.start("waits", nil)
	d.await("a")
	if err := d.Terminate(); err != nil {
		t.Fatal(err)
	}
	if x := d.Until(a.ID, "+waits+a", "running"); x.CancelRequested {
		t.Errorf("%+v", x)
	}
	d.release()
	d.awaitExit(143)
	if err := d.Restart(d.Context()); err != nil {
		t.Fatal(err)
	}
	r := d.Wait(a.ID)
	if got := r.Output("+waits+a"); !r.Success || got != "through\n" {
		t.Errorf("%v, printed %q", r.States(), got)
	}
}

// pid waits until a task has told its process id in a file.
func (d digdag) pid(file string) (pid int) {
	d.t.Helper()
	d.await(file)
	d.until(func() bool {
		var err error
		pid, err = strconv.Atoi(strings.TrimSpace(d.read(file)))
		return err == nil
	})
	return pid
}

func (d digdag) awaitExit(code int) {
	d.t.Helper()
	select {
	case <-d.Exited():
	case <-d.Context().Done():
		d.t.Fatal("the server does not end")
	}
	if got := d.ExitCode(); got != code {
		d.t.Errorf("the server ended with %d, want %d", got, code)
	}
}

// TestDigdagStoppedByAServiceManager: a SIGTERM to the server and to all that runs
// under it, as systemd sends it, ends the tasks, none of them well.
func TestDigdagStoppedByAServiceManager(t *testing.T) {
	d := onOwnDigdag(t)
	a := d.start("stopped", nil)
	pids := []int{d.pid("run"), d.pid("sh")}
	if err := syscall.Kill(-d.PID(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for _, pid := range pids {
		d.until(func() bool { return !alive(pid) })
	}
	if took := time.Since(began); took > soon {
		t.Errorf("the tasks lived on for %s", took)
	}
	d.awaitExit(143)
	if err := d.Restart(d.Context()); err != nil {
		t.Fatal(err)
	}
	r := d.Wait(a.ID)
	for _, name := range []string{"run", "sh"} {
		x := r.Task("+stopped+" + name)
		if want := "Command failed with code 143 (runtime)"; x.State != "error" || x.Error.Message != want {
			t.Errorf("%s is %s: %q, want %q", name, x.State, x.Error.Message, want)
		}
		if out := r.Output(x.FullName); !strings.Contains(out, "the host was sent SIGTERM") {
			t.Errorf("%s: the log lacks the reason:\n%s", name, out)
		}
	}
}

// TestDigdagKilledAttemptRunsOn shows what a kill in Digdag is: a mark, of which
// no process hears.
func TestDigdagKilledAttemptRunsOn(t *testing.T) {
	d := onDigdag(t)
	a := d.start("waits", nil)
	d.await("a")
	if err := d.Kill(d.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	if x := d.Until(a.ID, "+waits+a", "running"); !x.CancelRequested {
		t.Errorf("%+v", x)
	}
	d.release()
	r := d.Wait(a.ID)
	want := "[+waits canceled +waits+a canceled +waits+b blocked]"
	if got := fmt.Sprint(r.States()); got != want || r.Status != "killed" {
		t.Errorf("%s: %s, want %s", r.Status, got, want)
	}
	if got := r.Output("+waits+a"); got != "through\n" {
		t.Errorf("printed %q", got)
	}
}

// TestDigdagPipelinesAreNoOrphans: the ends of a producer and of a reader are not
// the engine's.
func TestDigdagPipelinesAreNoOrphans(t *testing.T) {
	r := onDigdag(t).run("pipes", nil)
	const want = "1\n141 141 0\nproduced\nstill there\none\n0 0\ntwo\n"
	if got := r.Output("+pipes+all"); !r.Success || got != want {
		t.Errorf("%v, printed\n%s, want\n%s", r.States(), got, want)
	}
}

// TestDigdagStdinOverFromTheStart is no orphaning.
func TestDigdagStdinOverFromTheStart(t *testing.T) {
	r := onDigdag(t).run("stdin", nil)
	if !r.Success {
		t.Errorf("%v", r.States())
	}
	for name, want := range map[string]string{"hung_up": "still there\n", "closed": "still there\n", "run": "{}\n"} {
		out := r.Output("+stdin+" + name)
		if !strings.HasSuffix(out, want) || strings.Contains(out, "orphan") {
			t.Errorf("%s printed:\n%s", name, out)
		}
	}
}
