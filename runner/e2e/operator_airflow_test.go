package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

// addOperator adds the operator's package, as it is copied into a DAGs folder, the
// DAGs that test it, and a manifest.
func addOperator(files map[string]string) error {
	sources, err := filepath.Glob("../../dags/outrider_airflow/*.py")
	if err != nil {
		return err
	}
	for _, path := range append(sources, "../../dags/outrider_airflow/.airflowignore", "testdata/airflow/operator_tests.py") {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name := filepath.Base(path)
		if strings.Contains(path, "outrider_airflow") {
			name = filepath.Join("outrider_airflow", name)
		}
		files[name] = string(text)
	}
	manifest, err := exec.Command(filepath.Join(bin, "outrider"), "describe", "--format", "json", "hello.greet").Output()
	files["greet.json"] = string(manifest)
	return err
}

// operated triggers a run of one of the operator's DAGs.
func (a airflow) operated(t *testing.T, dag string, conf map[string]any) airflowtest.Run {
	t.Helper()
	return a.triggerConf(t, dag, conf)
}

func withParams(params map[string]any) map[string]any { return map[string]any{"params": params} }

// ends waits for the end of a task, and sees to it that it is state, at try, and
// that the log of that try has words.
func ends(t *testing.T, r airflowtest.Run, name, state string, try int, words ...string) {
	t.Helper()
	got := task(t, r, name)
	text := logText(t, r, name, try)
	if got.State != state || got.Try != try {
		t.Fatalf("%s is %+v, want %s at try %d\n%s", name, got, state, try, text)
	}
	for _, want := range words {
		if !strings.Contains(text, want) {
			t.Errorf("the log of %s lacks %q:\n%s", name, want, text)
		}
	}
}

// TestOperator is what each end of a component is to Airflow.
func TestOperator(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		// Not all at once, which is too much for a small machine.
		together(t, map[string]func(*testing.T){
			"outputs":         a.operatorOutputs,
			"large values":    a.operatorLarge,
			"failure":         a.operatorRetry,
			"failed for good": a.operatorForGood,
			"bad parameters":  a.operatorUsage,
			"skip":            a.operatorSkip,
			"timeout":         a.operatorTimeout,
		})
		together(t, map[string]func(*testing.T){
			"retry after":        a.operatorLater,
			"retry after, never": a.operatorLaterForGood,
			"busy":               a.operatorBusy,
			"pool":               a.operatorPool,
			"once":               a.operatorOnce,
			"mapped":             a.operatorMapped,
			"no outrider":        a.operatorAbsent,
			"secret":             a.operatorSecret,
			"descriptors":        a.operatorDescriptors,
		})
	})
}

