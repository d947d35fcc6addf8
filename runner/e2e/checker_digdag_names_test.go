package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/message"
)

// TestCheckerDigdagNames: names and logs that would be mentions, markup, templates, colours
// or commands are shown as they are, in Slack and on a terminal.
func TestCheckerDigdagNames(t *testing.T) {
	d := onDigdag(t)
	const project = "names <!channel> & *{{.Title}}* 'quoted' \x1b[31m \u202e"
	const workflow = "&lt,{{.Nothing}}`echo,forged`%s[31m" // a workflow's may have no more than that
	dir := t.TempDir()
	text := "timezone: UTC\n+load:\n  sh>: " + `'printf "<!here> {{.Title}} \` + "`\\`\\`" + ` end \033[31m red\n"; exit 5'` + "\n"
	if err := os.WriteFile(filepath.Join(dir, workflow+".dig"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := d.checks(d.URL, "names .*")
	c.pass()
	if _, err := d.Server.Push(d.Context(), project, dir); err != nil {
		t.Fatal(err)
	}
	a := d.startIn(project, workflow, nil)
	d.Wait(a.ID)
	m := c.until(seen("failed"))
	c.has(m, message.Plain("prod:"+project+"/"), message.Plain(workflow), "<!here> {{.Title}}")
	if all := m.Special(); len(all) > 0 {
		t.Errorf("Slack makes something of %q in\n%s", all, m.Seen())
	}
	for _, text := range []string{m.Seen(), c.types("outrider-checker alerts list"), c.types("outrider-checker alerts history")} {
		if strings.ContainsAny(text, "\x1b\u202e") {
			t.Errorf("control characters are told: %q", text)
		}
	}
	if log := c.types(c.line(m, "see its log")); !strings.Contains(log, "<!here> {{.Title}}") {
		t.Errorf("the command for its log prints %q", log)
	}
	c.types(c.line(m, "acknowledge it"))
	c.types(strings.Replace(c.line(m, "silence it for two hours"), "'…'", "known", 1))
	raw, err := json.Marshal(c.firing(project))
	if err != nil || !strings.Contains(string(raw), `"ack"`) {
		t.Errorf("%v %s", err, raw)
	}
	if s := c.pass(); len(s.Alerts) == 0 || s.Alerts[0].Muted == "" || s.Alerts[0].Acked == "" {
		t.Errorf("%+v", s.Alerts)
	}
}
