package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

// airflow is a running Airflow whose tasks find the built binaries on PATH.
type airflow struct {
	*airflowtest.Server
	world world
}

// airflows start each version once, when the first test wants it.
var airflows = map[airflowtest.Version]func() (airflow, error){
	airflowtest.V3: sync.OnceValues(func() (airflow, error) { return startAirflow(airflowtest.V3) }),
	airflowtest.V2: sync.OnceValues(func() (airflow, error) { return startAirflow(airflowtest.V2) }),
}

func startAirflow(v airflowtest.Version) (airflow, error) {
	home, err := os.MkdirTemp("", "w")
	if err != nil {
		return airflow{}, err
	}
	cleanups.add(func() error { return os.RemoveAll(home) })
	dags, imports, err := testDAGs()
	if err != nil {
		return airflow{}, err
	}
	orders, err := readmeBlock("python")
	if err != nil {
		return airflow{}, err
	}
	files := map[string]string{"outrider_tests.py": dags, "orders.py": imports + "\n" + orders}
	a := airflow{world: world{home}}
	if err := errors.Join(addOperator(files), addDAGs(a.world, files)); err != nil {
		return airflow{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	a.Server, err = airflowtest.Start(ctx, airflowtest.Options{
		Version: v,
		// Airflow 3 holds requests up on SQLite when several tests change things.
		Database: airflowtest.Postgres,
		Config: map[string]string{
			// After so many seconds Airflow gives up a supervisor or a scheduler that
			// it does not hear of, and looks so often: 5 minutes are too long here.
			"scheduler.task_instance_heartbeat_timeout":                    "40",
			"scheduler.task_instance_heartbeat_timeout_detection_interval": "5",
			"scheduler.scheduler_zombie_task_threshold":                    "40", // 2's name
			"scheduler.zombie_detection_interval":                          "5",
			"scheduler.orphaned_tasks_check_interval":                      "5",
			// Files that have not changed are read again so seldom: else that alone keeps
			// a processor busy.
			"dag_processor.min_file_process_interval": "60",
			"scheduler.min_file_process_interval":     "60", // 2's name
		},
		DAGs:      files,
		Triggerer: true,
		Env:       append(a.world.env(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH")),
	})
	if err != nil {
		return airflow{}, err
	}
	cleanups.add(a.Stop)
	if err := os.WriteFile(a.world.readers(), []byte(a.Password), 0o600); err != nil {
		return airflow{}, err
	}
	return a, errors.Join(a.AwaitDAG(ctx, "values"), a.AwaitDAG(ctx, "orders"), a.AwaitDAG(ctx, "op_echo"))
}

// testDAGs are the DAGs of the tests, and how their file begins: with what any DAG file
// imports, whichever Airflow reads it.
func testDAGs() (whole, imports string, err error) {
	text, err := os.ReadFile("testdata/airflow/outrider_tests.py")
	imports, _, _ = strings.Cut(string(text), "\nCOMMAND = ")
	return string(text), imports, err
}

func dagImports(t *testing.T) string {
	t.Helper()
	_, imports, err := testDAGs()
	if err != nil {
		t.Fatal(err)
	}
	return imports
}

// onAirflow runs f on both versions at the same time.
func onAirflow(t *testing.T, f func(t *testing.T, a airflow)) {
	t.Helper()
	rows := map[string]func(*testing.T){}
	for _, v := range []airflowtest.Version{airflowtest.V3, airflowtest.V2} {
		rows[string(v)] = func(t *testing.T) {
			a, err := airflows[v]()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if t.Failed() {
					for _, name := range a.Names() {
						t.Logf("%s:\n%s", name, a.Output(name))
					}
				}
			})
			f(t, a)
		}
	}
	together(t, rows)
}

// together runs all rows at the same time, which t.Parallel does not do: they wait
// for an engine most of their time, not for a processor.
func together(t *testing.T, rows map[string]func(*testing.T)) {
	t.Helper()
	var all sync.WaitGroup
	for name, row := range rows {
		all.Go(func() { t.Run(name, row) })
	}
	all.Wait()
}

// deadline turns a hang into a failure.
func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// trigger starts a run of a DAG whose task runs command.
func (a airflow) trigger(t *testing.T, dag, command string) airflowtest.Run {
	t.Helper()
	return a.triggerConf(t, dag, map[string]any{"command": command})
}

func (a airflow) triggerConf(t *testing.T, dag string, conf map[string]any) airflowtest.Run {
	t.Helper()
	r, err := a.Trigger(deadline(t), dag, conf)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// task waits until a task has ended for good and returns how.
func task(t *testing.T, r airflowtest.Run, name string) airflowtest.Task {
	t.Helper()
	got, err := r.WaitTask(deadline(t), name, airflowtest.In("success", "failed", "skipped", "upstream_failed"))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// logText is the log of one try, without times.
func logText(t *testing.T, r airflowtest.Run, task string, try int) string {
	t.Helper()
	lines, err := r.Log(deadline(t), task, try)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.Text + "\n")
	}
	return text.String()
}

// outputs are what a task returned, read as the JSON that it has to be.
func outputs(t *testing.T, r airflowtest.Run, task string) map[string]any {
	t.Helper()
	text, ok, err := r.XCom(deadline(t), task)
	if err != nil || !ok {
		t.Fatalf("%s returned nothing: %v\n%s", task, err, logText(t, r, task, 1))
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%s returned %q: %v", task, text, err)
	}
	return out
}

// stay is a task that stays until it is stopped.
type stay struct {
	airflowtest.Run
	above        airflowtest.Above
	mark         string
	plugin, host int // or the command and its host
	// processes are both, held by descriptors: a number may soon be another's.
	processes []*os.Process
}

// stays triggers a run whose task stays, and waits until it does. shell is the
// task's command, in which %s is call, in which %s is the FIFO for its pid.
func (a airflow) stays(t *testing.T, dag, shell, call string) *stay {
	t.Helper()
	s := &stay{mark: a.world.fifo(t, strings.ToLower(rand.Text()))}
	call = fmt.Sprintf(call, s.mark)
	s.Run = a.trigger(t, dag, fmt.Sprintf(shell, call))
	s.find(t)
	return s
}

// find waits until a try of the task says that it runs, and finds its processes.
func (s *stay) find(t *testing.T) {
	t.Helper()
	said := make(chan []byte, 1)
	go func() {
		text, _ := os.ReadFile(s.mark) // what is wrong shows in the text
		said <- text
	}()
	ctx := deadline(t)
	for {
		select {
		case text := <-said:
			var err error
			if s.plugin, err = strconv.Atoi(string(text)); err != nil {
				t.Fatal(err)
			}
			if s.host, err = hostOf(s.plugin); err != nil {
				t.Fatal(err)
			}
			if s.above, err = airflowtest.FindAbove(s.host); err != nil {
				t.Fatal(err)
			}
			s.processes = nil
			for _, pid := range []int{s.plugin, s.host} {
				p, err := os.FindProcess(pid)
				if err != nil {
					t.Fatal(err)
				}
				s.processes = append(s.processes, p)
			}
			return
		case <-ctx.Done():
			now, err := s.Task(t.Context(), "run")
			state, stateErr := s.State(t.Context())
			t.Fatalf("the task does not run: it is %+v (%v) of a run that is %s (%v); its first try said:\n%s", now, err, state, stateErr, logText(t, s.Run, "run", 1))
		}
	}
}

// hostOf finds the host above a plugin, or above a command and its guard.
func hostOf(pid int) (int, error) {
	for {
		up, err := parent(pid)
		if err != nil {
			return 0, err
		}
		exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", up))
		if err != nil {
			return 0, err
		}
		if exe == filepath.Join(bin, "outrider") {
			return up, nil
		}
		pid = up
	}
}

func parent(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	var state string
	var ppid int
	_, err = fmt.Sscan(string(text[bytes.LastIndexByte(text, ')')+1:]), &state, &ppid)
	return ppid, err
}
