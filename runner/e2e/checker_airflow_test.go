package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/runner/internal/checker/watch"
)

// TestCheckerAirflow: what one checker tells of DAGs, each in a thread of its own up to its
// end.
func TestCheckerAirflow(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		c := a.checks(t, `
rules:
  - {name: long, kind: running, workflow: checked_long, floor: 10s}
  - {name: off, kind: disabled, workflow: checked_off, threshold: 1s}
`)
		c.watch(t)
		together(t, map[string]func(*testing.T){
			"a run hangs": c.tellsHang, "its owner set the limit": c.tellsOwner, "failed and cleared": c.tellsFailure,
			"cannot be read": c.tellsBroken, "paused": c.tellsPaused, "full": c.tellsFull,
		})
	})
}

// tellsHang: from the message by the kill that it names to the recovery.
func (c checkedAirflow) tellsHang(t *testing.T) {
	var before []airflowtest.Run
	for range 6 {
		before = append(before, c.triggerConf(t, "checked_long", nil))
	}
	for _, r := range before {
		over(t, r, "success")
	}
	r := c.hang(t, "checked_long")
	address := "prod:checked_long@" + r.ID
	m := c.told(t, address, "running for ")
	c.has(t, m, "WARNING: "+address+": running for ", "usual: ", "in 6 successes", "threshold: ",
		"task: load (BashOperator, running) for ", "waits for the warehouse", c.URL)
	kill := "outrider kill --yes " + address
	c.has(t, m, kill)
	c.types(t, kill)
	over(t, r, "failed")
	c.has(t, c.replied(t, m, "resolved after "), address, "it ended: ")
}

// tellsOwner: the DAG's tags say what is too long, who is told, and what to read.
func (c checkedAirflow) tellsOwner(t *testing.T) {
	r := c.hang(t, "checked_owned")
	m := c.told(t, "checked_owned@"+r.ID, "running for ")
	c.has(t, m, "threshold: 4s", "https://wiki.example/orders")
	if m.Channel != c.slack.Channel("#orders") {
		t.Errorf("it is told in %s", m.Channel)
	}
	if err := r.Mark(deadline(t), "failed"); err != nil {
		t.Fatal(err)
	}
	if over := c.replied(t, m, "resolved after "); over.Channel != m.Channel {
		t.Errorf("its end is told in %s", over.Channel)
	}
}

// tellsFailure: who clears the run as the message says cares for it.
func (c checkedAirflow) tellsFailure(t *testing.T) {
	dir := t.TempDir()
	touch := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := c.triggerConf(t, "checked_fails", map[string]any{"dir": dir})
	address := "prod:checked_fails@" + r.ID
	m := c.told(t, address, "failed")
	c.has(t, m, "task: sum (BashOperator, failed)", "no such table", c.URL)
	retry := "outrider retry " + address
	c.has(t, m, retry)
	touch("fixed")
	c.types(t, retry)
	c.has(t, c.replied(t, m, "acknowledged"), "retried: "+address)
	touch("release")
	over(t, r, "success")
	c.replied(t, m, "resolved after ", "it succeeded at ")
}

// tellsBroken: a file with an import error, until it is mended.
func (c checkedAirflow) tellsBroken(t *testing.T) {
	const file = "from airflow import DAG\n\nwith DAG('checked_breaks', schedule=None):\n    pass\n"
	put := func(text string) {
		t.Helper()
		if err := c.PutDAG(inTheEnd(t), "checked_breaks.py", text, "checked_breaks"); err != nil {
			t.Fatal(err)
		}
	}
	put(file)
	put("import does_not_exist_xyz\n" + file)
	mended := false
	t.Cleanup(func() { // others take an import error for one of theirs
		if !mended {
			put(file)
		}
	})
	m := c.told(t, "prod:checked_breaks", "it cannot be read", "No module named 'does_not_exist_xyz'")
	put(file)
	mended = true
	c.replied(t, m, "resolved after ", "it can be read again")
}

// tellsPaused: a schedule that somebody turned off, and left so.
func (c checkedAirflow) tellsPaused(t *testing.T) {
	c.pause(t, "checked_off", true)
	t.Cleanup(func() { c.pause(t, "checked_off", false) })
	m := c.told(t, "prod:checked_off", "its schedule is off for ")
	c.pause(t, "checked_off", false)
	c.replied(t, m, "resolved after ", "its schedule is on again")
}

// tellsFull: a run that hangs keeps the next one waiting.
func (c checkedAirflow) tellsFull(t *testing.T) {
	first := c.hang(t, "checked_full")
	if _, err := first.WaitTask(deadline(t), "load", airflowtest.In("running")); err != nil {
		t.Fatal(err)
	}
	second := c.triggerConf(t, "checked_full", nil)
	m := c.told(t, "prod:checked_full", "1 of 1 runs at once are open")
	c.has(t, m, "checked_full@"+second.ID+" waits", "held by: prod:checked_full@"+first.ID+" for ")
	if err := first.Mark(deadline(t), "failed"); err != nil {
		t.Fatal(err)
	}
	over(t, second, "success")
	c.replied(t, m, "resolved after ")
}

// TestCheckerAirflowUnreachable: what serves the API is dead. Nobody knows what became of
// the alerts, and none is said to be over.
func TestCheckerAirflowUnreachable(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		c := a.checks(t, "rules: [{name: off, kind: disabled, workflow: checked_off, threshold: 1s}]\n")
		c.pass(t)
		c.pause(t, "checked_off", true)
		await(t, "the paused DAG among the alerts", func() bool { c.pass(t); return len(c.alerts(t, "rule=off")) > 0 })
		off := c.told(t, "prod:checked_off", "its schedule is off for ")

		server := a.Names()[0]
		a.killGroup(t, server)
		for n := 1; n <= 3; n++ {
			if len(c.slack.Messages()) != 1 {
				t.Fatalf("after %d looks in vain:\n%s", n-1, c.said())
			}
			if s := c.pass(t); s.Exit != watch.ExitUnknown || len(s.Sources) != 1 || s.Sources[0].Failure == "" {
				t.Errorf("%+v", s)
			}
		}
		dead := c.told(t, "CRITICAL: prod: it does not answer: ")
		if all := c.alerts(t, "rule=off"); len(all) != 1 || all[0].State != "firing" || !all[0].Frozen {
			t.Errorf("%+v", all)
		}
		if err := a.Restart(deadline(t), server); err != nil {
			t.Fatal(err)
		}
		c.pass(t)
		c.replied(t, dead, "resolved after ", "it answers again")
		if all := c.alerts(t, "rule=off"); len(all) != 1 || all[0].State != "firing" || all[0].Frozen {
			t.Errorf("%+v", all)
		}
		c.pause(t, "checked_off", false)
		c.pass(t)
		c.replied(t, off, "resolved after ", "its schedule is on again")
	})
}

// TestCheckerAirflowWithoutLogin sees health alone, and says so.
func TestCheckerAirflowWithoutLogin(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		cmd := newWorld(t).cmd()
		cmd.Path, cmd.Args = filepath.Join(bin, "outrider-checker"), []string{"outrider-checker", "--airflow", a.URL}
		code, stdout, stderr := ended(t, cmd)
		if code != 0 || strings.Contains(stderr, "WARNING") {
			t.Errorf("exit %d\n%s", code, stderr)
		}
		matches(t, stdout, `^airflow +airflow `+string(a.Version)+`\S* +ok +0 +0 +\d+ +runs: not looked at: `)
	})
}
