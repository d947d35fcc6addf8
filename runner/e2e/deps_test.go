package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// machine is a PATH on which .ci/deps finds only what a test puts there.
type machine struct{ dir string }

func newMachine(t *testing.T, uid string) machine {
	t.Helper()
	m := machine{t.TempDir()}
	for _, name := range []string{"cat", "env", "mktemp", "rm", "sed", "chmod", "true"} {
		real, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real, filepath.Join(m.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	m.put(t, "id", "echo "+uid)
	return m
}

func (m machine) put(t *testing.T, name, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// apt puts an apt-get that keeps what it is asked for, and on install does more.
func (m machine) apt(t *testing.T, python, onInstall string) {
	t.Helper()
	m.put(t, "apt-get", `echo "$*" >>"`+m.dir+`/asked"
case "$*" in *" install "*) `+onInstall+` ;; esac`)
	m.put(t, "apt-cache", `echo "  Candidate: `+python+`"`)
}

// asked are the calls of apt-get, without its options.
func (m machine) asked() string {
	text, _ := os.ReadFile(filepath.Join(m.dir, "asked")) // not there: never called
	return strings.ReplaceAll(string(text), "-q -o DPkg::Lock::Timeout=120 ", "")
}

func (m machine) deps(t *testing.T, what ...string) (code int, errs string) {
	t.Helper()
	cmd := exec.Command("/bin/bash", append([]string{filepath.Join(root(t), ".ci", "deps")}, what...)...)
	cmd.Env = []string{"PATH=" + m.dir, "HOME=" + m.dir, "TMPDIR=" + t.TempDir()}
	code, out, errs := ended(t, cmd)
	return code, out + errs
}

func TestDepsRefuse(t *testing.T) {
	t.Run("no apt-get", func(t *testing.T) {
		code, said := newMachine(t, "0").deps(t)
		if code != 1 || !strings.HasPrefix(said, "make test needs, by their names in Debian: python3 python3-venv ") || !strings.HasSuffix(said, "There is no apt-get here: install them, then try again.\n") {
			t.Errorf("exit %d: %s", code, said)
		}
	})
	const line = "  sudo apt-get update && sudo apt-get install -y --no-install-recommends "
	for what, packages := range map[string]string{"demo": "python3\n", "demo-airflow": "python3 python3-venv\n"} {
		t.Run("no sudo, "+what, func(t *testing.T) {
			m := newMachine(t, "1000")
			m.apt(t, "3.11.2-1+b1", "")
			code, said := m.deps(t, what)
			if want := "make " + what + " needs: " + packages + "Install them, then try again:\n" + line + packages; code != 1 || said != want {
				t.Errorf("exit %d: %s, want\n%s", code, said, want)
			}
			if asked := m.asked(); asked != "" {
				t.Errorf("apt-get was called: %s", asked)
			}
		})
	}
	t.Run("sudo with a password", func(t *testing.T) {
		m := newMachine(t, "1000")
		m.apt(t, "3.11.2-1+b1", "")
		m.put(t, "sudo", `[ "$1" = -n ] || { echo asked for a password; exec "$@"; }; exit 1`)
		if code, said := m.deps(t, "demo"); code != 1 || !strings.HasSuffix(said, line+"python3\n") || m.asked() != "" {
			t.Errorf("exit %d: %s; apt-get: %s", code, said, m.asked())
		}
	})
	for _, uid := range []string{"0", "1000"} {
		t.Run("the system's Python is too new for uid "+uid, func(t *testing.T) {
			m := newMachine(t, uid)
			m.apt(t, "3.13.5-1", "")
			m.put(t, "python3", "exit 1") // what the check comes to in Python 3.13
			code, said := m.deps(t, "demo-airflow")
			if code != 1 || !strings.Contains(said, "needs a Python 3.10, 3.11 or 3.12 with venv; this system has 3.13.5-1.\n") || strings.Contains(m.asked(), "install") {
				t.Errorf("exit %d: %s; apt-get: %s", code, said, m.asked())
			}
		})
	}
	t.Run("apt-get fails", func(t *testing.T) {
		m := newMachine(t, "0")
		m.apt(t, "3.11.2-1+b1", "echo E: no such luck >&2; exit 100")
		code, said := m.deps(t, "demo")
		if code != 1 || !strings.Contains(said, "E: no such luck\n") || !strings.Contains(said, "By hand: apt-get install -y --no-install-recommends python3\n") {
			t.Errorf("exit %d: %s", code, said)
		}
	})
	t.Run("installed for nothing", func(t *testing.T) {
		m := newMachine(t, "0")
		m.apt(t, "3.11.2-1+b1", "")
		if code, said := m.deps(t, "demo"); code != 1 || !strings.Contains(said, "still not found: is PATH right?") {
			t.Errorf("exit %d: %s", code, said)
		}
	})
	t.Run("what for", func(t *testing.T) {
		if code, said := newMachine(t, "0").deps(t, "fun"); code != 1 || said != "what for? test, demo or demo-airflow, not fun\n" {
			t.Errorf("exit %d: %s", code, said)
		}
	})
}

func TestDepsInstall(t *testing.T) {
	const update, install = "update\n", "install -y --no-install-recommends "
	for _, uid := range []string{"0", "1000"} {
		for what, packages := range map[string]string{"demo": "python3\n", "demo-airflow": "python3 python3-venv\n"} {
			t.Run(what+" as uid "+uid, func(t *testing.T) {
				m := newMachine(t, uid)
				m.apt(t, "3.12.3-0ubuntu2", `echo '#!/bin/sh' >"`+m.dir+`/python3"; chmod +x "`+m.dir+`/python3"`)
				if uid != "0" {
					m.put(t, "sudo", `[ "$1" = -n ] || exit 1; shift; exec "$@"`)
				}
				if code, said := m.deps(t, what); code != 0 || m.asked() != update+install+packages {
					t.Errorf("exit %d: %s; apt-get: %s", code, said, m.asked())
				}
				// Now that all is there, nothing is done and nothing said.
				if code, said := m.deps(t, what); code != 0 || said != "" || m.asked() != update+install+packages {
					t.Errorf("again: exit %d: %s; apt-get: %s", code, said, m.asked())
				}
			})
		}
	}
}
