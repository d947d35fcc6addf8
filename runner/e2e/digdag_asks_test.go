package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/run"
)

// TestDigdagKilledAttemptStops: where Outrider knows whom to ask, a kill in Digdag ends
// the tasks with all that they started.
func TestDigdagKilledAttemptStops(t *testing.T) {
	d := onDigdag(t)
	config := "sources: {etl: {engine: digdag, endpoint: '" + d.URL + "', headers: {X-Team: data}}}\n"
	if err := os.WriteFile(filepath.Join(d.dir, "outrider.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	a := d.start("asks", map[string]any{"endpoint": d.URL})
	names := []string{"run", "exec", "sh", "deaf", "py", "rb", "interp"}
	pids := map[string]int{}
	for _, name := range names {
		pids[name] = d.pid(name)
	}
	if err := d.Kill(d.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		d.until(func() bool { return !alive(pids[name]) })
	}
	r := d.Wait(a.ID)
	if r.Status != "killed" {
		t.Errorf("%s: %v", r.Status, r.States())
	}
	for _, name := range names {
		x := r.Task("+asks+" + name)
		if text := r.Output(x.FullName); x.State != "canceled" || !strings.Contains(text, "digdag was asked to kill attempt "+a.ID) {
			t.Errorf("%s is %s, and printed\n%s", name, x.State, text)
		}
	}
	d.world.noneOf(t, d.dir)
}

// noneOf waits until no process is left that has mark in its environment.
func (w world) noneOf(t testing.TB, mark string) {
	t.Helper()
	for left := processes(t, mark); len(left) > 0; left = processes(t, mark) {
		select {
		case <-t.Context().Done():
			t.Fatalf("still there: %q", left)
		default:
		}
	}
}

// TestDigdagCannotBeAsked: the task goes on, and says so once.
func TestDigdagCannotBeAsked(t *testing.T) {
	d := onDigdag(t)
	a := d.start("asksnobody", map[string]any{"endpoint": "http://127.0.0.1:1"})
	said := func(file string) int {
		return strings.Count(d.read(file), "a kill of the attempt will not stop this run")
	}
	d.await("sh", "run", "run.err", "sh.err")
	d.until(func() bool { return said("run.err") > 0 && said("sh.err") > 0 })
	d.release()
	r := d.Wait(a.ID)
	if got := r.Output("+asksnobody+sh"); !r.Success || got != "through\n" {
		t.Errorf("%v, printed %q", r.States(), got)
	}
	for _, file := range []string{"run.err", "sh.err"} {
		if said(file) != 1 || !strings.Contains(d.read(file), "ask digdag whether attempt "+a.ID+" was killed: ") {
			t.Errorf("%s:\n%s", file, d.read(file))
		}
	}
}

// TestDigdagContained: docker: with the wrap. A claim in a file of the container holds
// for nobody else, and is refused.
func TestDigdagContained(t *testing.T) {
	d := onDigdag(t)
	r := d.run("contained", nil)
	for name, code := range map[string]string{"sh": "", "fails": "7", "lock": "2", "once": "2", "pool": "2", "py": ""} {
		x := r.Task("+contained+" + name)
		switch {
		case code == "" && x.State != "success":
			t.Errorf("%s is %s: %s\n%s", name, x.State, x.Error.Message, r.Output(x.FullName))
		case code != "" && !strings.Contains(x.Error.Message, "failed with code "+code):
			t.Errorf("%s is %s: %s", name, x.State, x.Error.Message)
		case code == "2" && !strings.Contains(r.Output(x.FullName), "the task runs in a container of its own (docker:), and the ledger is a file in it"):
			t.Errorf("%s printed\n%s", name, r.Output(x.FullName))
		}
	}
	if got := r.Output("+contained+sh"); got != "in yes of +contained+sh\n" {
		t.Errorf("sh printed %q", got)
	}
	if got := r.Task("+contained+py").StoreParams["message"]; got != "Hello, you!" {
		t.Errorf("py stored %v", got)
	}
	if _, err := os.Stat(filepath.Join(d.dir, "ran")); err == nil {
		t.Error("a task ran whose claim was refused")
	}
	if n := d.runs(d.store().open(t), run.Running); n != 0 {
		t.Errorf("%d runs go on", n)
	}
}

// TestDigdagInterp runs a Python function of the project by Digdag's own runner.
func TestDigdagInterp(t *testing.T) {
	r := onDigdag(t).run("interp", nil)
	want := r.SessionTime.Format("2006-01-02") + " 3"
	if got := strings.TrimSpace(r.Output("+interp+say")); !r.Success || got != want {
		t.Errorf("%v, printed %q, want %q\n%s", r.States(), got, want, r.Output("+interp+load"))
	}
}
