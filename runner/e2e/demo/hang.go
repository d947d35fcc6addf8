package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/outrider-run/outrider/dig/digdagtest"
)

// hanging is a workflow that waits for what never comes.
const hanging = "timezone: UTC\n_export: {OUTRIDER_DIGDAG_ENDPOINT: '%s'}\n+copy:\n  sh>: outrider exec -- sleep 3600\n"

// hang shows what outrider-checker tells of a job that hangs: the alert, the kill that it
// names, and the recovery.
func (e *digdag) hang(ctx context.Context) error {
	e.say("\nNow a job that hangs, with outrider-checker beside it. More than 3 s is too long here:\n")
	a, err := e.startHanging(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	checker := e.shell(ctx, "exec outrider-checker watch --every 1s --threshold 3s --digdag "+e.server.URL)
	out, err := checker.StdoutPipe()
	if err != nil {
		return err
	}
	if err := checker.Start(); err != nil {
		return fmt.Errorf("start outrider-checker: %w", err)
	}
	told := e.answer(ctx, out)
	cancel()
	_, _ = io.Copy(io.Discard, out)
	_ = checker.Wait() // it ends by our signal
	if told != nil {
		return told
	}
	// A task that runs on would outlive its server.
	_, err = e.server.WaitAttempt(context.WithoutCancel(ctx), a.ID)
	return err
}

func (e *digdag) startHanging(ctx context.Context) (a digdagtest.Attempt, err error) {
	dir := filepath.Join(e.temp, "hangs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return a, err
	}
	if err := os.WriteFile(filepath.Join(dir, "copy.dig"), fmt.Appendf(nil, hanging, e.server.URL), 0o600); err != nil {
		return a, err
	}
	if _, err := e.server.Push(ctx, "warehouse", dir); err != nil {
		return a, err
	}
	return e.server.StartWorkflow(ctx, "warehouse", "copy", nil)
}

// answer shows what the checker tells, and types what it says kills the run, until it tells
// that it is over.
func (e *digdag) answer(ctx context.Context, told io.Reader) error {
	lines := bufio.NewScanner(told)
	kill, over := "", false
	for lines.Scan() {
		e.say("%s", strings.TrimRight("  "+lines.Text(), " "))
		if _, line, found := strings.Cut(lines.Text(), "kill it: "); found {
			kill = line
		}
		over = over || strings.HasPrefix(lines.Text(), "resolved ")
		switch {
		case lines.Text() != "":
		case over:
			return nil
		case kill != "":
			e.say("  $ %s\n", kill)
			if out, err := e.shell(ctx, kill).CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w\n%s", kill, err, out)
			}
			kill = ""
		}
	}
	return fmt.Errorf("outrider-checker ended before the recovery: %w", context.Cause(ctx))
}

// shell does what a person types.
func (e *digdag) shell(ctx context.Context, line string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.Env = append(e.env(), "OUTRIDER_DIGDAG_ENDPOINT="+e.server.URL)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd
}
