package e2e

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"golang.org/x/sys/unix"
)

// kill is one way in which a running task is ended from outside.
type kill struct {
	only  airflowtest.Version // empty: both
	dag   string              // empty: one whose task is made again when it fails
	shell string              // the task's command; empty: the call of outrider alone
	call  string              // empty: a component that does not stop when it is told to
	act   func(context.Context, *stay) error
	// orphans: act orphans the task. Else Airflow sends it a SIGTERM, later.
	orphans bool
	// reports: Airflow learns of the end by itself; 3 must not before all is gone.
	reports bool
	// retried: there is a second try.
	retried bool
	// state is what the first try ends in; empty: not looked at.
	state string
	// reason is what the log of the first try has to say in 3 and in 2, where the
	// task process does not read the task's last words. None where nobody is left
	// to take them.
	reason3, reason2 string
}

const (
	stubborn = "outrider run probe.stay --child --mark %s --obey=false"
	deaf     = `outrider exec -- bash -c 'trap "" TERM; printf %%s $$ >%s; sleep 1000 & sleep 1000'`
	sent     = "cancelled: the host was sent SIGTERM"
	marked   = "has been externally set to "
)

func kills() map[string]kill {
	return map[string]kill{
		"mark failed": {
			state: "failed", reason3: sent, reason2: marked + "failed",
			act: func(ctx context.Context, s *stay) error { return s.MarkTask(ctx, "run", "failed") },
		},
		"mark success": {
			state: "success", reason3: sent, reason2: marked + "success",
			act: func(ctx context.Context, s *stay) error { return s.MarkTask(ctx, "run", "success") },
		},
		"mark the run failed": {
			state: "failed", shell: "echo before; %s; echo after", reason3: sent, reason2: marked + "failed",
			act: func(ctx context.Context, s *stay) error { return s.Mark(ctx, "failed") },
		},
		"clear": {
			only:    airflowtest.V3, // in 2 it has no effect, most of the time
			retried: true, reason3: sent,
			act: func(ctx context.Context, s *stay) error { return s.ClearTask(ctx, "run") },
		},
		"clear the run": {
			retried: true, reason3: sent, reason2: marked + "restarting",
			act: func(ctx context.Context, s *stay) error { return s.Clear(ctx) },
		},
		// Both report it at once, so that only retry_delay keeps the next try away.
		"execution_timeout": {
			dag: "limited", state: "failed", retried: true, reason3: "Process timed out", reason2: "Timeout, PID",
			act: func(context.Context, *stay) error { return nil },
		},
		// The component says that all is well; yet the host ends with 143.
		"SIGTERM to the task process": {
			dag: "once", call: "outrider run probe.stay --child --mark %s --well", state: "failed", reports: true, reason3: "return code 143", reason2: "Task received SIGTERM signal",
			act: func(_ context.Context, s *stay) error { return syscall.Kill(s.above.Task, syscall.SIGTERM) },
		},
		"SIGKILL to the task process": {
			orphans: true, state: "failed", retried: true, reports: true, reason3: "Process terminated by signal", reason2: "return code -9",
			act: func(_ context.Context, s *stay) error { return syscall.Kill(s.above.Task, syscall.SIGKILL) },
		},
		"SIGKILL to the task process of a shell": {
			orphans: true, state: "failed", retried: true, reports: true, shell: "echo before; %s; echo after",
			reason3: "Process terminated by signal", reason2: "return code -9",
			act: func(_ context.Context, s *stay) error { return syscall.Kill(s.above.Task, syscall.SIGKILL) },
		},
		"mark failed a command": {
			state: "failed", call: deaf, reason3: sent, reason2: marked + "failed",
			act: func(ctx context.Context, s *stay) error { return s.MarkTask(ctx, "run", "failed") },
		},
		"SIGKILL to the task process of a command": {
			orphans: true, state: "failed", retried: true, reports: true, call: deaf,
			reason3: "Process terminated by signal", reason2: "return code -9",
			act: func(_ context.Context, s *stay) error { return syscall.Kill(s.above.Task, syscall.SIGKILL) },
		},
		"SIGKILL to the supervisor": {
			only: airflowtest.V3, orphans: true, state: "failed", retried: true, reports: true,
			act: func(_ context.Context, s *stay) error { return syscall.Kill(s.above.Supervisor, syscall.SIGKILL) },
		},
	}
}

// TestAirflowKills ends running tasks in every way that Airflow and an operator
// have: all that the component started is gone within 4 s, and before the next try.
func TestAirflowKills(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		rows := map[string]func(*testing.T){}
		for name, k := range kills() {
			if k.only == "" || k.only == a.Version {
				rows[name] = func(t *testing.T) { k.test(t, a) }
			}
		}
		if a.Version == airflowtest.V2 {
			rows["SIGKILL to the supervisor"] = a.finishesWithoutSupervisor
		}
		together(t, rows)
	})
}

func (k kill) test(t *testing.T, a airflow) {
	s := k.start(t, a)
	gone := s.watch(t)
	began := time.Now()
	if err := k.act(deadline(t), s); err != nil {
		t.Fatal(err)
	}
	if k.reports && a.Version == airflowtest.V3 {
		s.reportsAfter(t, gone)
	}
	<-gone.done
	if gone.at.IsZero() {
		t.Fatalf("the task lives on:\n%s", logText(t, s.Run, "run", 1))
	}
	if k.retried {
		s.findAgain(t, gone)
	}
	s.awaitLog(t, map[airflowtest.Version]string{airflowtest.V3: k.reason3, airflowtest.V2: k.reason2}[a.Version])
	if k.state != "" {
		if state := s.first(t); state != k.state {
			t.Errorf("the first try is %s, want %s", state, k.state)
		}
	}
	if !k.orphans {
		began = s.signalled(t)
	}
	gone.within(t, began)
}

