package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

func TestAirflow(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		together(t, map[string]func(*testing.T){
			"outputs":         a.outputs,
			"caller":          a.caller,
			"retry":           a.retry,
			"failed for good": a.failedForGood,
			"skip":            a.skip,
			"timeout":         a.timeout,
			"values":          a.values,
			"descriptors":     func(t *testing.T) { a.descriptors(t, "outrider run probe.stay --child --mark %s") },
			"descriptors of a command": func(t *testing.T) {
				a.descriptors(t, "outrider exec -- bash -c 'printf %%s $$ >%s; exec sleep 1000'")
			},
		})
	})
}

func (a airflow) outputs(t *testing.T) {
	r := a.trigger(t, "once", "echo before; outrider run hello.greet --name you")
	if got := task(t, r, "run"); got.State != "success" {
		t.Fatalf("%+v\n%s", got, logText(t, r, "run", 1))
	}
	if got := outputs(t, r, "run"); !reflect.DeepEqual(got, map[string]any{"message": "Hello, you!"}) {
		t.Errorf("XCom is %v", got)
	}
}

// caller is told by Airflow's variables; the address of its pages by ours.
func (a airflow) caller(t *testing.T) {
	r := a.trigger(t, "once", "OUTRIDER_AIRFLOW_ENDPOINT="+a.URL+" outrider run probe.caller")
	if got := task(t, r, "run"); got.State != "success" {
		t.Fatalf("%+v\n%s", got, logText(t, r, "run", 1))
	}
	got := outputs(t, r, "run")
	page := "/dags/once/runs/" + r.ID + "/tasks/run?try_number=1"
	if a.Version == airflowtest.V2 {
		page = "/dags/once/grid?dag_run_id=" + r.ID + "&tab=logs&task_id=run"
	}
	for name, want := range map[string]any{
		"engine": "airflow", "project": "", "workflow": "once", "task": "run", "attempt": 1.0, "link": a.URL + page,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	// A run that 3 is asked for without a logical date has none.
	if at, _ := got["logical_time"].(string); (a.Version == airflowtest.V2) == strings.HasPrefix(at, "0001-") {
		t.Errorf("logical time %v", got["logical_time"])
	}
}

// retry fails once: Airflow sees the exit code, and the component the second try.
func (a airflow) retry(t *testing.T) {
	r := a.trigger(t, "again", "outrider run probe.end --kind fail --message 'no such luck' --fails 1")
	if got := task(t, r, "run"); got.State != "success" || got.Try != 2 {
		t.Fatalf("%+v\n%s", got, logText(t, r, "run", 1))
	}
	if got := outputs(t, r, "run")["attempt"]; got != 2.0 {
		t.Errorf("attempt %v, want 2", got)
	}
	first := logText(t, r, "run", 1)
	for _, want := range []string{"no such luck", "return code 1\n"} {
		if !strings.Contains(first, want) {
			t.Errorf("the log of the first try lacks %q:\n%s", want, first)
		}
	}
}

// failedForGood is what a plain BashOperator makes of exit 3: it knows no code for
// "do not retry", so the task fails after its retries like any other.
func (a airflow) failedForGood(t *testing.T) {
	r := a.trigger(t, "again", "outrider run probe.end --kind permanent")
	if got := task(t, r, "run"); got.State != "failed" || got.Try != 2 {
		t.Errorf("%+v", got)
	}
	for try := 1; try <= 2; try++ {
		if text := logText(t, r, "run", try); !strings.Contains(text, "return code 3\n") {
			t.Errorf("try %d:\n%s", try, text)
		}
	}
	if text, ok, err := r.XCom(deadline(t), "run"); ok || err != nil {
		t.Errorf("a failed task returned %q, %v", text, err)
	}
}

func (a airflow) skip(t *testing.T) {
	r := a.trigger(t, "again", "outrider run probe.end --kind skip --message 'nothing new'")
	if got := task(t, r, "run"); got.State != "skipped" || got.Try != 1 {
		t.Errorf("%+v", got)
	}
	if text := logText(t, r, "run", 1); !strings.Contains(text, "nothing new") {
		t.Errorf("the log lacks the reason:\n%s", text)
	}
}

func (a airflow) timeout(t *testing.T) {
	r := a.trigger(t, "once", "outrider run --timeout 1s probe.stay")
	if got := task(t, r, "run"); got.State != "failed" {
		t.Errorf("%+v", got)
	}
	if text := logText(t, r, "run", 1); !strings.Contains(text, "return code 124\n") {
		t.Errorf("want exit 124:\n%s", text)
	}
}

// values sends text that shells, templates and JSON each read in their own way.
func (a airflow) values(t *testing.T) {
	const text = "it's \"quoted\" $HOME `id` $(id) \\n {{ x }} %s\n\tsecond line; ünïcödé 漢字 🎉 & <tag> | * ?"
	r := a.triggerConf(t, "values", map[string]any{"text": text, "params": map[string]any{"text": text, "tags": []string{text, "a,b"}}})
	for _, name := range []string{"flag", "file", "stdin"} {
		if got := task(t, r, name); got.State != "success" {
			t.Fatalf("%s: %+v\n%s", name, got, logText(t, r, name, 1))
		}
		got := outputs(t, r, name)
		if got["text"] != text {
			t.Errorf("%s: the component got\n%q, want\n%q", name, got["text"], text)
		}
		if want := []any{text, "a,b"}; name != "flag" && !reflect.DeepEqual(got["tags"], want) {
			t.Errorf("%s: tags %q, want %q", name, got["tags"], want)
		}
	}
}

// descriptors looks at descriptor 0 of host and plugin, or of host and command. In
// Airflow 3 it is the supervisor's socket when the host starts; then both have null
// there, and the host alone keeps a duplicate.
func (a airflow) descriptors(t *testing.T, call string) {
	s := a.stays(t, "once", "%s", call)
	socket := links(t, s.above.Task)[0]
	if is3 := strings.HasPrefix(socket, "socket:"); is3 != (a.Version == airflowtest.V3) {
		t.Fatalf("descriptor 0 of the task process is %s", socket)
	}
	for pid, keeps := range map[int]bool{s.host: a.Version == airflowtest.V3, s.plugin: false} {
		fds := links(t, pid)
		if fds[0] != os.DevNull {
			t.Errorf("descriptor 0 of %d is %s", pid, fds[0])
		}
		delete(fds, 0)
		if kept := slices.Contains(slices.Collect(maps.Values(fds)), socket); kept != keeps {
			t.Errorf("%d keeps a duplicate: %v, want %v\n%v", pid, kept, keeps, fds)
		}
	}
	if err := s.processes[1].Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := task(t, s.Run, "run"); got.State != "failed" {
		t.Errorf("%+v", got)
	}
}

// links are the descriptors of a process and what they lead to.
func links(t *testing.T, pid int) map[int]string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int]string{}
	for _, e := range entries {
		n, err := strconv.Atoi(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if to, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil { // else it was closed meanwhile
			out[n] = to
		}
	}
	return out
}
