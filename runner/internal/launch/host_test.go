package launch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/protocol/taskv1"
)

// hostMain is a host of its own process: it runs a component of a plugin again
// and again, each time in a folder of its own, and prints what the task says.
func hostMain(args []string) {
	dir, path, component := args[0], args[1], args[2]
	for n := 0; ; n++ {
		o := Options{Command: Command{Path: path}, Dir: filepath.Join(dir, fmt.Sprint(n)), Env: os.Environ()}
		if err := os.Mkdir(o.Dir, 0o700); err != nil {
			panic(err)
		}
		p, err := Start(context.Background(), o)
		if err != nil {
			panic(err)
		}
		if _, err := p.Execute(context.Background(), &taskv1.Start{Component: component, Params: []byte("{}"), LogLevel: "info"}, teller{}); err != nil {
			panic(err)
		}
		p.Close()
		if err := os.RemoveAll(o.Dir); err != nil {
			panic(err)
		}
	}
}

type teller struct{ Events }

func (teller) Log(l *taskv1.LogLine) { fmt.Println(l.GetMessage()) }

// built is the folder with the plugin that stands on our SDK.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "orlp")
	if err != nil {
		return "", err
	}
	builtIn = dir
	out, err := exec.Command("go", "build", "-tags", "urfave_cli_no_docs,grpcnotrace", "-o", dir, "./internal/sdkplugin").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build sdkplugin: %w\n%s", err, out)
	}
	return dir, err
})

// builtIn is removed after the last test.
var builtIn string

func sdkPlugin(t testing.TB) string {
	t.Helper()
	dir, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "sdkplugin")
}

// host starts a host process.
func (b *bench) host(plugin, component string) (*exec.Cmd, *bufio.Reader) {
	b.t.Helper()
	cmd := exec.Command(executable(b.t), "host", b.o.Dir, plugin, component)
	cmd.Env = append(os.Environ(), markEnv+"="+b.mark)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	return cmd, bufio.NewReader(out)
}

// allGone waits until nothing carries the mark.
func (b *bench) allGone() {
	b.t.Helper()
	for end := time.Now().Add(hang); len(marked(b.mark)) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Error("the host is dead for a minute")
			noneLeft(b.t, b.mark)
			return
		}
	}
}

func TestPluginEndsWhenTheHostIsKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	plugin := sdkPlugin(t)
	for _, component := range []string{"test.wait", "test.stubborn"} {
		t.Run(component, func(t *testing.T) {
			b := newBench(t, "")
			cmd, out := b.host(plugin, component)
			if line, err := out.ReadString('\n'); err != nil || line != "ready\n" {
				t.Fatalf("printed %q, %v", line, err)
			}
			if len(marked(b.mark)) < 2 {
				t.Fatal("where is the plugin?")
			}
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			b.allGone()
			if left, _ := filepath.Glob(filepath.Join(b.o.Dir, "*")); len(left) > 0 {
				t.Errorf("left %q", left)
			}
		})
	}
}

func TestHostKilledAtRandomMoments(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	plugin := sdkPlugin(t)
	times := 200
	if testing.Short() {
		times = 30
	}
	b := newBench(t, "")
	dir := b.o.Dir
	for n := range times {
		b.o.Dir = filepath.Join(dir, fmt.Sprint(n))
		if err := os.Mkdir(b.o.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		cmd, _ := b.host(plugin, "test.quick")
		time.Sleep(time.Duration(rand.Int64N(int64(60 * time.Millisecond)))) // any moment will do
		_ = cmd.Process.Kill()
		var exit *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("the host ended by itself: %v", err)
		}
	}
	b.allGone()
}

func TestSDKPluginPrintsOnDescriptor1(t *testing.T) {
	b := newBench(t, "")
	b.o.Command = Command{Path: sdkPlugin(t)}
	p := b.start()
	r, err := p.Execute(t.Context(), &taskv1.Start{Component: "test.noisy", Params: []byte("{}"), LogLevel: "info"}, b.said)
	if err != nil || r.GetKind() != taskv1.Result_SUCCESS {
		t.Fatalf("result %v, error %v", r, err)
	}
	n := 0
	for _, e := range b.said.events {
		n += len(strings.TrimPrefix(e, "log "))
	}
	if n != 400<<10 {
		t.Errorf("%d bytes came", n)
	}
	inTime(t, "Close", p.Close)
}
