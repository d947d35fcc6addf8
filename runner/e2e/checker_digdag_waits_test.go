package e2e

import (
	"errors"
	"testing"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
)

// TestCheckerDigdagWaits: Digdag calls a run running that no executor takes up. Its tasks
// tell that it waits for too long, and that nothing begins or ends. Both are over when a
// server with an executor comes.
func TestCheckerDigdagWaits(t *testing.T) {
	d := onDigdagWith(t, map[string]string{"server.executor.enabled": "false"})
	address, behind := front(t)
	behind(d.URL)
	project := d.Push(digdagtest.Files{"hold.dig": held(d)})
	c := d.checks(address, project, "  - {name: queued, kind: queued, threshold: 1s}", "  - {name: stalled, kind: stalled, threshold: 2s}")
	c.pass()
	hold := d.Start(project, "hold")
	of := "prod:" + project + "/hold@" + hold.ID
	waits := c.until(seen("waiting to begin for "))
	c.has(waits, "WARNING: "+of+": waiting to begin for ", "outrider kill --yes "+of)
	still := c.until(seen("none began or ended for "))
	c.has(still, "CRITICAL: prod: 1 runs wait, and none began or ended for ", of)
	for range 2 { // without a closer look it is called running again
		c.pass()
	}
	if n := len(c.slack.Messages()); n != 2 {
		t.Errorf("%d messages\n%s", n, c.said())
	}
	d.Set("server.executor.enabled", "true")
	if err := errors.Join(d.Kill9(), d.Restart(d.Context())); err != nil {
		t.Fatal(err)
	}
	behind(d.URL)
	d.Until(hold.ID, "+hold+hold", "running")
	in := func(first slacktest.Message, texts ...string) func(slacktest.Message) bool {
		return func(m slacktest.Message) bool { return m.Thread == first.TS && seen(texts...)(m) }
	}
	c.until(in(waits, "resolved after ", "it is running now"))
	c.until(in(still, "resolved after ", "runs begin and end again"))
	d.release()
	d.done(hold)
	c.pass()
	if n := len(c.slack.Messages()); n != 4 {
		t.Errorf("%d messages\n%s", n, c.said())
	}
}
