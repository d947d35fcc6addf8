package e2e

import (
	"errors"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
)

// TestCheckerDigdagMissing: the scheduler was off when a run was due, and leaves it out when
// it is back. It is missing, with the command that starts it, and no more once that was
// typed.
func TestCheckerDigdagMissing(t *testing.T) {
	d := onDigdagWith(t, map[string]string{"schedule.enabled": "false"})
	address, behind := front(t)
	behind(d.URL)
	due := time.Now().UTC().Truncate(time.Minute).Add(-2 * time.Minute)
	d.pushFrom("missing", "daily.dig", "timezone: UTC\nschedule: {cron>: '"+due.Format("4 15")+" * * *', skip_delayed_by: 1s}\n+load:\n  echo>: loads ${session_time}\n", due.Add(-time.Minute))
	c := d.checks(address, "missing", "  - {name: missing, kind: missing, threshold: 1s}")
	c.pass()
	if n := len(c.slack.Messages()); n > 0 {
		t.Errorf("it may come yet:\n%s", c.said())
	}
	d.Set("schedule.enabled", "true")
	if err := errors.Join(d.Kill9(), d.Restart(d.Context())); err != nil {
		t.Fatal(err)
	}
	behind(d.URL)
	missing := c.until(seen("never started"))
	c.has(missing, "WARNING: prod:missing/daily: the run due at "+due.Format("15:04")+" UTC never started")
	list := func() []digdagtest.Attempt {
		t.Helper()
		var all struct{ Attempts []digdagtest.Attempt }
		if err := d.Get(d.Context(), "/api/attempts?project=missing", &all); err != nil {
			t.Fatal(err)
		}
		return all.Attempts
	}
	if all := list(); len(all) > 0 {
		t.Fatalf("it came after all: %+v", all)
	}
	c.types(c.line(missing, "start the run that was due at "+due.Format("2006-01-02 15:04 MST")))
	all := list()
	if len(all) != 1 || !all[0].SessionTime.Equal(due) {
		t.Fatalf("%+v, want one of %s", all, due)
	}
	d.done(all[0])
	over := c.until(func(m slacktest.Message) bool { return m.Thread == missing.TS && seen("resolved after ")(m) })
	if c.has(over, "runs start again"); seen("outrider start")(over) {
		t.Errorf("it was started, and people are told to start it\n%s", over.Seen())
	}
	if c.pass(); len(c.slack.Messages()) != 2 || len(c.firing("missing")) > 0 {
		t.Errorf("%s", c.said())
	}
}
