package store

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childVar in the environment makes this binary one of the processes that a test needs;
// it names which. No test runs in it.
const childVar = "OUTRIDER_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childVar); name != "" {
		if err := children()[name](os.Args[1:]); err != nil {
			fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// children is what the processes can be.
func children() map[string]func(args []string) error {
	return map[string]func([]string) error{"pass": childPass, "play": childPlay, "open": childOpen}
}

// process is this binary, started again as one of them.
type process struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// start starts a process. What it prints is read line by line.
func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(exe, args...)}
	p.Env = append(os.Environ(), childVar+"="+name)
	p.Stderr = os.Stderr
	if p.in, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Kill() // most have ended by then
		_ = p.Wait()
	})
	return p
}

// line waits for the process to print a line.
func (p *process) line(t testing.TB) string {
	t.Helper()
	if !p.out.Scan() {
		t.Fatalf("%v ended: %v", p.Args[1:], p.Wait())
	}
	return p.out.Text()
}
