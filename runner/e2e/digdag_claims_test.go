package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/ledger"
	"github.com/outrider-run/outrider/runner/internal/run"
)

// store is the world of a Digdag's tasks with its ledger.
func (d digdag) store() store {
	return store{world: d.world, url: "sqlite:" + filepath.Join(d.world.state(), "ledger.db")}
}

// runs is how many runs are in a state.
func (d digdag) runs(l *ledger.Ledger, state run.State) int {
	d.t.Helper()
	runs, err := l.List(d.Context(), ledger.Filter{States: []run.State{state}})
	if err != nil {
		d.t.Fatal(err)
	}
	return len(runs)
}

// TestDigdagRedeliveredTaskTakesItsFirstCopysResult: the server is killed, the tasks
// go on, and the copies that the next server makes of them take their results, of
// those that run yet and of those that have ended.
func TestDigdagRedeliveredTaskTakesItsFirstCopysResult(t *testing.T) {
	t.Run("running", func(t *testing.T) { redeliver(t, false, "not run: joined") })
	t.Run("ended", func(t *testing.T) { redeliver(t, true, "not run: succeeded") })
}

func redeliver(t *testing.T, ended bool, says string) {
	// By these settings the tasks of a dead server come again within seconds.
	d := onDigdagWith(t, map[string]string{
		"agent.lock-retention-time": "3", "agent.heartbeat-interval": "1", "database.queue.expireLockInterval": "1",
	})
	a := d.start("redelivered", nil)
	d.await("run", "exec", "sh", "unclaimed")
	if err := d.Kill9(); err != nil {
		t.Fatal(err)
	}
	l := d.store().open(t)
	d.until(func() bool { return d.runs(l, run.Cancelled) == 1 }) // the one without a claim
	if ended {
		d.release()
		d.until(func() bool { return d.runs(l, run.Success) == 3 })
	}
	if err := d.Restart(d.Context()); err != nil {
		t.Fatal(err)
	}
	if !ended {
		d.until(func() bool { return d.runs(l, run.Waiting) == 3 && d.runs(l, run.Running) == 4 })
		d.release()
	}
	r := d.Wait(a.ID)
	if !r.Success {
		t.Errorf("%v", r.States())
	}
	for _, name := range []string{"exec", "sh"} {
		if got := d.read(name); got != "begin\nend\n" {
			t.Errorf("%s: the bodies told %q", name, got)
		}
	}
	events := told(t, filepath.Join(d.dir, "run"))
	var got struct{ Run string }
	lastLine(t, r.Output("+redelivered+run"), &got)
	if len(events) != 2 || got.Run != events[0].run {
		t.Errorf("run: the bodies told %+v, the outputs are of %s", events, got.Run)
	}
	for _, name := range []string{"run", "exec", "sh"} {
		if text := r.Output("+redelivered+" + name); !strings.Contains(text, says) {
			t.Errorf("%s printed\n%s", name, text)
		}
	}
	twice := told(t, filepath.Join(d.dir, "unclaimed"))
	if count(twice, "begin") != 2 || count(twice, "end") != 1 || count(twice, "overlap") > 0 {
		t.Errorf("unclaimed: the bodies told %+v", twice)
	}
	t.Logf("4 tasks delivered twice: 3 took the result of their first copy, 1 body each; the one without a claim was stopped and ran again")
}

// TestDigdagRemembersWhatFailedForGood under _retry, of a task and of its group.
func TestDigdagRemembersWhatFailedForGood(t *testing.T) {
	d := onDigdag(t)
	r := d.run("remembered", nil)
	l := d.store().open(t)
	for name, bodies := range map[string]int{"task": 1, "group": 1, "exec": 1, "failed": 3} {
		if tries := strings.Count(d.read(name), "x"); tries != 3 {
			t.Errorf("%s: %d tries, want 3", name, tries)
		}
		n := 0
		for _, x := range labelled(t, l, "of", name) {
			if x.Caller.Run == r.ID {
				n++
			}
		}
		if n != bodies {
			t.Errorf("%s: %d bodies, want %d", name, n, bodies)
		}
		t.Logf("%s: 3 tries, %d bodies", name, n)
	}
	for name, code := range map[string]string{"+task": "3", "+group+inner": "3", "+exec": "3", "+failed": "1"} {
		if x := r.Task("+remembered" + name); x.Error.Message != "Command failed with code "+code+" (runtime)" {
			t.Errorf("%s: %q", name, x.Error.Message)
		}
	}
	if text := r.Output("+remembered+task"); !strings.Contains(text, "not run: an earlier try") || !strings.Contains(text, "no such table") {
		t.Errorf("task printed\n%s", text)
	}
}

// TestDigdagSharesAKeyWithAShell: a task and a plain shell do not both run it.
func TestDigdagSharesAKeyWithAShell(t *testing.T) {
	d := onDigdag(t)
	key := "shared-" + filepath.Base(filepath.Dir(d.dir))
	a := d.start("keyed", map[string]any{"key": key})
	d.await("load")
	l := d.store().open(t)
	outputs := make(chan string, 1)
	call := []string{"run", "--once-key", key, "probe.body", "--file", filepath.Join(d.dir, "load"), "--release", filepath.Join(d.dir, "release")}
	go func() {
		_, out, _ := ended(t, d.world.cmd(call...))
		outputs <- out
	}()
	d.until(func() bool { return d.runs(l, run.Waiting) == 1 })
	d.release()
	r := d.Wait(a.ID)
	joined := <-outputs
	_, hit, said := ended(t, d.world.cmd(call...))
	if !r.Success || joined == "" || hit != joined || !strings.HasSuffix(r.Output("+keyed+load"), joined) || !strings.Contains(said, "not run: succeeded") {
		t.Errorf("%v: the task printed %q, who joined %q, who came later %q\n%s", r.States(), r.Output("+keyed+load"), joined, hit, said)
	}
	if n := len(told(t, filepath.Join(d.dir, "load"))); n != 2 {
		t.Errorf("the bodies told %d times, want a begin and an end", n)
	}
}
