package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

func TestExitCodesMean(t *testing.T) {
	const more = "interpreter: sh\ncommand: [prog]\nexit_codes: {3: permanent, 4: fail, 75: retry, 99: skip}\n"
	const event = `echo '{"outrider":1,"error":{"code":"no_rows","message":"the table is empty"}}' >&3; `
	for program, want := range map[string]struct {
		state      sdktest.State
		code, text string
	}{
		"exit 0":  {sdktest.Success, "", ""},
		"exit 3":  {sdktest.Permanent, "", "exit status 3"},
		"exit 4":  {sdktest.Failed, "", "exit status 4"},
		"exit 75": {sdktest.Failed, "", "exit status 75"},
		"exit 99": {sdktest.Skipped, "", "exit status 99"},
		"exit 7":  {sdktest.Failed, "", "exit status 7"},
		"echo first >&2; echo last >&2; echo >&2; exit 7": {sdktest.Failed, "", "exit status 7: last"},
		"echo nothing new >&2; exit 99":                   {sdktest.Skipped, "", "nothing new"},
		"echo other >&2; " + event + "exit 3":             {sdktest.Permanent, "no_rows", "exit status 3: the table is empty"},
		event + "exit 8":                                  {sdktest.Failed, "no_rows", "exit status 8: the table is empty"},
		event + "exit 99":                                 {sdktest.Skipped, "", "the table is empty"},
		event + "exit 0":                                  {sdktest.Success, "", ""},
		"echo dying >&2; kill -SEGV $$":                   {sdktest.Failed, "", "killed by SIGSEGV"},
		"kill -KILL $$":                                   {sdktest.Failed, "", "killed by SIGKILL"},
	} {
		o := newComponent(t, more, "ulimit -c 0\n"+program).run("{}")
		if o.State != want.state || o.Code != want.code || !strings.HasPrefix(o.Error, want.text) || (want.text == "") != (o.Error == "") {
			t.Errorf("%s: %s, code %q, %q; want %+v", program, o.State, o.Code, o.Error, want)
		}
	}
	o := newComponent(t, more, event+"exit 0").run("{}")
	if got := fmt.Sprint(log(o, "warn", "")); !strings.Contains(got, "ended with exit status 0") {
		t.Errorf("an error and success: warned %s", got)
	}
}

func TestTheErrorNamesTheLineThatTellsWhatIsWrong(t *testing.T) {
	for name, tt := range map[string]struct{ program, interpreter, want string }{
		"Python": {"def f(): raise ValueError('boom')\nf()\n", "python", "ValueError: boom"},
		"Node":   {"throw Object.assign(new Error('boom'), {code: 'X'})\n", "node", "Error: boom"},
		"Ruby":   {"def f = raise('boom')\nf\n", "ruby", "boom (RuntimeError)"},
		"psql":   {"printf 'ERROR: no such table\\nLINE 1: x\\n        ^\\n' | grep -v LINE >&2; exit 1", "sh", "ERROR: no such table"},
		"odd":    {"printf '   indented\\n  ---\\n\\n' >&2; exit 1", "sh", "---"},
	} {
		if testing.Short() && tt.interpreter != "sh" {
			continue // needs more than Go
		}
		o := newComponent(t, "interpreter: "+tt.interpreter+"\ncommand: [prog]\n", tt.program).run("{}")
		if !strings.HasPrefix(o.Error, "exit status 1: ") || !strings.HasSuffix(o.Error, tt.want) {
			t.Errorf("%s: %q", name, o.Error)
		}
	}
}

func TestALongLastLineIsCutInTheError(t *testing.T) {
	o := sh(t, `head -c 100000 /dev/zero | tr '\0' x >&2; exit 1`).run("{}")
	if len(o.Error) > 600 || !strings.HasSuffix(o.Error, "x…") {
		t.Errorf("%d bytes: %.40s", len(o.Error), o.Error)
	}
}

var errStop = errors.New("operator said so")

// onceReady cancels when the line "ready" is logged.
func onceReady(t *testing.T) (ctx context.Context, see sdktest.Option) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	t.Cleanup(func() { cancel(nil) })
	return ctx, sdktest.OnLog(func(l sdktest.Line) {
		if l.Message == "ready" {
			cancel(errStop)
		}
	})
}

