// Command plugin misbehaves in the ways that the tests of the SDK need.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/outrider-run/outrider/sdk"
)

// The handshake has to survive this.
func init() { fmt.Println("printed in init") }

type none struct{}

type text struct {
	Text string `json:"text"`
}

func main() {
	fmt.Println("printed in main")
	sdk.Serve(
		sdk.Define("test.nothing", func(context.Context, *sdk.Run, none) (none, error) { return none{}, nil }),
		sdk.Define("test.raw_stdout", rawStdout),
		sdk.Define("test.partial_stdout", partialStdout),
		sdk.Define("test.spam", spam),
		sdk.Define("test.clean_up", cleanUp),
		sdk.Define("test.stubborn", stubborn),
		sdk.Define("test.environ", environ),
		sdk.Define("test.signals", signals),
		sdk.Define("test.ignored", ignored),
		sdk.Define("test.exit", func(context.Context, *sdk.Run, none) (none, error) { os.Exit(7); return none{}, nil }),
		sdk.Define("test.panic", func(context.Context, *sdk.Run, none) (none, error) { panic("no way") }),
		sdk.Define("test.big", func(_ context.Context, _ *sdk.Run, p struct {
			Bytes int `json:"bytes"`
		},
		) (text, error) {
			return text{strings.Repeat("x", p.Bytes)}, nil
		}),
	)
}

// rawStdout writes on descriptor 1 past Go, a line of 400 KB and no end.
func rawStdout(context.Context, *sdk.Run, none) (none, error) {
	b := []byte(strings.Repeat("x", 400_000))
	for len(b) > 0 {
		n, err := syscall.Write(1, b)
		if err != nil {
			return none{}, err
		}
		b = b[n:]
	}
	return none{}, nil
}

// partialStdout prints by Go, by descriptor and by a child, the last without an
// end of line.
func partialStdout(context.Context, *sdk.Run, none) (none, error) {
	fmt.Println("by fmt")
	syscall.Write(1, []byte("by descriptor\n"))
	cmd := exec.Command("printf", "by a child")
	cmd.Stdout = os.Stdout
	return none{}, cmd.Run()
}

func spam(_ context.Context, run *sdk.Run, p struct {
	Lines int `json:"lines"`
	Size  int `json:"size"`
},
) (none, error) {
	line := strings.Repeat("x", p.Size)
	for range p.Lines {
		run.Log().Info(line)
	}
	return none{}, nil
}

// cleanUp leaves a mark after it was cancelled, slowly.
func cleanUp(ctx context.Context, run *sdk.Run, p struct {
	Mark  string        `json:"mark"`
	Delay time.Duration `json:"delay"`
},
) (none, error) {
	run.Log().Info("ready")
	<-ctx.Done()
	time.Sleep(p.Delay)
	return none{}, errors.Join(ctx.Err(), os.WriteFile(p.Mark, []byte(context.Cause(ctx).Error()), 0o600))
}

// stubborn ignores every request to end and has a child that does too. It keeps
// a file in the run's folder.
func stubborn(_ context.Context, run *sdk.Run, _ none) (none, error) {
	dir, err := run.TempDir()
	if err != nil {
		return none{}, err
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		return none{}, err
	}
	cmd := exec.Command("sh", "-c", "trap '' TERM INT HUP; echo ready; sleep 1000 & wait; sleep 1000")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return none{}, err
	}
	if err := cmd.Start(); err != nil {
		return none{}, err
	}
	out.Read(make([]byte, 10))
	run.Log().Info("child", "pid", cmd.Process.Pid)
	select {}
}

// environ tells what a program started by the component sees.
func environ(context.Context, *sdk.Run, none) (text, error) {
	// The lifeline, descriptor 3, is the plugin's own.
	out, err := exec.Command("sh", "-c", "env; test -e /proc/self/fd/3 && echo LIFELINE=open; true").Output()
	return text{string(out)}, err
}

// signals sends itself what a terminal or a service manager would.
func signals(context.Context, *sdk.Run, none) (none, error) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE} {
		for range 3 {
			if err := syscall.Kill(os.Getpid(), s); err != nil {
				return none{}, err
			}
		}
	}
	return none{}, nil
}

// ignored tells which signals a program started by the component ignores.
func ignored(context.Context, *sdk.Run, none) (text, error) {
	out, err := exec.Command("sh", "-c", "grep SigIgn /proc/self/status").Output()
	if err != nil {
		return text{}, err
	}
	mask, err := strconv.ParseUint(strings.Fields(string(out))[1], 16, 64)
	return text{strconv.FormatUint(mask, 16)}, err
}