// start starts a task for the test, and sees to its end.
func (k kill) start(t *testing.T, a airflow) *stay {
	t.Helper()
	call, shell, dag := cmp.Or(k.call, stubborn), cmp.Or(k.shell, "%s"), k.dag
	if dag == "" {
		// Airflow 2 does not wait for what it has sent a SIGTERM, nor for an orphan.
		if dag = "again"; a.Version == airflowtest.V2 {
			dag = "later"
		}
	}
	s := a.stays(t, dag, shell, call)
	t.Cleanup(s.end)
	return s
}

// findAgain waits for the second try, which must not start before the first is gone.
func (s *stay) findAgain(t *testing.T, gone *gone) {
	t.Helper()
	first := s.host
	s.find(t)
	if at := startOf(t, s.host); at.Before(gone.at) {
		t.Errorf("host %d of the second try started %s before all of the first, of host %d, had ended", s.host, gone.at.Sub(at), first)
	}
}

// finishesWithoutSupervisor is what Airflow 2 does: the task's success counts.
func (a airflow) finishesWithoutSupervisor(t *testing.T) {
	s := kill{call: "outrider run probe.stay --child --mark %s --for 5s", dag: "once"}.start(t, a)
	if err := syscall.Kill(s.above.Supervisor, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got := task(t, s.Run, "run"); got.State != "success" {
		t.Errorf("%+v\n%s", got, logText(t, s.Run, "run", 1))
	}
}

// reportsAfter sees to it that Airflow shows no other state of the task before all
// of it is gone.
func (s *stay) reportsAfter(t *testing.T, gone *gone) {
	t.Helper()
	now, err := s.WaitTask(deadline(t), "run", func(now airflowtest.Task) bool {
		select {
		case <-gone.done:
			return true
		default:
			return now.State != "running"
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-gone.done:
	default:
		t.Errorf("Airflow reports %s, and the task is still there", now.State)
	}
}

// awaitLog waits until the log of the first try has text. A task's last words get
// there late.
func (s *stay) awaitLog(t *testing.T, text string) {
	t.Helper()
	ctx := deadline(t)
	for all := ""; !strings.Contains(all, text); time.Sleep(200 * time.Millisecond) {
		if all = logText(t, s.Run, "run", 1); strings.Contains(all, "return code 0\n") {
			t.Errorf("it ended well after a signal:\n%s", all)
		}
		if ctx.Err() != nil {
			t.Fatalf("the log lacks %q:\n%s", text, all)
		}
	}
}

// first is the state that the first try ended in.
func (s *stay) first(t *testing.T) string {
	t.Helper()
	ctx := deadline(t)
	for {
		tries, err := s.Tries(ctx, "run")
		if err != nil {
			t.Fatal(err)
		}
		if len(tries) > 0 && tries[0].Try == 1 && tries[0].State != "running" {
			return tries[0].State
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// signalled is when Airflow sent the first try a SIGTERM, by its own log.
func (s *stay) signalled(t *testing.T) time.Time {
	t.Helper()
	lines, err := s.Log(deadline(t), "run", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines {
		if strings.Contains(l.Text, "Sending SIGTERM ") {
			return l.Time
		}
	}
	t.Fatal("Airflow did not log its SIGTERM")
	return time.Time{}
}

// gone tells when a task's host, plugin and all of the plugin's group were gone.
type gone struct {
	done chan struct{} // closed then
	at   time.Time     // read it after done; zero: they live on
}

// within sees to it that all was gone in time after began.
func (g *gone) within(t *testing.T, began time.Time) {
	t.Helper()
	took := g.at.Sub(began)
	t.Logf("all was gone after %s", took.Round(time.Millisecond))
	if took > 4*time.Second {
		t.Error("that is too late")
	}
}

// watch waits for the end of the try that runs.
func (s *stay) watch(t *testing.T) *gone {
	ctx := deadline(t)
	host, group := s.host, s.plugin
	g := &gone{done: make(chan struct{})}
	go func() {
		defer close(g.done)
		for ; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			if !running(host) && errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) {
				g.at = time.Now()
				return
			}
		}
	}()
	return g
}

// running reports whether a process is there and no zombie: Airflow does not
// collect what it does not wait for.
func running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.HasPrefix(text[bytes.LastIndexByte(text, ')')+1:], []byte(" Z"))
}

// end ends what a test has no more use for.
func (s *stay) end() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_ = s.Mark(ctx, "failed") // or a third try would start; it may be so already
	for _, p := range s.processes {
		_ = p.Kill() // it may be gone
	}
}

// startOf is when a process started, by its 22nd field in /proc, in ticks since
// boot.
func startOf(t *testing.T, pid int) time.Time {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	const perSecond = 100 // USER_HZ, the same on every Linux
	ticks, err := strconv.Atoi(string(bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])[19]))
	if err != nil {
		t.Fatal(err)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
		t.Fatal(err)
	}
	return time.Now().Add(time.Duration(ticks)*time.Second/perSecond - time.Duration(now.Nano()))
}