func TestACancelReachesTheWholeGroupAndEndsAsCancelled(t *testing.T) {
	for _, code := range []string{"0", "3", "99"} {
		ctx, see := onceReady(t)
		c := newComponent(t, "interpreter: sh\ncommand: [prog]\nexit_codes: {3: permanent, 99: skip}\n",
			`trap 'echo sh heard; exit `+code+`' TERM
(trap 'echo child heard; exit' TERM; echo up; while :; do sleep 0.02; done) &
while :; do sleep 0.02; echo ready; done`)
		o := c.run("{}", sdktest.Context(ctx), see)
		if o.State != sdktest.Cancelled || !strings.Contains(o.Error, errStop.Error()) || !strings.Contains(o.Error, "exit status "+code) {
			t.Errorf("exit %s: %v", code, o.Err())
		}
		heard := fmt.Sprint(log(o, "info", ""))
		if !strings.Contains(heard, "sh heard") || !strings.Contains(heard, "child heard") {
			t.Errorf("exit %s: %s", code, heard)
		}
	}
}

func TestACancelOfACommandThatDoesNotHeedItIsForTheHostToEnd(t *testing.T) {
	// The host's SIGKILL goes to the group that the plugin leads, and the
	// command with its children stands in it: here one of them sends it.
	ctx, see := onceReady(t)
	dir := t.TempDir()
	c := sh(t, `trap '' TERM
sleep 600 & echo $! >`+dir+`/child; echo $$ >`+dir+`/command
sh -c 'while ! [ -e `+dir+`/cancelled ]; do sleep 0.02; done; kill -KILL 0' &
trap ': >`+dir+`/cancelled' TERM
while :; do echo ready; sleep 0.02; done`)
	o := c.run("{}", sdktest.Context(ctx), see)
	if o.State != sdktest.Crashed {
		t.Errorf("the group's SIGKILL left the plugin: %v", o.Err())
	}
	for _, name := range []string{"command", "child"} {
		awaitGone(t, readPid(t, dir+"/"+name))
	}
}

func TestWhatIsLeftInTheBackgroundDoesNotHoldTheRun(t *testing.T) {
	pidFile := t.TempDir() + "/pid"
	o := sh(t, `sleep 600 & echo $! >`+pidFile+`; echo '{"outrider":1,"output":{"a":1}}' >&3; echo said; exit 0`).run("{}")
	defer syscall.Kill(readPid(t, pidFile), syscall.SIGKILL) // there is no host to do it
	if o.Err() != nil || string(o.Output) != `{"a":1}` || len(log(o, "info", "")) != 1 {
		t.Errorf("%s, %v, %v", o.Output, o.Err(), o.Logs)
	}
	warned := log(o, "warn", "")
	if len(warned) != 1 || !strings.Contains(warned[0], "stdout, stderr, descriptor 3 are still open after 2s: held by sleep (pid ") {
		t.Errorf("warned %q", warned)
	}
}

func TestByHandASignalEndsTheCommandAndAllThatItStarted(t *testing.T) {
	dir := t.TempDir()
	fifo := dir + "/ready"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	c := sh(t, `(trap '' TERM; exec sleep 600 >/dev/null 2>&1 3>&1) & echo $! >`+dir+`/child
trap 'echo heard; exit 0' TERM
echo up >`+fifo+`
while :; do sleep 0.02; done`)
	cmd, _, stderr := byHand(t, "run", "test.script", "--manifest", c.dir+"/test.component.yml")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(fifo); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 143 || !strings.Contains(stderr.String(), "heard") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	awaitGone(t, readPid(t, dir+"/child"))
}

func TestByHandTheOutputIsOneLine(t *testing.T) {
	c := sh(t, `echo talk; echo '{"outrider":1,"output":{"a":1}}' >&3`)
	cmd, stdout, stderr := byHand(t, "run", "test.script", "--manifest", c.dir+"/test.component.yml", "--params", "-")
	cmd.Stdin = strings.NewReader(`{"x":1}`)
	temp := t.TempDir()
	cmd.Env = append(cmd.Environ(), "TMPDIR="+temp)
	if err := cmd.Run(); err != nil || stdout.String() != "{\"a\":1}\n" || !strings.Contains(stderr.String(), "talk") {
		t.Errorf("%v: %q, %s", err, stdout, stderr)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func readPid(t *testing.T, file string) int {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// awaitGone fails if the process is not gone, or dead and not yet reaped, soon.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}
