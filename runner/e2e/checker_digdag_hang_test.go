package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
)

// hangs is a workflow whose second task takes a second, until there is a file hang in the
// test's folder. Its log is long enough for Digdag to write a part of it.
func hangs(d digdag) digdagtest.Files {
	return digdagtest.Files{
		"etl.dig": "timezone: UTC\n_export: {OUTRIDER_DIGDAG_ENDPOINT: '" + d.URL + "'}\n+extract:\n  echo>: all orders are there\n+load:\n  sh>: outrider exec -- ./load\n",
		"load":    "#!/bin/sh\n[ -e " + d.dir + "/hang ] || exec sleep 1\nseq -f 'copied row %.0f of 9000000' 40000\ntouch " + d.dir + "/hangs\nexec sleep 1000\n",
	}
}

// stampOf is when Slack got a message.
func stampOf(t *testing.T, m slacktest.Message) time.Time {
	t.Helper()
	f, err := strconv.ParseFloat(m.TS, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMicro(int64(f * 1e6))
}

// TestCheckerDigdagHang: a run that hangs, from the message to the kill that it names and
// the recovery.
func TestCheckerDigdagHang(t *testing.T) {
	d := onDigdag(t)
	project := d.Push(hangs(d))
	for range 6 {
		d.done(d.Start(project, "etl"))
	}
	c := d.checks(d.URL, project, "  - {name: long, kind: running, project: "+project+", floor: 4s, cap: 4s}")
	const interval = 2 * time.Second
	c.watch(interval.String())
	d.write("hang", "")
	a := d.Start(project, "etl")
	d.await("hangs")
	m := c.told(seen("running for"))
	if late := stampOf(t, m).Sub(a.CreatedAt.Add(4 * time.Second)); late > interval+5*time.Second {
		t.Errorf("it is told %s after it was too long", late)
	}
	c.has(m, "WARNING: prod:"+project+"/etl@"+a.ID+": running for ", "usual: ", "in 6 successes", "threshold: 4s (the ",
		"task: +etl+load (sh>, running) for ", " of 9000000\n", d.URL+"/attempts/"+a.ID)
	kill := c.line(m, "kill it")
	if want := "outrider kill --yes prod:" + project + "/etl@" + a.ID; kill != want {
		t.Errorf("to kill it: %s, want %s", kill, want)
	}
	c.types(kill)
	if r := d.Wait(a.ID); r.Status != "killed" {
		t.Errorf("killed, it is %s: %v", r.Status, r.States())
	}
	over := c.told(func(r slacktest.Message) bool { return r.Thread == m.TS })
	c.has(over, "resolved after ", "etl@"+a.ID, "resolved: it ")
	threads := c.slack.Threads()
	if len(threads) != 1 || len(threads[0]) != 2 || threads[0][0].Edits != 1 || !strings.Contains(threads[0][0].Seen(), "resolved after ") {
		t.Errorf("one thread, edited once, is to have a message and its recovery:\n%s", c.said())
	}
}
