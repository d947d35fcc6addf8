package digdagtest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// quickDelivery are settings by which the tasks of a dead server come again
// within seconds.
func quickDelivery() map[string]string {
	return map[string]string{
		"agent.lock-retention-time": "3", "agent.heartbeat-interval": "1", "database.queue.expireLockInterval": "1",
	}
}

// copies is a command of which each copy makes itself known in dir by a file
// that its process id names. It waits for the end of its stdin, says so in a
// file, then waits for the file release and prints.
const copies = `#!/bin/sh
echo "$0" > DIR/part.$$; mv DIR/part.$$ DIR/copy.$$
(cat; touch DIR/eof.$$) > /dev/null 2>&1 < /dev/stdin &
until [ -e DIR/release ]; do sleep 0.02; done
echo through
`

// awaitCopies waits until n copies have started and gives their process ids, in
// no order, and the paths of their scripts.
func awaitCopies(s *Tester, dir string, n int) map[string]string {
	s.tb.Helper()
	found := map[string]string{}
	err := poll(s.Context(), 10*time.Millisecond, func() (bool, error) {
		paths, err := filepath.Glob(filepath.Join(dir, "copy.*"))
		for _, p := range paths {
			data, readErr := os.ReadFile(p)
			if readErr != nil {
				return false, readErr
			}
			found[strings.TrimPrefix(filepath.Ext(p), ".")] = strings.TrimSpace(string(data))
		}
		return len(found) >= n, err
	})
	if err != nil {
		s.tb.Fatalf("wait for %d copies, %d are there: %v", n, len(found), err)
	}
	return found
}

func TestKilledServerDeliversAgainWhileTheOldCopyRuns(t *testing.T) {
	s, dir := onOwn(t, quickDelivery()), t.TempDir()
	project := s.Push(Files{
		"w.dig":   "+a: {sh>: 'exec ./copy.sh'}\n+after: {echo>: after}\n",
		"copy.sh": strings.ReplaceAll(copies, "DIR", dir),
	})
	a := s.Start(project, "w")
	first := awaitCopies(s, dir, 1)
	before := s.Until(a.ID, "+w+a", "running")
	oldServer := s.PID()
	if err := s.Kill9(); err != nil {
		t.Fatal(err)
	}
	if s.ExitCode() != 137 {
		t.Errorf("the server ended with %d", s.ExitCode())
	}
	for pid := range first {
		s.AwaitFile(filepath.Join(dir, "eof."+pid)) // its stdin ends with the server
		if _, err := os.Stat("/proc/" + pid); err != nil {
			t.Errorf("the first copy went with the server: %v", err)
		}
	}
	if err := s.Restart(s.Context()); err != nil {
		t.Fatal(err)
	}
	if s.PID() == oldServer {
		t.Error("the server is the old one")
	}
	both := awaitCopies(s, dir, 2)
	for pid := range both {
		if _, err := os.Stat("/proc/" + pid); err != nil {
			t.Errorf("copy %s does not run any more: %v", pid, err)
		}
	}
	during := s.Until(a.ID, "+w+a", "running")
	if during.ID != before.ID || !during.StartedAt.Equal(*before.StartedAt) || !during.UpdatedAt.Equal(before.UpdatedAt) {
		t.Errorf("the task shows the second delivery: %+v, was %+v", during, before)
	}
	files, err := s.LogFiles(s.Context(), a.ID, "+w+a")
	if err != nil || len(files) != 2 || files[0].AgentID == files[1].AgentID {
		t.Errorf("log files %+v, want one of each server; %v", files, err)
	}
	workspaces, err := filepath.Glob(filepath.Join(s.TempDir, "workspace", "*"))
	if err != nil || len(workspaces) != 2 {
		t.Errorf("workspaces %v, want the old one beside the new one; %v", workspaces, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "release"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect(t, s.Wait(a.ID), "success", "+w success", "+w+a success", "+w+after success")
}

func TestServerRemembersAcrossAKill(t *testing.T) {
	s := onOwn(t, quickDelivery())
	project := s.Push(Files{"w.dig": "+a: {echo>: a}\n+b: {fail>: b}\n"})
	r := s.Wait(s.Start(project, "w").ID)
	old := must(t)(s.Log(s.Context(), r.ID, ""))
	if err := s.Kill9(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(s.Context()); err != nil {
		t.Fatal(err)
	}
	again := s.Wait(r.ID)
	expect(t, again, "error", r.States()...)
	if again.SessionUUID != r.SessionUUID || !again.FinishedAt.Equal(*r.FinishedAt) || must(t)(s.Log(s.Context(), r.ID, "")) != old {
		t.Errorf("now %+v, was %+v", again.Attempt, r.Attempt)
	}
	if next := s.Start(project, "w"); next.ID <= r.ID {
		t.Errorf("ids begin again: %s after %s", next.ID, r.ID)
	}
}

func TestTerminatedServerWaitsForItsTasks(t *testing.T) {
	s, dir := onOwn(t, quickDelivery()), t.TempDir()
	command, release := waiting(dir)
	a := s.Start(s.Push(Files{"w.dig": fmt.Sprintf("+a: {sh>: '%s'}\n+b: {sh>: 'echo by $FROM_SERVER'}\n", command)}), "w")
	process := pid(s, dir)
	if err := s.Terminate(); err != nil {
		t.Fatal(err)
	}
	// It answers on, and what runs is left alone.
	if x := s.Until(a.ID, "+w+a", "running"); x.CancelRequested || !alive(process) {
		t.Errorf("%+v", x)
	}
	release(t)
	select {
	case <-s.Exited():
	case <-s.Context().Done():
		t.Fatal("the server did not end after its last task")
	}
	if s.ExitCode() != 143 {
		t.Errorf("the server ended with %d, want 143", s.ExitCode())
	}
	var version struct{ Version string }
	if err := s.Get(s.Context(), "/api/version", &version); err == nil || status(err) == http.StatusOK {
		t.Error("something still answers")
	}
	if err := s.Restart(s.Context()); err != nil {
		t.Fatal(err)
	}
	r := s.Wait(a.ID)
	expect(t, r, "success", "+w success", "+w+a success", "+w+b success")
	if got := r.Output("+w+b"); got != "by inherited\n" {
		t.Errorf("printed %q", got)
	}
	// The old server took no further task.
	files, err := s.LogFiles(s.Context(), a.ID, "+w+b")
	if err != nil || len(files) != 1 || !strings.HasPrefix(files[0].AgentID, strconv.Itoa(s.PID())+"@") {
		t.Errorf("log files %+v, want one of the new server, %d; %v", files, s.PID(), err)
	}
}

func TestIdleServerEndsAtOnceWhenTerminated(t *testing.T) {
	s := onOwn(t, nil)
	if err := s.Terminate(); err != nil {
		t.Fatal(err)
	}
	<-s.Exited()
	if s.ExitCode() != 143 {
		t.Errorf("ended with %d, want 143", s.ExitCode())
	}
}
