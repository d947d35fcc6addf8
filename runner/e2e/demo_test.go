package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fresh is a copy of the repository with nothing built but the demo, beside it.
type fresh struct {
	world
	repo, tmp string
	program   string
}

func newFresh(t *testing.T) fresh {
	t.Helper()
	w := newWorld(t)
	f := fresh{world: w, repo: filepath.Join(w.home, "outrider"), tmp: filepath.Join(w.home, "t"), program: filepath.Join(w.home, "demo")}
	if err := os.Mkdir(f.tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	copyRepository(t, f.repo)
	if code, out, errs := ended(t, f.command("go", "build", "-tags", "urfave_cli_no_docs,grpcnotrace", "-o", f.program, "./runner/e2e/demo")); code != 0 {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
	return f
}

// command runs in the copy. The caches are the user's: Go's, and that of Airflow.
func (f fresh) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = f.repo
	for _, kv := range os.Environ() {
		// What make tells those that it starts is not for another one.
		if !strings.HasPrefix(kv, "MAKE") && !strings.HasPrefix(kv, "MFLAGS=") && !strings.HasPrefix(kv, "OUTRIDER_STATE=") {
			cmd.Env = append(cmd.Env, kv)
		}
	}
	cmd.Env = append(cmd.Env, "TMPDIR="+f.tmp, "GOFLAGS=-buildvcs=false")
	return cmd
}

// clean fails if a demo left a process or a file.
func (f fresh) clean(t *testing.T) {
	t.Helper()
	var left []string
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if left = processes(t, f.tmp); len(left) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("processes live on: %q", left)
		}
	}
	entries, err := os.ReadDir(f.tmp)
	if err != nil || len(entries) > 0 {
		t.Errorf("files are left: %v, %v", entries, err)
	}
}

// demoEnd is how a demo ends.
const demoEnd = `
  extract    success          {"orders":71,"duplicates":1,"bad":2}
  transform  success          {"cancelled":10,"paid":61,"revenue_cents":341516,"rows":23}
  check      success          {"groups":23,"orders":61,"quantity":118,"revenue_cents":341516}
  load       success          {"replaced":0,"revenue_cents":341516,"rows":23}

  the job    examples/etl/%[2]s
  its files  bin/demo/%[1]s
  task logs  bin/demo/%[1]s/logs
done: 4 tasks in SECONDS s; 2026-03 is loaded: 23 rows, 3415.16 EUR
`

// demoHang is what follows on Digdag.
const demoHang = `^
Now a job that hangs, with outrider-checker beside it. More than 3 s is too long here:

  INFO: digdag: is watched from now on: .*
  WARNING: (digdag:warehouse/copy@\d+): running for .*
    threshold: 3s \(set to 3s; .*
    task: \+copy\+copy \(sh>, running\) .*
    kill it: outrider kill --yes digdag:warehouse/copy@\d+
.*
  \$ outrider kill --yes digdag:warehouse/copy@\d+

  resolved after \d.*: digdag:warehouse/copy@\d+: running for .*
    resolved: it .*
$`

// TestDemo runs the README's command in a fresh copy of the repository, and then
// what else a demo may come to.
func TestDemo(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root(t), "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"```sh\nmake demo\n```", "`make demo-airflow`"} {
		if !strings.Contains(string(readme), text) {
			t.Errorf("the README does not hold %q", text)
		}
	}
	f := newFresh(t)
	t.Run("refusal", f.refusedDemo)
	t.Run("digdag", func(t *testing.T) { f.demo(t, "demo", "digdag", "etl.dig") })
	t.Run("second", f.secondDemo)
	t.Run("failure", f.failingDemo)
	t.Run("airflow", func(t *testing.T) { f.demo(t, "demo-airflow", "airflow", "etl.py") })
	t.Run("interrupt", f.interruptedDemo) // changes the copy
}

func (f fresh) demo(t *testing.T, target, engine, file string) {
	code, out, errs := ended(t, f.command("make", target))
	got := regexp.MustCompile(` in \d+\.\d s;`).ReplaceAllString(out, " in SECONDS s;")
	want, hang := fmt.Sprintf(demoEnd, engine, file), "^$"
	if engine == "digdag" {
		hang = "(?s)" + demoHang
	}
	if _, end, found := strings.Cut(got, want); code != 0 || !found || !regexp.MustCompile(hang).MatchString(end) {
		t.Fatalf("exit %d\n%s%s\nwant in the end\n%s%s", code, out, errs, want, hang)
	}
	for _, name := range []string{"orders.jsonl", "sales.csv", "shop.db", "logs/extract.log", "logs/transform.log", "logs/check.log", "logs/load.log"} {
		if st, err := os.Stat(filepath.Join(f.repo, "bin", "demo", engine, name)); err != nil || st.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	f.clean(t)
}

// secondDemo finds all built. How long it takes is make bench's.
func (f fresh) secondDemo(t *testing.T) {
	if code, out, errs := ended(t, f.command("make", "demo")); code != 0 {
		t.Fatalf("exit %d\n%s%s", code, out, errs)
	}
}

// failingDemo asks for a month without orders.
func (f fresh) failingDemo(t *testing.T) {
	code, out, errs := ended(t, f.command(f.program, "-month", "2031-01", "digdag"))
	if want := "demo: task extract ended as error\n"; code != 1 || errs != want {
		t.Errorf("exit %d, stderr %q, want %q", code, errs, want)
	}
	for _, want := range []string{"\n  extract    error\n  transform  blocked\n", "\nThe log of extract:\n  | ", "orders.csv has no order of 2031-01\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	f.clean(t)
}

// interruptedDemo presses Ctrl-C while a task runs.
func (f fresh) interruptedDemo(t *testing.T) {
	mark := f.fifo(t, "mark")
	stays := fmt.Sprintf("import os, time\nwith open(%q, 'w') as f:\n    f.write(str(os.getpid()))\ntime.sleep(1000)\n", mark)
	if err := os.WriteFile(filepath.Join(f.repo, "examples/etl/orders_transform.py"), []byte(stays), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := f.command(f.program, "digdag")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	task := pidFrom(t, mark)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(errs.String(), "interrupt") {
		t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
	}
	f.clean(t)
	if alive(task) {
		t.Error("the task lives on")
	}
}

// refusedDemo cannot be run, says why, and does nothing.
func (f fresh) refusedDemo(t *testing.T) {
	for want, args := range map[string][]string{
		"which engine, digdag or airflow? Not []": nil,
		`digdag or airflow? Not ["cron"]`:         {"cron"},
		"run `make build`":                        {"-bin", "nowhere", "digdag"},
	} {
		if code, out, errs := ended(t, f.command(f.program, args...)); code != 1 || out != "" || !strings.Contains(errs, want) {
			t.Errorf("%q: exit %d\n%s%s", args, code, out, errs)
		}
	}
	f.clean(t)
}
