package airflowtest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// victimEnv makes the test's program the victim of TestServersEndWithUs.
const victimEnv = "AIRFLOWTEST_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimEnv); dir != "" {
		if err := victim(dir); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// victim starts servers that leave orphans in sessions of their own, and waits to
// be killed.
func victim(dir string) error {
	py, err := findPython(context.Background())
	if err != nil {
		return err
	}
	k, err := startKeeper(py.path, []string{dir}, os.Environ())
	if err != nil {
		return err
	}
	const server = `trap "" TERM; (setsid sleep 1000 & setsid sleep 1000 &); echo up >../$0; while :; do sleep 1000; done`
	for _, name := range []string{"one", "two"} {
		if err := k.start(context.Background(), name, filepath.Join(dir, "log"), []string{"/bin/sh", "-c", server, name}); err != nil {
			return err
		}
	}
	select {}
}

func TestServersEndWithUs(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "servers")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fifos := []string{filepath.Join(parent, "one"), filepath.Join(parent, "two")}
	for _, fifo := range fifos {
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+dir)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for _, fifo := range fifos {
		if text, err := os.ReadFile(fifo); string(text) != "up\n" || err != nil {
			t.Fatalf("%q, %v", text, err)
		}
	}
	if n := marked(t, dir); n < 8 { // victim, keeper, servers and their orphans
		t.Fatalf("only %d processes", n)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := poll(ctx, func() (bool, error) { return marked(t, dir) == 0, nil })
	if err != nil {
		t.Errorf("%d processes live on", marked(t, dir))
	}
	if _, err := os.Stat(dir); err == nil {
		t.Errorf("%s is still there", dir)
	}
}

// marked counts the processes that have the victim's mark in their environment.
func marked(t *testing.T, dir string) int {
	t.Helper()
	envs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, path := range envs {
		env, err := os.ReadFile(path)
		if err == nil && bytes.Contains(env, []byte(victimEnv+"="+dir)) {
			n++
		}
	}
	return n
}
