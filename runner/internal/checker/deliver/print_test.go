package deliver

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/message"
)

func TestTheConsoleHasABlankLineBetween(t *testing.T) {
	b := newBench(t, &fake{answer: success})
	b.put(event(alert.New, "console", "a", 1), event(alert.New, "console", "b", 1))
	b.deliver()
	want := message.Text(message.Of(event(alert.New, "console", "a", 1)), message.Plain) + "\n" + message.Text(message.Of(event(alert.New, "console", "b", 1)), message.Plain) + "\n"
	expect(t, "the console", b.console.String(), want)
}

func TestAFileHasALineForEachMessage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.ndjson")
	b := newBench(t, &fake{answer: success}, Receiver{Name: "log", File: path, Recovered: true})
	b.put(event(alert.New, "log", "a\nb", 1))
	b.deliver()
	// A crash has torn a line.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"version": 1, "ki`); err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	b.put(event(alert.Recovered, "log", "a\nb", 2))
	b.deliver()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(raw), "\n")
	if len(lines) != 4 || lines[3] != "" {
		t.Fatalf("%d lines: %s", len(lines), raw)
	}
	for i, want := range map[int]alert.EventKind{0: alert.New, 2: alert.Recovered} {
		var m message.Message
		if err := json.Unmarshal([]byte(lines[i]), &m); err != nil || m.Kind != want {
			t.Errorf("line %d: %s, %v", i, lines[i], err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
}

func TestAFileThatCannotBeWritten(t *testing.T) {
	b := newBench(t, &fake{answer: success}, Receiver{Name: "log", File: filepath.Join(t.TempDir(), "nowhere", "x")})
	b.put(event(alert.New, "log", "a", 1))
	if told := b.deliver(); len(told.Failed) != 1 || !strings.HasPrefix(told.Failed[0].Why, "open the file of alerts: ") || told.Failed[0].Permanent {
		t.Errorf("%+v", told)
	}
	expect(t, "what waits", b.waits(), "log 1")
}
