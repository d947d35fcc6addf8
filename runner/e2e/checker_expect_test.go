package e2e

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
)

// TestCheckerCrontabLineStops: a line of a crontab under exec --expect is not called any
// more. That is told, with the command that does it now; done, it is over.
func TestCheckerCrontabLineStops(t *testing.T) {
	slack := slacktest.New(t, "#data")
	w := newCheckerWorld(t, fmt.Sprintf(`
rules: [{name: late, kind: late, threshold: 1s}]
receivers: {team: {component: slack.post, params: {token: env:SLACK_TOKEN, channel: '#data', api_url: %q}}}
routes: [{receiver: team}]
`, slack.URL))
	ctx := deadline(t)
	pass := func() {
		t.Helper()
		cmd := w.checker("check")
		cmd.Env = append(cmd.Env, "SLACK_TOKEN="+slacktest.Token)
		if code, out, said := ended(t, cmd); code > 1 {
			t.Fatalf("exit %d: %s%s", code, out, said)
		}
	}
	until := func(is func(slacktest.Message) bool) slacktest.Message {
		t.Helper()
		for ctx.Err() == nil {
			pass()
			for _, m := range slack.Messages() {
				if is(m) {
					return m
				}
			}
			time.Sleep(100 * time.Millisecond) // the clock alone makes it late
		}
		t.Fatalf("no such message:\n%s", checked{slack: slack}.said())
		return slacktest.Message{}
	}
	crawled := w.path("crawled")
	line := w.cmd("exec", "--name", "crawler", "--expect", "*/5 * * * *", "--", "sh", "-c", "echo crawled >> "+crawled)
	if code, _, said := ended(t, line); code != 0 {
		t.Fatalf("exit %d: %s", code, said)
	}
	db, err := sql.Open("sqlite", filepath.Join(w.state(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	hour := time.Hour.Milliseconds() // passes
	if _, err := db.Exec(`UPDATE outrider_runs SET asked_at = asked_at - ?, started_at = started_at - ?, ended_at = ended_at - ?, next_due = next_due - ?`, hour, hour, hour, hour); err != nil {
		t.Fatal(err)
	}
	var run string
	if err := db.QueryRow(`SELECT id FROM outrider_runs`).Scan(&run); err != nil {
		t.Fatal(err)
	}

	late := until(func(m slacktest.Message) bool { return tells(m, "outrider:crawler", "not started") })
	again := regexp.MustCompile("start the run that was due at [^\n]+\n```\n(.*)\n```").FindStringSubmatch(late.Seen())
	if again == nil || again[1] != "outrider runs rerun "+run {
		t.Fatalf("%q, want the line that runs %s again, in\n%s", again, run, late.Seen())
	}
	cmd := exec.Command("sh", "-c", again[1])
	cmd.Env = w.env()
	if code, out, said := ended(t, cmd); code != 0 {
		t.Errorf("%s: exit %d: %s%s", again[1], code, out, said)
	}
	var due int64
	if err := db.QueryRow(`SELECT next_due FROM outrider_runs ORDER BY id DESC LIMIT 1`).Scan(&due); err != nil || time.Until(time.UnixMilli(due)) <= 0 {
		t.Errorf("what was run again is due at %d, %v: if cron stays dead, nobody is told", due, err)
	}
	if text, err := os.ReadFile(crawled); err != nil || string(text) != "crawled\ncrawled\n" {
		t.Errorf("it crawled: %q, %v", text, err)
	}
	until(func(m slacktest.Message) bool { return m.Thread == late.TS && tells(m, "resolved after") })
}
