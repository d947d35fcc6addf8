package airflowtest

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestOnceMakesWhatIsMissingOrHalfMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache", "venv")
	part := filepath.Join(dir, "part")
	broken := errors.New("no network")
	fails := func() error { return errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(part, nil, 0o600), broken) }
	if err := once(dir, fails); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("what is half-made was left")
	}
	// A killed process could not clean up.
	if err := errors.Join(os.Mkdir(dir, 0o700), os.WriteFile(part, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	made := 0
	makes := func() error { made++; return os.Mkdir(dir, 0o700) }
	for range 2 {
		if err := once(dir, makes); err != nil {
			t.Fatal(err)
		}
	}
	if made != 1 {
		t.Errorf("made %d times, want once", made)
	}
}

func TestOnceKeepsOthersWaiting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "venv")
	var inside, made atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			err := once(dir, func() error {
				if inside.Add(1) > 1 {
					t.Error("two at once")
				}
				defer inside.Add(-1)
				made.Add(1)
				return os.Mkdir(dir, 0o700)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := made.Load(); n != 1 {
		t.Errorf("made %d times, want once", n)
	}
}

func TestLocksAreOfTheirVersions(t *testing.T) {
	for _, v := range []Version{V2, V3} {
		if _, _, err := v.lock(); err != nil {
			t.Error(err)
		}
	}
	if _, _, err := Version("3.0.0").lock(); err == nil {
		t.Error("there is a lock for 3.0.0")
	}
}

// TestFindPythonNamesWhatIsMissing has a stub of pyenv that fails, a Python that is
// too new, and one that Debian has left without venv.
func TestFindPythonNamesWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	t.Setenv("PYENV_ROOT", dir)
	for _, c := range []struct{ name, script, want string }{
		{"python3.12", "exit 127", "none found"},
		{"python3", "printf '/p\\n3.13.5\\nTrue\\n'", "none found"},
		{"python3.11", "printf '/p\\n3.11.2\\nFalse\\n'", filepath.Join(dir, "python3.11") + " has no venv"},
	} {
		if err := os.WriteFile(filepath.Join(dir, c.name), []byte("#!/bin/sh\n"+c.script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		want := "airflow needs a Python 3.10, 3.11 or 3.12 with venv (" + c.want + "); on Debian and Ubuntu: apt-get install python3 python3-venv"
		if py, err := findPython(t.Context()); err == nil || err.Error() != want {
			t.Errorf("with %s: %v, %v, want %s", c.name, py, err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "python3.10"), []byte("#!/bin/sh\nprintf '/p\\n3.10.1\\nTrue\\n'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if py, err := findPython(t.Context()); err != nil || py != (python{"/p", "3.10.1"}) {
		t.Errorf("%v, %v", py, err)
	}
}
