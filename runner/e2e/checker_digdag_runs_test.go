package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// held is a workflow that goes on when the test says so.
func held(d digdag) string {
	return "timezone: UTC\n+hold:\n  sh>: until [ -e \"" + d.dir + "/release\" ]; do sleep 0.05; done\n"
}

// TestCheckerDigdagBuried: a run is found under 150 newer ones, by a checker that saw it
// before and by one that never looked.
func TestCheckerDigdagBuried(t *testing.T) {
	d := onDigdag(t)
	project := d.Push(digdagtest.Files{"hold.dig": held(d), "quick.dig": "timezone: UTC\n+a:\n  echo>: a\n"})
	w, err := d.Workflow(d.Context(), project, "quick")
	if err != nil {
		t.Fatal(err)
	}
	hold := d.Start(project, "hold")
	d.Until(hold.ID, "+hold+hold", "running")
	before := d.checks(d.URL, project)
	before.pass()
	last := ""
	for i := range 150 {
		a, err := d.StartAttempt(d.Context(), digdagtest.StartRequest{WorkflowID: w.ID, SessionTime: time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC)})
		if err != nil {
			t.Fatal(err)
		}
		if last = a.ID; i%50 == 49 { // at most 100 may run at once
			d.done(a)
		}
	}
	d.Wait(last)
	const long = "  - {name: long, kind: running, threshold: 1s, workflow: hold}"
	before.configure(d.URL, project, long)
	for _, c := range []checked{before, d.checks(d.URL, project, long)} {
		m := c.until(seen("running for"))
		c.has(m, "prod:"+project+"/hold@"+hold.ID, "set to 1s", "+hold+hold (sh>, running)")
	}
	d.release()
	d.done(hold)
	before.has(before.until(seen("resolved after")), "it ended: success")
}

// TestCheckerDigdagRetried: what a person retries is acknowledged, with the new attempt,
// and over when that succeeds.
func TestCheckerDigdagRetried(t *testing.T) {
	d := onDigdag(t)
	project := d.Push(digdagtest.Files{"load.dig": "timezone: UTC\n+copy:\n  sh>: " +
		"'if [ ! -e " + d.dir + "/fixed ]; then echo no such table orders; exit 4; fi; until [ -e " + d.dir + "/release ]; do sleep 0.05; done'\n"})
	c := d.checks(d.URL, project)
	c.pass()
	first := d.Start(project, "load")
	d.Wait(first.ID)
	m := c.until(seen("failed"))
	c.has(m, "WARNING: prod:"+project+"/load@"+first.ID+": failed", "no such table orders", "+load+copy", "Command failed with code 4")
	d.write("fixed", "")
	c.types(c.line(m, "retry it"))
	var all struct{ Attempts []digdagtest.Attempt }
	if err := d.Get(d.Context(), "/api/attempts?project="+project, &all); err != nil {
		t.Fatal(err)
	}
	again := all.Attempts[0]
	if again.ID == first.ID || again.SessionID != first.SessionID {
		t.Fatalf("the retry is %+v", again)
	}
	d.Until(again.ID, "+load+copy", "running")
	inThread := func(texts ...string) func(slacktest.Message) bool {
		return func(r slacktest.Message) bool { return r.Thread == m.TS && seen(texts...)(r) }
	}
	c.until(inThread("acknowledged", "retried: prod:"+project+"/load@"+again.ID))
	if all := c.firing(project); len(all) != 1 || all[0].Kind != rule.Failed || all[0].Ack == nil {
		t.Errorf("%+v", all)
	}
	d.release()
	d.done(again)
	c.until(inThread("resolved after", "it succeeded at "))
	if all := c.firing(project); len(all) > 0 || len(c.slack.Threads()) != 1 {
		t.Errorf("%+v\n%s", all, c.said())
	}
}

// TestCheckerDigdagOwner: the owner of a workflow says in it how long it may take, where
// that is told and what to read, or that nobody is to look. What the config says goes
// before it.
func TestCheckerDigdagOwner(t *testing.T) {
	d := onDigdag(t)
	of := func(settings string) string { return "_export:\n  outrider: " + settings + "\n" + held(d) }
	project := d.Push(digdagtest.Files{
		"own.dig":     of("{threshold: 1s, channel: '#orders', runbook: 'https://wiki/own'}"),
		"off.dig":     of("{threshold: 1s, off: true}"),
		"central.dig": of("{threshold: 1s}"),
		"none.dig":    held(d),
	})
	c := d.checks(d.URL, project, "  - {name: central, kind: running, project: "+project+", workflow: central, threshold: 2h}")
	c.pass()
	started := map[string]digdagtest.Attempt{}
	for _, name := range []string{"own", "off", "central", "none"} {
		started[name] = d.Start(project, name)
	}
	for name, a := range started {
		d.Until(a.ID, "+"+name+"+hold", "running")
	}
	m := c.until(seen("running for"))
	if m.Channel != c.slack.Channel("#orders") {
		t.Errorf("it is told in %s", m.Channel)
	}
	c.has(m, project+"/own@"+started["own"].ID, "threshold: 1s (set to 1s", "https://wiki/own")
	c.pass()
	if all := c.firing(project); len(all) != 1 || all[0].Workflow != "own" || len(c.slack.Messages()) != 1 {
		t.Errorf("nothing else takes too long: %+v\n%s", all, c.said())
	}
	for name, want := range map[string]string{"central": "(set to 2h; timed from its creation); set by config", "own": "(set to 1s; timed from its creation); set by owner", "none": "set by default"} {
		out := c.types("outrider-checker explain 'prod:" + project + "/" + name + "'")
		if line := lineWith(out, "a run takes longer"); !strings.Contains(line, want) {
			t.Errorf("%s: no %q in %q\n%s", name, want, line, out)
		}
	}
	d.release()
	for _, a := range started {
		d.done(a)
	}
	c.until(seen("resolved after", "own@"))
}

func lineWith(text, part string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, part) {
			return line
		}
	}
	return ""
}
