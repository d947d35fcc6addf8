package e2e

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
	"github.com/outrider-run/outrider/runner/internal/checker/rule"
)

// TestCheckerDigdagLate: a server without its scheduler starts nothing. What is due is
// late, with the command that starts it by hand, and is over once that was done; soon the
// scheduler itself is what is told, and nothing that it causes, until it goes on.
func TestCheckerDigdagLate(t *testing.T) {
	d := onDigdagWith(t, map[string]string{"schedule.enabled": "false"})
	address, behind := front(t)
	behind(d.URL)
	due := time.Now().UTC().Truncate(time.Minute).Add(-2 * time.Minute)
	daily := func(at time.Time) string {
		return "timezone: UTC\nschedule: {cron>: '" + at.Format("4 15") + " * * *'}\n+load:\n  echo>: loads ${session_time}\n"
	}
	d.pushFrom("late", "daily.dig", daily(due), due.Add(-time.Minute))
	c := d.checks(address, "late|old", "  - {name: late, kind: late, threshold: 30s}")
	c.pass()
	late := c.until(seen("not started"))
	c.has(late, "WARNING: prod:late/daily: due at "+due.Format("15:04")+" UTC")
	c.types(c.line(late, "start the run that was due at "+due.Format("2006-01-02 15:04 MST")))
	var all struct{ Attempts []digdagtest.Attempt }
	if err := d.Get(d.Context(), "/api/attempts?project=late", &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Attempts) != 1 || !all.Attempts[0].SessionTime.Equal(due) {
		t.Fatalf("%+v, want one of %s", all.Attempts, due)
	}
	d.done(all.Attempts[0])
	over := func(first slacktest.Message) {
		c.until(func(m slacktest.Message) bool { return m.Thread == first.TS && seen("resolved after")(m) })
	}
	over(late) // though the scheduler, if there was one, would say that it is due

	old := due.Add(-3 * time.Hour)
	d.pushFrom("old", "daily.dig", daily(old), old.Add(-time.Minute))
	dead := c.until(seen("CRITICAL: prod: scheduler is not well"))
	c.has(dead, "old/daily was to run at "+old.Format(time.RFC3339))
	for len(c.firing("old")) == 0 {
		c.pass()
	}
	if all := c.firing("old"); len(all) != 1 || all[0].Kind != rule.Late || !strings.HasPrefix(all[0].Muted, "caused by ") {
		t.Errorf("old: %+v", all)
	}
	d.Set("schedule.enabled", "true")
	if err := errors.Join(d.Kill9(), d.Restart(d.Context())); err != nil {
		t.Fatal(err)
	}
	behind(d.URL)
	over(dead)
	if threads := c.slack.Threads(); len(threads) != 2 {
		t.Errorf("%s", c.said())
	}
}

// pushFrom pushes one workflow, and says from when on its schedule counts.
func (d digdag) pushFrom(project, file, text string, from time.Time) {
	d.t.Helper()
	dir := d.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	archive, err := digdagtest.Archive(dir)
	if err != nil {
		d.t.Fatal(err)
	}
	q := url.Values{"project": {project}, "revision": {"r1"}, "schedule_from": {from.UTC().Format(time.RFC3339)}}
	r, err := http.NewRequestWithContext(d.Context(), http.MethodPut, d.URL+"/api/projects?"+q.Encode(), bytes.NewReader(archive))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/gzip")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		d.t.Fatalf("push %s: %s", project, answer.Status)
	}
}

// TestCheckerDigdagKilled: a server that is dead is unreachable after as many checks as
// the rule wants; what fired before is frozen meanwhile, not over.
func TestCheckerDigdagKilled(t *testing.T) {
	d := onDigdagWith(t, map[string]string{
		"agent.lock-retention-time": "3", "agent.heartbeat-interval": "1", "database.queue.expireLockInterval": "1",
	})
	address, behind := front(t)
	behind(d.URL)
	project := d.Push(digdagtest.Files{"hold.dig": held(d)})
	c := d.checks(address, project, "  - {name: long, kind: running, threshold: 1s}")
	c.pass()
	hold := d.Start(project, "hold")
	d.Until(hold.ID, "+hold+hold", "running")
	long := c.until(seen("running for"))
	if err := d.Kill9(); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if n := len(c.slack.Messages()); n != 1 {
			t.Errorf("%d messages after %d checks of a dead server\n%s", n, i, c.said())
		}
		if s := c.pass(); s.Exit != 3 || s.Sources[0].Failure == "" {
			t.Errorf("exit %d: %+v", s.Exit, s.Sources)
		}
	}
	down := c.told(seen("CRITICAL: prod: it does not answer"))
	for range 2 {
		c.pass()
	}
	if all := c.firing(project); len(all) != 1 || !all[0].Frozen || !strings.HasPrefix(all[0].Muted, "caused by ") || len(c.slack.Messages()) != 2 {
		t.Errorf("%+v\n%s", all, c.said())
	}
	if err := d.Restart(d.Context()); err != nil {
		t.Fatal(err)
	}
	behind(d.URL)
	inThread := func(first slacktest.Message) func(slacktest.Message) bool {
		return func(m slacktest.Message) bool { return m.Thread == first.TS }
	}
	c.has(c.until(inThread(down)), "resolved after ", "it answers again")
	if all := c.firing(project); len(all) != 1 || all[0].Frozen || all[0].Muted != "" || len(c.slack.Messages()) != 3 {
		t.Errorf("%+v\n%s", all, c.said())
	}
	d.release()
	d.done(hold)
	c.has(c.until(inThread(long)), "resolved after ", "it ended: success")
}
