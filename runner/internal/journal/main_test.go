package journal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

// TestMain is also the main of the processes that the tests start: they are this
// binary with a role and a path as its arguments.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 {
		if role, ok := roles[os.Args[1]]; ok {
			if err := role(os.Args[2]); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	goleak.VerifyTestMain(m)
}

var roles = map[string]func(path string) error{
	"talk":   talkForEver,
	"outrun": outrunLimit,
	"weigh":  weigh,
}

func start(t *testing.T, role, path string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, role, path)
	cmd.Stderr = os.Stderr
	return cmd
}

func logPath(t *testing.T) string { return Path(filepath.Join(t.TempDir(), "logs"), "run") }

func readAll(t *testing.T, path string) []Entry {
	t.Helper()
	var all []Entry
	if err := Read(context.Background(), path, func(e Entry) error { all = append(all, e); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func texts(all []Entry) []string {
	out := make([]string, len(all))
	for i, e := range all {
		out[i] = e.Text
	}
	return out
}

// output puts the entries of a level together as Entry.More tells.
func outputOf(all []Entry, level string) string {
	var b strings.Builder
	for _, e := range all {
		if e.Level != level {
			continue
		}
		b.WriteString(e.Text)
		if !e.More {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func closed(t *testing.T, w *Writer) {
	t.Helper()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}
