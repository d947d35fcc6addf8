package double

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestSettings(t *testing.T) {
	s, err := readSettings([]byte("# comment\n\nagent.lock-retention-time = 8\nagent.enabled=false\nexecutor.attempt_max_run=3\ntmpdir=/t\n"))
	if err != nil {
		t.Fatal(err)
	}
	if s.engine.LockRetention != 8*time.Second || s.engine.AgentEnabled || s.engine.MaxAttempts != 3 || s.engine.TempDir != "/t" || s.engine.Heartbeat != time.Minute {
		t.Errorf("%+v", s)
	}
	for text, want := range map[string]string{
		"executor.task_ttl=4":          "line 1: executor.task_ttl: Invalid duration: 4",
		"executor.task_max_run=4":      "line 1: executor.task_max_run: not in the double of Digdag",
		"\nagent.lock-retention-time=": "line 2: agent.lock-retention-time: expected a number of seconds",
		"word":                         "line 1: expected key=value",
		"agent.enabled=maybe":          "agent.enabled: ",
	} {
		if _, err := readSettings([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestBadCommandLines(t *testing.T) {
	config := filepath.Join(t.TempDir(), "c")
	if err := os.WriteFile(config, []byte("nosuch=1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"":                                "usage: digdag-double server",
		"push":                            "usage: digdag-double server",
		"server":                          "-o DIR is needed",
		"server -m":                       "-m",
		"server -o d extra":               "extra",
		"server -o d -c " + config:        "nosuch: not in the double of Digdag",
		"server -o d -c " + config + "no": "no such file",
	} {
		var stderr bytes.Buffer
		if code := Main(strings.Fields(line), strings.NewReader(""), &bytes.Buffer{}, &stderr); code == 0 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: exit %d, %q; want %q", line, code, stderr.String(), want)
		}
	}
}
