package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bin is the folder of the built binaries.
var bin string

// shippedPlugins are those with components of their own.
var shippedPlugins = []string{"airflow", "digdag", "file", "net", "notify"}

func TestMain(m *testing.M) {
	code, err := withBinaries(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// withBinaries builds what the tests drive as `make build` does.
func withBinaries(run func() int) (int, error) {
	dir, err := os.MkdirTemp("", "ore")
	if err != nil {
		return 1, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	built := map[string]string{
		"outrider": "runner/cmd/outrider", "outrider-guard": "runner/cmd/outrider-guard", "outrider-checker": "runner/cmd/outrider-checker",
		"outrider-plugin-hello": "examples/hello", "outrider-plugin-probe": "runner/e2e/probe",
		"outrider-plugin-script": "plugins/script", "outrider-plugin-etl": "examples/etl",
	}
	for _, name := range shippedPlugins {
		built["outrider-plugin-"+name] = "plugins/" + name
	}
	for name, pkg := range built {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-tags", "urfave_cli_no_docs,grpcnotrace",
			"-o", filepath.Join(dir, name), module+pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return 1, fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	bin = dir
	code := run()
	return code, cleanups.do()
}

// cleanups end what tests share, such as an engine, after all of them.
var cleanups finals

type finals struct {
	mu   sync.Mutex
	list []func() error
}

// add has f done in the end, before those that were added earlier.
func (c *finals) add(f func() error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, f)
}

func (c *finals) do() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all error
	for _, f := range slices.Backward(c.list) {
		all = errors.Join(all, f())
	}
	return all
}

// root is the repository's folder.
func root(t testing.TB) string {
	t.Helper()
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(filepath.Dir(wd))
}

// world is a home of one test's own: state, cache and config.
type world struct{ home string }

func newWorld(t testing.TB) world {
	t.Helper()
	// Sockets stand below it, and t.TempDir's paths leave them no room.
	dir, err := os.MkdirTemp("", "w")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return world{dir}
}

func (w world) state() string { return filepath.Join(w.home, "s") }

// cmd is `outrider ARGS…` in this world, found beside its plugins.
func (w world) cmd(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "outrider"), args...)
	cmd.Env = w.env()
	return cmd
}

func (w world) env() []string {
	env := []string{"HOME=" + w.home, "OUTRIDER_STATE=" + w.state()}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "HOME=") && !strings.HasPrefix(kv, "OUTRIDER_") && !strings.HasPrefix(kv, "XDG_") {
			env = append(env, kv)
		}
	}
	return env
}

// ended runs cmd and returns its exit code and what it printed.
func ended(t testing.TB, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	if cmd.Stdout == nil {
		cmd.Stdout = &out
	}
	cmd.Stderr = &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// fifo makes a named pipe on which a task reports its pid.
func (w world) fifo(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(w.home, name)
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pidFrom waits until a task reports its pid.
func pidFrom(t testing.TB, fifo string) int {
	t.Helper()
	text, err := os.ReadFile(fifo)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// processes lists the living processes that have mark in their environment.
func processes(t testing.TB, mark string) []string {
	t.Helper()
	envs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, p := range envs {
		env, err := os.ReadFile(p)
		if err != nil || !bytes.Contains(env, []byte(mark)) {
			continue
		}
		cmd, _ := os.ReadFile(filepath.Join(filepath.Dir(p), "cmdline"))
		found = append(found, filepath.Base(filepath.Dir(p))+" "+string(bytes.ReplaceAll(cmd, []byte{0}, []byte(" "))))
	}
	return found
}

// gone waits until no process of this world is left.
func (w world) gone(t testing.TB, within time.Duration) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(within); ; time.Sleep(20 * time.Millisecond) {
		if left = processes(t, w.state()); len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there %s later: %q", within, left)
		}
	}
}

// leftovers lists what is in the folders of living runs.
func (w world) leftovers(t testing.TB) []string {
	t.Helper()
	var left []string
	for _, part := range []string{"live", "tmp"} {
		entries, err := os.ReadDir(filepath.Join(w.state(), part))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			left = append(left, part+"/"+e.Name())
		}
	}
	return left
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }
