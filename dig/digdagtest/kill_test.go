package digdagtest

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// waiting is a command that tells its process id and then waits for a file.
func waiting(dir string) (command string, release func(*testing.T)) {
	command = fmt.Sprintf("echo $PPID $$ > %[1]s/part; mv %[1]s/part %[1]s/started; until [ -e %[1]s/release ]; do sleep 0.02; done; echo through", dir)
	// In a .dig file $$ is one dollar.
	command = strings.ReplaceAll(command, "$$", "$$$$")
	return command, func(t *testing.T) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "release"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// pid reads the process id that a waiting command told.
func pid(s *Tester, dir string) int {
	fields := strings.Fields(s.AwaitFile(filepath.Join(dir, "started")))
	n, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		s.tb.Fatal(err)
	}
	return n
}

func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func status(err error) int {
	var answer *StatusError
	if errors.As(err, &answer) {
		return answer.Status
	}
	return 0
}

func TestKillReachesNoProcess(t *testing.T) {
	s, dir := onShared(t), t.TempDir()
	command, release := waiting(dir)
	a := s.Start(s.Push(Files{"w.dig": fmt.Sprintf("+a: {sh>: '%s'}\n+b: {echo>: never}\n_error: {echo>: never}\n", command)}), "w")
	process := pid(s, dir)
	s.Until(a.ID, "+w+a", "running")

	var before Attempt
	if err := s.Send(s.Context(), http.MethodPost, "/api/attempts/"+a.ID+"/kill", struct{}{}, &before); err != nil {
		t.Fatal(err)
	}
	if before.CancelRequested || before.ID != a.ID {
		t.Errorf("the answer shows the attempt after, not before: %+v", before)
	}
	during := s.Result(must2(t)(s.Attempt(s.Context(), a.ID)))
	if !during.CancelRequested || during.Done || during.Status != "running" || !during.Task("+w+a").CancelRequested {
		t.Errorf("while cancelling: %+v", during.Attempt)
	}
	expect(t, during, "running", "+w planned", "+w+a running", "+w+b blocked")
	if err := s.Kill(s.Context(), a.ID); err != nil {
		t.Errorf("a second kill while cancelling: %v", err)
	}
	if !alive(process) {
		t.Error("the process of the task is gone")
	}
	// The log of a running task is the header of a gzip file for a long time.
	if files, err := s.LogFiles(s.Context(), a.ID, "+w+a"); err != nil || len(files) != 1 || files[0].FileSize != 10 {
		t.Errorf("%+v, %v", files, err)
	}
	release(t)
	r := s.Wait(a.ID)
	expect(t, r, "killed", "+w canceled", "+w+a canceled", "+w+b blocked")
	if r.Success || !r.CancelRequested || r.Output("+w+a") != "through\n" {
		t.Errorf("%+v, printed %q", r.Attempt, r.Output("+w+a"))
	}
	if err := s.Kill(s.Context(), a.ID); status(err) != http.StatusConflict || !strings.Contains(err.Error(), `"Session attempt already killed or finished"`) {
		t.Errorf("kill of a dead attempt: %v", err)
	}
}

func TestKillWhileATaskWaitsForItsRetry(t *testing.T) {
	s, count := onShared(t), filepath.Join(t.TempDir(), "count")
	a := s.Start(s.Push(Files{"w.dig": fmt.Sprintf("+a:\n  _retry: {limit: 9, interval: 1}\n  sh>: echo x >> %s; exit 1\n", count)}), "w")
	s.Until(a.ID, "+w+a", "retry_waiting")
	if err := s.Kill(s.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	ran := must(t)(readFile(count))
	expect(t, s.Wait(a.ID), "killed", "+w canceled", "+w+a canceled")
	if again := must(t)(readFile(count)); again != ran {
		t.Errorf("ran once more after the kill: %q, then %q", ran, again)
	}
}