// operatorOutputs are a dict, and each output under its own key too; templates and
// what other tasks return keep their types.
func (a airflow) operatorOutputs(t *testing.T) {
	const text = "it's \"quoted\" $HOME `id` \\n {{ x }} {% y %}\n\tsecond line; ünïcödé 漢字 🎉"
	params := map[string]any{"text": text, "tags": []any{text, "a,b"}, "number": 5.0}
	r := a.operated(t, "op_echo", withParams(params))
	ends(t, r, "first", "success", 1, "outrider runs show 01")
	a.linked(t, r, "first")
	got := outputs(t, r, "first")
	for name, want := range params {
		if !reflect.DeepEqual(got[name], want) {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	ends(t, r, "next", "success", 1)
	want := map[string]any{
		"text": text, "tags": []any{text, "a,b"}, "number": 7.0, "flag": true, "map": map[string]any{"run": r.ID + " of op_echo"},
	}
	if got := outputs(t, r, "next"); !reflect.DeepEqual(got, want) {
		t.Errorf("the second got\n%v, want\n%v", got, want)
	}
}

// linked: the log names the run, whose record leads back to the try in Airflow's pages.
func (a airflow) linked(t *testing.T, r airflowtest.Run, name string) {
	t.Helper()
	_, id, _ := strings.Cut(logText(t, r, name, 1), "outrider runs show ")
	id, _, _ = strings.Cut(id, "\n")
	code, out, errs := ended(t, a.world.cmd("runs", "show", "--format", "json", id))
	if code != 0 || !strings.Contains(out, a.URL+"/dags/"+r.DAG+"/") {
		t.Errorf("outrider runs show %s: %d\n%s%s", id, code, out, errs)
	}
}

// operatorLarge: 300 KB of text get to the component and back.
func (a airflow) operatorLarge(t *testing.T) {
	text := strings.Repeat("ü\"\n", 75_000)
	r := a.operated(t, "op_echo", withParams(map[string]any{"text": text}))
	ends(t, r, "first", "success", 1)
	if got := outputs(t, r, "first")["text"]; got != text {
		t.Errorf("%.80q…, want %.80q…", got, text)
	}
}

// operatorRetry: the component learns of the second try.
func (a airflow) operatorRetry(t *testing.T) {
	r := a.operated(t, "op_end", withParams(map[string]any{"kind": "fail", "message": "no such luck", "fails": 1}))
	ends(t, r, "run", "success", 2)
	if got := outputs(t, r, "run")["attempt"]; got != 2.0 {
		t.Errorf("attempt %v, want 2", got)
	}
	if text := logText(t, r, "run", 1); !strings.Contains(text, "probe.end: no such luck") {
		t.Errorf("the log of the first try does not say why:\n%s", text)
	}
}

func (a airflow) operatorForGood(t *testing.T) {
	r := a.operated(t, "op_end", withParams(map[string]any{"kind": "permanent", "message": "no such table"}))
	ends(t, r, "run", "failed", 1, "probe.end: no such table")
	if text, ok, err := r.XCom(deadline(t), "run"); ok || err != nil {
		t.Errorf("a failed task returned %q, %v", text, err)
	}
}

// operatorUsage: what the host refuses no retry can help.
func (a airflow) operatorUsage(t *testing.T) {
	r := a.operated(t, "op_usage", withParams(map[string]any{"nmae": "you"}))
	ends(t, r, "run", "failed", 1, "nmae: unknown parameter; did you mean name?")
}

func (a airflow) operatorSkip(t *testing.T) {
	r := a.operated(t, "op_end", withParams(map[string]any{"kind": "skip", "message": "nothing new"}))
	ends(t, r, "run", "skipped", 1, "nothing new")
}

func (a airflow) operatorTimeout(t *testing.T) {
	r := a.operated(t, "op_timeout", nil)
	ends(t, r, "run", "failed", 1, "probe.stay: ")
}

// operatorLater: the component says when. Airflow 3.3 has a retry then, with the next
// number; else the task is deferred and the try goes on.
func (a airflow) operatorLater(t *testing.T) {
	r := a.operated(t, "op_end", withParams(map[string]any{"kind": "later", "after": "3s", "fails": 1, "message": "too many requests"}))
	last := 2
	if a.Version == airflowtest.V2 {
		last = 1
	}
	ends(t, r, "run", "success", last)
	first := logText(t, r, "run", 1)
	if !strings.Contains(first, "too many requests") {
		t.Errorf("%s", first)
	}
	if a.Version == airflowtest.V2 {
		return
	}
	tries, err := r.Tries(deadline(t), "run")
	if err != nil || len(tries) != 2 {
		t.Fatalf("%+v, %v", tries, err)
	}
	if waited := tries[1].Start.Sub(*tries[0].End); waited < 3*time.Second {
		t.Errorf("the second try came after %s", waited)
	}
}

// operatorLaterForGood: as many retries as the task has, however they are made.
func (a airflow) operatorLaterForGood(t *testing.T) {
	r := a.operated(t, "op_end", withParams(map[string]any{"kind": "later", "after": "1s", "message": "too many requests"}))
	last, calls := 3, 1
	if a.Version == airflowtest.V2 {
		last, calls = 1, 3
	}
	ends(t, r, "run", "failed", last)
	if got := strings.Count(logText(t, r, "run", last), "see: outrider runs show"); got != calls {
		t.Errorf("the last try called %d times, want %d:\n%s", got, calls, logText(t, r, "run", last))
	}
}

// operatorBusy: a task that waits for a lock leaves its worker, and has its turn once
// the lock is free.
func (a airflow) operatorBusy(t *testing.T) {
	const lock = "busy"
	release := a.hold(t, lock, "busy")
	r := a.operated(t, "op_busy", map[string]any{"lock": lock})
	ends(t, r, "fail", "failed", 1, "probe.end: ", lock)
	ends(t, r, "skip", "skipped", 1, lock)
	if _, err := r.WaitTask(deadline(t), "run", airflowtest.In("deferred")); err != nil {
		t.Fatal(err)
	}
	release()
	ends(t, r, "run", "success", 1, "again in 0:00:30")
}

// operatorPool: a pool is Outrider's, which says that it does not know this one.
func (a airflow) operatorPool(t *testing.T) {
	ends(t, a.operated(t, "op_pool", nil), "run", "failed", 1, "nowhere")
}

// operatorOnce: two DAG runs with one key, one body.
func (a airflow) operatorOnce(t *testing.T) {
	conf := map[string]any{"params": map[string]any{"kind": "ok"}, "key": "once-" + string(a.Version)}
	first := a.operated(t, "op_once", conf)
	ends(t, first, "run", "success", 1)
	second := a.operated(t, "op_once", conf)
	ends(t, second, "run", "success", 1, "not run: succeeded ")
	if a, b := outputs(t, first, "run"), outputs(t, second, "run"); !reflect.DeepEqual(a, b) {
		t.Errorf("%v, then %v", a, b)
	}
}

// operatorMapped maps tasks over an output, whose text is no template.
func (a airflow) operatorMapped(t *testing.T) {
	r := a.operated(t, "op_mapped", withParams(map[string]any{"tags": []string{"a", "{{ run_id }}", "c"}}))
	if state, err := r.Wait(deadline(t)); err != nil || state != "success" {
		t.Fatalf("%s, %v", state, err)
	}
	for name, want := range map[string][][2]any{
		"each": {{"a", 0.0}, {"{{ run_id }}", 1.0}, {"c", 2.0}},
		"some": {{"of the DAG", 0.0}, {"", 2.0}},
	} {
		for n, want := range want {
			text, err := r.MappedXCom(deadline(t), name, n)
			var got map[string]any
			if err != nil || json.Unmarshal([]byte(text), &got) != nil {
				t.Fatalf("%s[%d] returned %q, %v", name, n, text, err)
			}
			if got["text"] != want[0] || got["number"] != want[1] {
				t.Errorf("%s[%d] got %v, want %v", name, n, got, want)
			}
		}
	}
}

func (a airflow) operatorAbsent(t *testing.T) {
	ends(t, a.operated(t, "op_absent", nil), "run", "failed", 1, "no-such-outrider is not on this worker's PATH")
}

// operatorSecret: a secret is in no log, and in nothing that Airflow shows.
func (a airflow) operatorSecret(t *testing.T) {
	r := a.operated(t, "op_secret", nil)
	ends(t, r, "run", "failed", 1, "raw ", "***")
	if text := logText(t, r, "run", 1); strings.Contains(text, "quite secret") {
		t.Errorf("the log has the secret:\n%s", text)
	}
}

// operatorDescriptors: the host has Airflow 3's socket, unread, and its plugin has not.
func (a airflow) operatorDescriptors(t *testing.T) {
	s := a.operatorStays(t, "op_stay", map[string]any{"child": true})
	socket := links(t, s.above.Task)[0]
	for pid, keeps := range map[int]bool{s.host: a.Version == airflowtest.V3, s.plugin: false} {
		fds := links(t, pid)
		if fds[0] != os.DevNull && a.Version == airflowtest.V3 {
			t.Errorf("descriptor 0 of %d is %s", pid, fds[0])
		}
		delete(fds, 0)
		if kept := slices.Contains(slices.Collect(maps.Values(fds)), socket) && strings.HasPrefix(socket, "socket:"); kept != keeps {
			t.Errorf("%d keeps a duplicate: %v, want %v\n%v", pid, kept, keeps, fds)
		}
	}
	if err := s.processes[1].Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ends(t, s.Run, "run", "failed", 1, "cancelled")
}

// operatorStays triggers a run whose task stays, and waits until it does.
func (a airflow) operatorStays(t *testing.T, dag string, params map[string]any) *stay {
	t.Helper()
	s := &stay{mark: a.world.fifo(t, strings.ToLower(fmt.Sprintf("%s%d", dag, time.Now().UnixNano())))}
	all := maps.Clone(params)
	all["mark"] = s.mark
	s.Run = a.operated(t, dag, withParams(all))
	s.find(t)
	t.Cleanup(s.end)
	return s
}

// TestOperatorKills ends the operator's tasks in every way that Airflow and an
// operator have: all that the component started is gone within 4 s, and before the
// next try. The component does not stop when it is told to.
func TestOperatorKills(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		rows := map[string]func(*testing.T){}
		for name, k := range operatorKills() {
			if k.only == "" || k.only == a.Version {
				rows[name] = func(t *testing.T) { k.testOperator(t, a) }
			}
		}
		together(t, rows)
	})
}

