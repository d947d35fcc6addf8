package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPrintInterpreter is what the host asks for a task of Digdag's own py>.
func TestPrintInterpreter(t *testing.T) {
	dir := t.TempDir()
	for name, version := range map[string]string{"python3": "3.9.2", "python3.12": "3.12.4"} {
		script := "#!/bin/sh\necho Python " + version + "\n"
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(t.TempDir())
	t.Setenv("PATH", dir)
	t.Setenv("HOME", dir)
	for _, c := range []struct {
		want, out, errs string
		code            int
	}{
		{"python>=3.11", dir + "/python3.12\n", "", 0},
		{"python", dir + "/python3\n", "", 0},
		{"python>=3.14", "", "no interpreter python>=3.14 on this machine; found: " + dir + "/python3 3.9.2, " + dir + "/python3.12 3.12.4", 1},
		{"python>>3", "", "is not understood", 2},
	} {
		var out, errs bytes.Buffer
		code := printInterpreter(c.want, &out, &errs)
		if code != c.code || out.String() != c.out || !strings.Contains(errs.String(), c.errs) {
			t.Errorf("%s: %d, %q, %q", c.want, code, &out, &errs)
		}
	}
}
