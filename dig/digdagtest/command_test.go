package digdagtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestOutputsAreOnePipeInOrder(t *testing.T) {
	r := onShared(t).Run(`
+a:
  sh>: echo one; echo two >&2; echo three; printf '\377 no newline'
`)
	if !r.Success || r.Status != "success" {
		t.Fatalf("attempt is %s: %v", r.Status, r.States())
	}
	if got, want := r.Output("+w+a"), "one\ntwo\nthree\n\xff no newline"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// wrapper writes what it sees to a file and then runs what it was asked to. It
// looks at its descriptors from subshells, so as not to change them.
const wrapper = `#!/bin/sh
for a in "$@"; do echo "arg $a" >> SEEN; done
echo "cwd $(pwd -P)" >> SEEN
for n in 0 1 2 3 4 5; do (readlink /proc/$$/fd/$n || echo closed) >> SEEN; done
read -r _ _ _ ppid pgrp _ < /proc/$$/stat
echo "ids $ppid $pgrp" >> SEEN
echo "mode $(stat -c %a "$2") $(cat "$2")" >> SEEN
exec "$@"
`

func TestWhatAWrapperSees(t *testing.T) {
	s, dir := onShared(t), t.TempDir()
	seen, wrap := filepath.Join(dir, "seen"), filepath.Join(dir, "wrap.sh")
	if err := os.WriteFile(wrap, []byte(strings.ReplaceAll(wrapper, "SEEN", seen)), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, dig := range map[string]string{
		"shell of the task": fmt.Sprintf("+a:\n  sh>: echo ran\n  shell: [%s, sh]\n", wrap),
		"sh of all tasks":   fmt.Sprintf("_export:\n  sh:\n    shell: [%s, sh]\n+a:\n  sh>: echo ran\n", wrap),
	} {
		t.Run(name, func(t *testing.T) {
			s := s.For(t)
			r := s.Run(dig)
			if got := r.Output("+w+a"); got != "ran\n" {
				t.Errorf("the script printed %q", got)
			}
			text, err := os.ReadFile(seen)
			if err = errors.Join(err, os.Remove(seen)); err != nil {
				t.Fatal(err)
			}
			var pipe, out string
			id := r.Task("+w+a").ID
			for i, want := range []string{
				`arg sh`,
				`arg \.digdag/tmp/digdag-sh-` + id + `-\d+/runner\.sh`,
				`cwd ` + regexp.QuoteMeta(s.TempDir) + `/workspace/` + r.Project.ID + `_w_` + r.ID + `_` + id + `_\d+`,
				`(pipe:\[\d+\])`, `(pipe:\[\d+\])`, `(pipe:\[\d+\])`, `closed`, `closed`, `closed`,
				fmt.Sprintf(`ids %d %d`, s.PID(), s.PID()),
				`mode 644 echo ran`,
			} {
				lines := strings.Split(strings.TrimSpace(string(text)), "\n")
				if len(lines) != 11 {
					t.Fatalf("saw %d lines:\n%s", len(lines), text)
				}
				m := regexp.MustCompile("^" + want + "$").FindStringSubmatch(lines[i])
				switch {
				case m == nil:
					t.Errorf("saw %q, want %s", lines[i], want)
				case i == 3:
					pipe = m[1]
				case i == 4 && m[1] == pipe:
					t.Error("stdin and stdout are one pipe")
				case i == 4:
					out = m[1]
				case i == 5 && m[1] != out:
					t.Error("stdout and stderr are two pipes")
				}
			}
		})
	}
}

func TestStdinIsOpenAndSilent(t *testing.T) {
	r := onShared(t).Run(`
+a:
  sh>: timeout 0.3 cat; echo $?
`)
	if got := r.Output("+w+a"); got != "124\n" {
		t.Errorf("cat ended with %q, want it to hang until its timeout", got)
	}
}

func TestExitCodes(t *testing.T) {
	r := onShared(t).Run(`
_parallel: true
+three:
  sh>: exit 3
+signal:
  sh>: kill -9 $PPID_OF_NOBODY 2>/dev/null; sh -c 'kill -9 $PPID'
+number:
  sh>: 12
`)
	for name, want := range map[string]string{
		"+w+three":  "Command failed with code 3 (runtime)",
		"+w+signal": "Command failed with code 137 (runtime)",
		"+w+number": "Command failed with code 127 (runtime)",
	} {
		if x := r.Task(name); x.State != "error" || x.Error.Message != want || x.Error.Stacktrace == "" {
			t.Errorf("%s is %s with %+v, want %q", name, x.State, x.Error, want)
		}
	}
	if !r.Done || r.Success || r.Status != "error" {
		t.Errorf("attempt: %+v", r.Attempt)
	}
	log := must(t)(onShared(t).Log(t.Context(), r.ID, "+w+three"))
	if !strings.Contains(log, "Task failed with unexpected error: Command failed with code 3") || !strings.Contains(log, "sh>: exit 3") {
		t.Errorf("the log says %q", log)
	}
}

func TestProgramsThatCannotRun(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := onShared(t)
	r := s.Run(fmt.Sprintf(`
_parallel: true
+missing: {sh>: "true", shell: [/nonexistent, sh]}
+plain: {sh>: "true", shell: [%s, sh]}
+folder: {sh>: "true", shell: [%s]}
+text: {sh>: "true", shell: /bin/sh}
+nowhere: {sh>: "true", _workdir: nowhere}
+nothing: {sh>: null}
+object: {sh>: {a: 1}}
+badenv: {sh>: "true", _env: {"c-d": 2}}
+toolong: {sh>: "true", huge: "${Array(150000).join('x')}"}
`, plain, dir))
	for name, want := range map[string]string{
		"missing": `^java.io.IOException: Cannot run program "/nonexistent" \(in directory ".*"\): error=2, No such file or directory \(runtime\)$`,
		"plain":   `error=13, Permission denied \(runtime\)$`,
		"folder":  `error=13, Permission denied \(runtime\)$`,
		"text":    `^Expected array type for key 'shell' but got "/bin/sh" \(string\) \(config\)$`,
		"nowhere": `Cannot run program "/bin/sh" \(in directory ".*/nowhere"\): error=2, No such file or directory \(runtime\)$`,
		"nothing": `^Parameter '_command' is required but not set \(config\)$`,
		"object":  `^Expected string type for key '_command' but got {"a":1} \(object\) \(config\)$`,
		"badenv":  `^Invalid _env key name: c-d \(config\)$`,
		"toolong": `error=7, Argument list too long \(runtime\)$`,
	} {
		x := r.Task("+w+" + name)
		if ok := regexp.MustCompile(want).MatchString(x.Error.Message); !ok || x.State != "error" {
			t.Errorf("%s is %s: %s", name, x.State, x.Error.Message)
		}
	}
}

func TestScriptWithoutInterpreterLine(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("echo by the shell $1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := onShared(t).Run(fmt.Sprintf("+a: {sh>: 'true', shell: [%s, x]}\n", script))
	if got := r.Output("+w+a"); got != "by the shell x\n" {
		t.Errorf("got %q, %v", got, r.Task("+w+a").Error)
	}
}

func TestEachTaskHasItsOwnWorkspace(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{
		"w.dig": `
+first:
  sh>: scripts/hello.sh; cat data/x.txt; touch left; pwd
+second:
  sh>: ls; ls left
`,
		"scripts/hello.sh": "#!/bin/sh\necho hello\n",
		"data/x.txt":       "x\n",
	})
	r := s.Wait(s.Start(project, "w").ID)
	lines := strings.Split(r.Output("+w+first"), "\n")
	if strings.Join(lines[:2], " ") != "hello x" {
		t.Errorf("the first task printed %q", lines)
	}
	if got := r.Output("+w+second"); !strings.Contains(got, "data\nscripts\nw.dig\n") || r.Task("+w+second").State != "error" {
		t.Errorf("the second task saw %q", got)
	}
	if _, err := os.Stat(lines[2]); !os.IsNotExist(err) {
		t.Errorf("the workspace %s is left: %v", lines[2], err)
	}
}

func TestWorkdir(t *testing.T) {
	s := onShared(t)
	project := s.Push(Files{"w.dig": `
_export: {_workdir: sub}
+a:
  sh>: basename $(pwd); cat here; echo $0
`, "sub/here": "found\n"})
	r := s.Wait(s.Start(project, "w").ID)
	want := regexp.MustCompile(`^sub\nfound\n\.\./\.digdag/tmp/digdag-sh-\d+-\d+/runner.sh\n$`)
	if got := r.Output("+w+a"); !want.MatchString(got) {
		t.Errorf("got %q", got)
	}
}

func TestBackgroundChildHoldsTheTaskByItsOutput(t *testing.T) {
	s, dir := onShared(t), t.TempDir()
	release, ended := filepath.Join(dir, "release"), filepath.Join(dir, "ended")
	wait := "until [ -e " + release + " ]; do sleep 0.02; done"
	project := s.Push(Files{
		"free.dig": "+a:\n  sh>: '(" + wait + ") >/dev/null 2>&1 & echo started'\n",
		"held.dig": "+a:\n  sh>: '(" + wait + "; echo late) & echo started; touch " + ended + "'\n",
	})
	if free := s.Wait(s.Start(project, "free").ID); free.Output("+free+a") != "started\n" {
		t.Errorf("a child without our output: %v, printed %q", free.States(), free.Output("+free+a"))
	}
	held := s.Start(project, "held")
	s.AwaitFile(ended)
	if x := s.Until(held.ID, "+held+a", "running"); x.State != "running" {
		t.Errorf("the task is %s", x.State)
	}
	if err := os.WriteFile(release, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := s.Wait(held.ID); !r.Success || r.Output("+held+a") != "started\nlate\n" {
		t.Errorf("%v, printed %q", r.States(), r.Output("+held+a"))
	}
}
