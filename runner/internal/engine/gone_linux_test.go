package engine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// short is what is watched, without the words.
func (s *stage) short() []string {
	var list []string
	for _, why := range s.first.Watch {
		switch {
		case strings.HasPrefix(why, fmt.Sprintf("digdag's process %d ", s.engine.Process.Pid)):
			list = append(list, "engine")
		default:
			list = append(list, strings.TrimPrefix(why, "digdag closed the pipe of descriptor "))
		}
	}
	slices.Sort(list)
	return list
}

// hungUpPipe is a stdin whose other end is closed from the start.
func hungUpPipe(t *testing.T) *os.File {
	r, w := pipes(t)
	_ = w.Close()
	return r
}

// TestWhatIsWatchedUnderDigdag: the engine's process always, and those of the
// first three descriptors that are the engine's own pipes.
func TestWhatIsWatchedUnderDigdag(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		stdin  *os.File
		want   string
	}{
		"below the shell":           {`"$HOST"; :`, nil, "0 1 2 engine"},
		"bash between":              {`bash -c 'true; "$HOST"; true'; :`, nil, "0 1 2 engine"},
		"a shell of the task's own": {`sh .digdag/../again.sh .digdag/tmp/digdag-sh-12-345/runner.sh; :`, nil, "0 1 2 engine"},
		"reads from a producer":     {`cat | "$HOST"; :`, nil, "1 2 engine"},
		"writes to a reader":        {`"$HOST" | cat; :`, nil, "0 2 engine"},
		"redirected":                {`"$HOST" </dev/null >out 2>&1; :`, nil, "engine"},
		"in the background":         {`"$HOST" & wait`, nil, "1 2 engine"},
		"stdin hung up before":      {`"$HOST"; :`, hungUpPipe(t), "1 2 engine"},
		"stdin closed":              {`"$HOST" <&-; :`, nil, "1 2 engine"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := scripted(t, c.script)
			if err := os.WriteFile(filepath.Join(dir, "again.sh"), []byte(`"$HOST"; :`), 0o644); err != nil {
				t.Fatal(err)
			}
			s := raise(t, dir, c.stdin, digdagVars(), "/bin/sh", runner)
			if got := strings.Join(s.short(), " "); got != c.want || s.first.Engine != Digdag {
				t.Errorf("%s: watches %s, want %s", s.first.Engine, got, c.want)
			}
		})
	}
}

// TestHostAsTheShell is shell: [outrider, sh].
func TestHostAsTheShell(t *testing.T) {
	s := raise(t, scripted(t, ""), nil, digdagVars(), executable(t), runner)
	if got := strings.Join(s.short(), " "); got != "0 1 2 engine" {
		t.Errorf("watches %s", got)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// TestGone: each of the things that are watched is enough, and is named.
func TestGone(t *testing.T) {
	const script = `bash -c 'true; "$HOST"; true'; :`
	for fd := range 3 {
		t.Run(fmt.Sprintf("descriptor %d", fd), func(t *testing.T) {
			s := onDigdag(t, script, nil)
			s.close(fd)
			if got, want := s.next().Gone, fmt.Sprintf("digdag closed the pipe of descriptor %d", fd); got != want {
				t.Errorf("gone: %q, want %q", got, want)
			}
		})
	}
	t.Run("process", func(t *testing.T) {
		s := onDigdag(t, script, nil)
		s.kill(s.engine.Process.Pid)
	})
}

// kill kills a process and waits until the host names it.
func (s *stage) kill(pid int) {
	s.t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	if got, want := s.next().Gone, fmt.Sprintf("%s's process %d has ended", s.first.Engine, pid); got != want {
		s.t.Errorf("gone: %q, want %q", got, want)
	}
}

// TestNotGone: what a pipeline closes is nobody's end but its own. Only then the
// engine goes.
func TestNotGone(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		stdin  *os.File
	}{
		"producer ended": {`echo x | "$HOST"; :`, nil},
		"reader ended":   {`"$HOST" | true; :`, nil},
		"hung up before": {`"$HOST"; :`, hungUpPipe(t)},
	} {
		t.Run(name, func(t *testing.T) {
			s := onDigdag(t, c.script, c.stdin)
			s.kill(s.engine.Process.Pid)
		})
	}
}

func airflowVars(more ...string) []string {
	return append(more, "AIRFLOW_CTX_DAG_ID=d", "AIRFLOW_CTX_TASK_ID=t", "AIRFLOW_CTX_TRY_NUMBER=1")
}

// TestGoneUnderAirflow: in 3.x the end of the task process and that of its
// supervisor, in 2.x only the former.
func TestGoneUnderAirflow(t *testing.T) {
	bash := []string{"bash", "-c", `"$HOST"; true`}
	for name, c := range map[string]struct {
		vars  []string
		above int
		kill  int // which of them
	}{
		"3.x task":       {airflowVars(), 2, 0},
		"3.x supervisor": {airflowVars(), 2, 1},
		"2.x task":       {airflowVars("AIRFLOW_CTX_EXECUTION_DATE=x"), 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := raise(t, t.TempDir(), nil, c.vars, bash...)
			above := s.first.Above
			if s.first.Engine != Airflow || len(above) != c.above || len(above) == 2 && above[1] != s.engine.Process.Pid {
				t.Fatalf("%+v below %d", s.first, s.engine.Process.Pid)
			}
			if c.above == 1 { // its supervisor's end changes nothing
				if err := syscall.Kill(s.engine.Process.Pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			s.kill(above[c.kill])
		})
	}
}

// TestAirflowsOutputs: the pipe of the task's output is the engine's, its stdin
// is left alone.
func TestAirflowsOutputs(t *testing.T) {
	s := raise(t, t.TempDir(), nil, airflowVars(), "bash", "-c", `"$HOST"; true`)
	want := []string{"airflow closed the pipe of descriptor 1", "airflow closed the pipe of descriptor 2"}
	if got := s.first.Watch[2:]; !reflect.DeepEqual(got, want) {
		t.Errorf("watches %q, want %q", got, want)
	}
	s.close(0)
	s.close(2)
	if got := s.next().Gone; got != want[1] {
		t.Errorf("gone: %q", got)
	}
}

func TestEngineThatIsGoneAlready(t *testing.T) {
	ended := exec.Command("true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	pid := ended.Process.Pid
	gone, err := Engine{Name: Digdag, above: []int{pid}}.Gone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if why := <-gone; !strings.Contains(why.Error(), fmt.Sprint(pid)) {
		t.Errorf("gone: %v", why)
	}
}

// TestWatchEndsWithItsContext leaves no goroutine and no descriptor.
func TestWatchEndsWithItsContext(t *testing.T) {
	before := descriptors(t)
	for range 10 {
		ctx, cancel := context.WithCancel(context.Background())
		gone, err := Engine{Name: Digdag, child: os.Getpid(), above: []int{os.Getppid()}}.Gone(ctx)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if len(gone) > 0 {
			t.Errorf("gone: %v", <-gone)
		}
	}
	goleak.VerifyNone(t) // it waits until all of them are through
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestWithoutAnEngineNothingIsWatched(t *testing.T) {
	if list, err := (Engine{Name: None}).watchList(); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
