package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
)

// TestCheckerDigdagMonitor: dig/monitor.dig with its endpoint, channel and threshold finds
// what hangs in another project, on its schedule, and in one that is pushed later; of the
// run that it is itself it says nothing, though that takes longer than the threshold too.
func TestCheckerDigdagMonitor(t *testing.T) {
	slack := slacktest.New(t, "#alerts")
	t.Setenv("SLACK_TOKEN", slacktest.Token)
	t.Setenv("SLACK_API_URL", slack.URL)
	d := onOwnDigdag(t)
	c := checked{digdag: d, slack: slack}
	push := func(project string, files digdagtest.Files) {
		dir := t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := d.Server.Push(d.Context(), project, dir); err != nil {
			t.Fatal(err)
		}
	}
	hold := func(project string) digdagtest.Attempt {
		push(project, digdagtest.Files{"etl.dig": held(d)})
		a := d.startIn(project, "etl", nil)
		d.Until(a.ID, "+etl+hold", "running")
		return a
	}
	d.slowly("outrider-checker", "3")
	text := edited(t, "monitor", here, d.URL, "'#data'", "'#alerts'", "threshold: usual ", "threshold: 2s ")
	push("ops", digdagtest.Files{"monitor.dig": text})
	first := hold("orders")
	m := c.told(seen("running for", "digdag:orders/etl@"+first.ID))
	if late := stampOf(t, m).Sub(first.CreatedAt.Add(2 * time.Second)); late > 70*time.Second {
		t.Errorf("it is told %s after it was too long", late)
	}
	second := hold("stock")
	d.done(d.startIn("ops", "monitor", nil))
	c.told(seen("running for", "digdag:stock/etl@"+second.ID))
	d.release()
	d.done(first)
	d.done(second)
	d.done(d.startIn("ops", "monitor", nil))
	c.told(func(r slacktest.Message) bool { return r.Thread == m.TS && seen("resolved after")(r) })
	if strings.Contains(c.said(), "ops/monitor") {
		t.Errorf("it tells of itself:\n%s", c.said())
	}
}