func operatorKills() map[string]kill {
	all := kills()
	// What is special of a shell or of a command is none of the operator's.
	maps.DeleteFunc(all, func(_ string, k kill) bool { return k.shell != "" || k.call == deaf })
	return all
}

func (k kill) testOperator(t *testing.T, a airflow) {
	dag := map[string]string{"once": "op_stay", "limited": "op_limited"}[k.dag]
	if dag == "" {
		if dag = "op_again"; a.Version == airflowtest.V2 {
			dag = "op_later"
		}
	}
	params := map[string]any{"child": true, "obey": false}
	if k.dag == "once" {
		params = map[string]any{"child": true, "well": true}
	}
	s := a.operatorStays(t, dag, params)
	gone := s.watch(t)
	began := time.Now()
	if err := k.act(deadline(t), s); err != nil {
		t.Fatal(err)
	}
	if k.orphans && k.reports && a.Version == airflowtest.V3 {
		s.reportsAfter(t, gone)
	}
	<-gone.done
	if gone.at.IsZero() {
		t.Fatalf("the task lives on:\n%s", logText(t, s.Run, "run", 1))
	}
	if k.retried {
		s.findAgain(t, gone)
	}
	if k.state != "" {
		if state := s.first(t); state != k.state {
			t.Errorf("the first try is %s, want %s\n%s", state, k.state, logText(t, s.Run, "run", 1))
		}
	}
	if !k.orphans {
		began = s.signalled(t)
	}
	gone.within(t, began)
}
