package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asNobody runs f on a thread that may read only what everybody may, also when
// the tests run as root.
func asNobody(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		_, _ = unix.SetfsuidRetUid(65534)
		f()
	}()
	<-done
}

func TestAnUnreadableFolderIsToldAndPassedOver(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a/1.csv", "x")
	locked := filepath.Dir(write(t, dir, "b/1.csv", "x"))
	write(t, dir, "c/1.csv", "x")
	ok(t, os.Chmod(filepath.Dir(dir), 0o755)) // the tests' own, closed to others
	ok(t, os.Chmod(locked, 0))
	var f found
	var err error
	asNobody(func() { f, err = look1(t, osDisk{}, dir, "**/*.csv") })
	ok(t, err)
	if got, want := relative(t, dir, f), []string{"a/1.csv", "c/1.csv"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if len(f.problems) != 1 || !strings.Contains(f.problems[0].Error(), locked) || !strings.Contains(f.problems[0].Error(), "permission denied") {
		t.Errorf("problems %q, want the folder %s", f.problems, locked)
	}
	text := timeoutError(waitParams{Glob: "**/*.csv", MinFiles: 3}, pattern{base: dir}, verdict{}, f.problems).Error()
	if !strings.Contains(text, locked) || !strings.Contains(text, "permission denied") {
		t.Errorf("the error does not name the folder: %s", text)
	}
}
