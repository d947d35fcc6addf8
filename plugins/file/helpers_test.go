package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

// write makes a file below dir, and the folders to it.
func write(t *testing.T, dir, name, text string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	ok(t, os.MkdirAll(filepath.Dir(path), 0o755))
	ok(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// touch sets a file's time of change.
func touch(t *testing.T, path string, at time.Time) {
	t.Helper()
	ok(t, os.Chtimes(path, at, at))
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestThePluginServesBoth(t *testing.T) {
	bin := sdktest.Build(t, ".")
	path := write(t, t.TempDir(), "a.csv", "x\n")
	bin.Conform(t, "file.wait", sdktest.Case{Params: `{"glob":"` + path + `","unchanged_for":"0s"}`})
	bin.Conform(t, "file.check", sdktest.Case{Params: `{"path":"` + path + `","min_rows":1}`})
}
