package interp

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a folder that plays a whole machine: programs in it answer
// --version with what the test wants.
type machine struct {
	t    *testing.T
	root string
}

func newMachine(t *testing.T) machine { return machine{t: t, root: t.TempDir()} }

// program puts an executable shell script at path.
func (m machine) program(path, body string) string {
	m.t.Helper()
	full := filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		m.t.Fatal(err)
	}
	// Written under another name and renamed: a fork elsewhere in the test
	// cannot hold the program itself open for writing (text file busy).
	tmp := full + ".new"
	if err := os.WriteFile(tmp, []byte("#!/bin/sh\nPATH=/usr/bin:/bin\n"+body+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Rename(tmp, full); err != nil {
		m.t.Fatal(err)
	}
	return full
}

// says puts a program there that answers --version with text.
func (m machine) says(path, text string) string {
	return m.program(path, `[ "$1" = --version ] && echo '`+text+`'`)
}

func (m machine) finder(env ...string) Finder {
	path := "PATH=" + filepath.Join(m.root, "bin") + ":" + filepath.Join(m.root, "usr/bin")
	return Finder{
		Dir: filepath.Join(m.root, "work"),
		Env: append([]string{path, "HOME=" + filepath.Join(m.root, "home")}, env...),
	}
}

func (m machine) find(f Finder, want string) (Candidate, error) {
	m.t.Helper()
	if err := os.MkdirAll(f.Dir, 0o755); err != nil {
		m.t.Fatal(err)
	}
	r, err := Parse(want)
	if err != nil {
		m.t.Fatal(err)
	}
	return f.Find(m.t.Context(), r)
}

func TestFindPrefersTheVenvThenPathThenTheNewestManagedVersion(t *testing.T) {
	for _, tt := range []struct {
		name, want string
		programs   map[string]string // path: version text
		env        string
		found      string
	}{
		{
			name: "venv beside the script", want: "python>=3.11", found: "work/.venv/bin/python3",
			programs: map[string]string{"work/.venv/bin/python3": "Python 3.12.1", "bin/python3": "Python 3.13.0"},
		},
		{
			name: "folder called venv", want: "python>=3.11", found: "work/venv/bin/python",
			programs: map[string]string{"work/venv/bin/python": "Python 3.12.1", "bin/python3": "Python 3.13.0"},
		},
		{
			name: "venv too old", want: "python>=3.13", found: "bin/python3",
			programs: map[string]string{"work/.venv/bin/python3": "Python 3.12.1", "bin/python3": "Python 3.13.0"},
		},
		{
			name: "PATH in its order", want: "ruby", found: "bin/ruby",
			programs: map[string]string{"bin/ruby": "ruby 3.1.0", "usr/bin/ruby": "ruby 3.4.0"},
		},
		{
			name: "further on PATH", want: "ruby>=3.3", found: "usr/bin/ruby",
			programs: map[string]string{"bin/ruby": "ruby 3.1.0", "usr/bin/ruby": "ruby 3.4.0"},
		},
		{
			name: "python3 before python", want: "python", found: "usr/bin/python3",
			programs: map[string]string{"bin/python": "Python 2.7.18", "usr/bin/python3": "Python 3.11.2"},
		},
		{
			name: "versioned name", want: "python>=3.12", found: "usr/bin/python3.12",
			programs: map[string]string{"usr/bin/python3": "Python 3.11.2", "usr/bin/python3.12": "Python 3.12.4", "usr/bin/python3.9": "Python 3.9.1"},
		},
		{
			name: "pyenv, newest that fits", want: "python>=3.9,<3.13", found: "home/.pyenv/versions/3.12.1/bin/python3",
			programs: map[string]string{
				"bin/python3": "Python 3.8.1",
				"home/.pyenv/versions/3.9.18/bin/python3":    "Python 3.9.18",
				"home/.pyenv/versions/3.12.1/bin/python3":    "Python 3.12.1",
				"home/.pyenv/versions/3.13.0/bin/python3":    "Python 3.13.0",
				"home/.pyenv/versions/3.13.0/bin/python3.13": "Python 3.13.0",
			},
		},
		{
			name: "pyenv elsewhere", want: "python", env: "PYENV_ROOT", found: "opt/versions/3.12.1/bin/python",
			programs: map[string]string{"opt/versions/3.12.1/bin/python": "Python 3.12.1"},
		},
		{
			name: "rbenv", want: "ruby~3.3", found: "home/.rbenv/versions/3.3.8/bin/ruby",
			programs: map[string]string{
				"home/.rbenv/versions/3.3.8/bin/ruby": "ruby 3.3.8 (2025-04-09 revision b200bad6cd) [x86_64-linux]",
				"home/.rbenv/versions/3.4.0/bin/ruby": "ruby 3.4.0",
			},
		},
		{
			name: "nvm", want: "node>=20", found: "home/.nvm/versions/node/v22.1.0/bin/node",
			programs: map[string]string{
				"bin/node": "v18.19.0",
				"home/.nvm/versions/node/v20.11.0/bin/node": "v20.11.0",
				"home/.nvm/versions/node/v22.1.0/bin/node":  "v22.1.0",
				"home/.nvm/versions/node/v9.9.0/bin/node":   "v9.9.0",
			},
		},
		{
			name: "nodejs is node", want: "node", found: "bin/nodejs",
			programs: map[string]string{"bin/nodejs": "v18.19.0"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMachine(t)
			for path, text := range tt.programs {
				m.says(path, text)
			}
			f := m.finder()
			if tt.env != "" {
				f = m.finder(tt.env + "=" + filepath.Join(m.root, "opt"))
			}
			got, err := m.find(f, tt.want)
			if err != nil {
				t.Fatal(err)
			}
			if rel, _ := filepath.Rel(m.root, got.Path); rel != tt.found {
				t.Errorf("found %s, want %s", rel, tt.found)
			}
		})
	}
}

func TestFindSkipsWhatCannotBeRunAndShimsThatAnswerWithAnError(t *testing.T) {
	m := newMachine(t)
	shim := m.program("home/.pyenv/shims/python3", "echo 'pyenv: python3: command not found' >&2; exit 127")
	m.says("bin/python3", "Python 3.11.2")
	if err := os.Chmod(filepath.Join(m.root, "bin/python3"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(m.root, "usr/bin/python3"), 0o755); err != nil {
		t.Fatal(err)
	}
	good := m.says("home/.pyenv/versions/3.12.1/bin/python3", "Python 3.12.1")

	f := m.finder("PATH=" + filepath.Dir(shim) + ":" + m.root + "/bin:" + m.root + "/usr/bin")
	for _, want := range []string{"python", "python>=3.11"} {
		got, err := m.find(f, want)
		if err != nil {
			t.Fatal(err)
		}
		if got.Path != good {
			t.Errorf("%s: found %s, want %s", want, got.Path, good)
		}
	}
}

func TestAMissListsWhatWasFoundAndWhereItLooked(t *testing.T) {
	m := newMachine(t)
	m.says("work/.venv/bin/python3", "Python 3.11.7")
	m.says("bin/python3", "no version here")
	m.program("usr/bin/python3", "exit 3")
	m.says("home/.pyenv/versions/3.8.18/bin/python3", "Python 3.8.18")

	_, err := m.find(m.finder(), "python>=3.14")
	var miss *NotFoundError
	if !errors.As(err, &miss) {
		t.Fatalf("got %v, want a NotFoundError", err)
	}
	for _, want := range []string{
		"no interpreter python>=3.14",
		m.root + "/work/.venv/bin/python3 3.11.7",
		m.root + "/bin/python3 (--version names no version: no version here)",
		m.root + "/usr/bin/python3 (--version failed: exit status 3)",
		m.root + "/home/.pyenv/versions/3.8.18/bin/python3 3.8.18",
		"looked in: " + m.root + "/work/.venv/bin",
		"PATH (" + m.root + "/bin:" + m.root + "/usr/bin)",
		m.root + "/home/.pyenv/versions/*/bin",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}

	_, err = m.find(m.finder(), "nosuchlang")
	if err == nil || !strings.Contains(err.Error(), "found: none; looked in: ") {
		t.Errorf("nothing found: %v", err)
	}
}

func TestAnInterpreterThatHangsIsGivenUp(t *testing.T) {
	m := newMachine(t)
	// A child that keeps the pipe open must not hold up the search either.
	pidFile := filepath.Join(m.root, "pid")
	m.program("bin/python3", "sleep 600 & echo $! >"+pidFile+"; exec sleep 600")
	m.program("usr/bin/python3", "exec sleep 600")
	t.Cleanup(func() { // in a run the host ends it
		raw, _ := os.ReadFile(pidFile)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(raw))); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	f := m.finder()
	f.Timeout = 100 * time.Millisecond
	_, err := m.find(f, "python>=3.12")
	var miss *NotFoundError
	if !errors.As(err, &miss) || len(miss.Found) != 2 {
		t.Fatalf("got %v", err)
	}
	for _, c := range miss.Found {
		if c.Problem != "--version gave no answer within 100ms" {
			t.Errorf("%s: %s", c.Path, c.Problem)
		}
	}
}

func TestAnInterpreterThatFloodsIsReadToTheCapOnly(t *testing.T) {
	m := newMachine(t)
	m.program("bin/python3", "echo Python 3.12.0; head -c 4000000 /dev/zero")
	var out capped
	if n, err := out.Write(make([]byte, 4*probeOutput)); n != 4*probeOutput || err != nil || len(out.text) != probeOutput {
		t.Errorf("capped took %d, %v and holds %d", n, err, len(out.text))
	}
	if got, err := m.find(m.finder(), "python>=3.12"); err != nil || got.Version != "3.12.0" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestACancelEndsTheSearchWithItsCause(t *testing.T) {
	m := newMachine(t)
	m.says("bin/python3", "Python 3.12.0")
	r, err := Parse("python>=3")
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("operator said so")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	f := m.finder()
	f.Dir = m.root
	if _, err := f.Find(ctx, r); !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause", err)
	}
}

func TestWithoutAConstraintNothingIsAsked(t *testing.T) {
	m := newMachine(t)
	// As dash does: it does not know --version.
	sh := m.program("bin/sh", "exit 2")
	if got, err := m.find(m.finder(), "sh"); err != nil || got.Path != sh {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestFoldersWithPatternCharactersAreTakenAsTheyAre(t *testing.T) {
	m := newMachine(t)
	good := m.says("home [x]*/.pyenv/versions/3.12.1/bin/python3", "Python 3.12.1")
	got, err := m.find(m.finder("HOME="+m.root+"/home [x]*"), "python>=3.12")
	if err != nil || got.Path != good {
		t.Errorf("got %v, %v", got, err)
	}
}
