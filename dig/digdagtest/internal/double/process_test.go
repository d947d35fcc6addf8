package double

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// build builds the program, which kills its process group and so cannot be us.
func build(tb testing.TB) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "digdag-double")
	if out, err := exec.Command("go", "build", "-o", path, "../../cmd/digdag-double").CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return path
}

// start starts it on the state in dir and waits until it tells its address.
func start(tb testing.TB, program, dir string) (*exec.Cmd, *os.File) {
	tb.Helper()
	info, config := filepath.Join(dir, "info"), filepath.Join(dir, "config")
	if err := os.WriteFile(config, []byte("tmpdir="+dir+"\nserver.runtime-info.path="+info+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(program, "server", "-o", dir, "-n", "0", "-c", config, "-lifeline")
	cmd.Stdin, cmd.SysProcAttr = stdin, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	stdin.Close()
	for {
		if _, err := os.Stat(info); err == nil {
			return cmd, lifeline
		}
		select {
		case <-tb.Context().Done():
			tb.Fatal("it does not start")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestItDiesWithWhoeverStartedIt(t *testing.T) {
	cmd, lifeline := start(t, build(t), t.TempDir())
	lifeline.Close()
	_ = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("ended with %v", cmd.ProcessState)
	}
}

// BenchmarkStart is from the start of the program to the first answer.
func BenchmarkStart(b *testing.B) {
	program := build(b)
	for b.Loop() {
		cmd, lifeline := start(b, program, b.TempDir())
		b.StopTimer()
		lifeline.Close()
		_ = cmd.Wait()
		b.StartTimer()
	}
}
