package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// looker runs components that look at an Airflow: by the built host and plugin.
type looker struct {
	airflow
	*testing.T
	dir string // where a run of the DAG looked finds its file

	cursor json.RawMessage
	// ended are the ends that were told, by run and time.
	ended map[string]bool
}

func (a airflow) looks(t *testing.T) *looker {
	t.Helper()
	text, err := os.ReadFile("testdata/airflow/looks.py")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.PutDAG(deadline(t), "looks.py", string(text), "looked_paused"); err != nil {
		t.Fatal(err)
	}
	return &looker{airflow: a, T: t, dir: t.TempDir(), ended: map[string]bool{}}
}

// command is a component's run, with a login.
func (l *looker) command(component string, params map[string]any) *exec.Cmd {
	l.Helper()
	all := map[string]any{"endpoint": l.URL, "user": airflowtest.User, "password": l.Password}
	for name, value := range params {
		all[name] = value
	}
	raw, err := json.Marshal(all)
	if err != nil {
		l.Fatal(err)
	}
	file := filepath.Join(l.TempDir(), "params.json")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		l.Fatal(err)
	}
	return l.world.cmd("run", "--params", file, component)
}

// does runs a component that succeeds. What out held before is forgotten: JSON leaves
// as it is what an answer does not name, which of a list is another's.
func (l *looker) does(component string, params map[string]any, out any) {
	l.Helper()
	code, stdout, stderr := ended(l.T, l.command(component, params))
	if code != 0 {
		l.Fatalf("%s: exit %d\n%s", component, code, stderr)
	}
	reflect.ValueOf(out).Elem().SetZero()
	if err := json.Unmarshal([]byte(stdout), out); err != nil {
		l.Fatal(err)
	}
}

// pass makes a pass, as the checker does: with what the one before returned.
func (l *looker) pass(details ...string) (s observe.Snapshot) {
	l.Helper()
	params := map[string]any{"details": append([]string{}, details...)}
	if l.cursor != nil {
		params["cursor"] = l.cursor
	}
	l.does("airflow.observe", params, &s)
	if len(s.Blind) > 0 || s.Reset || s.Cut {
		l.Errorf("blind %q, reset %v, cut %v", s.Blind, s.Reset, s.Cut)
	}
	l.cursor = s.Cursor
	for _, r := range s.Runs {
		end := r.ID + " " + r.Ended.String()
		if l.ended[end] && !slices.Contains(details, r.ID) {
			l.Errorf("the end of %s is told again", end)
		}
		l.ended[end] = r.State.Ended()
	}
	return s
}

// start starts a run of the DAG looked and waits until it holds.
func (l *looker) start() airflowtest.Run {
	l.Helper()
	r := l.triggerConf(l.T, "looked", map[string]any{"dir": l.dir})
	l.holds(r)
	for _, index := range []string{"0", "1"} {
		l.awaitTask(r, "part/"+index, "success")
	}
	return r
}

func (l *looker) holds(r airflowtest.Run) {
	l.Helper()
	l.awaitTask(r, "hold", "running")
}

func (l *looker) awaitTask(r airflowtest.Run, task, state string) {
	l.Helper()
	if _, err := r.WaitTask(deadline(l.T), task, airflowtest.In(state)); err != nil {
		l.Fatal(err)
	}
}

// release lets what holds go on.
func (l *looker) release() {
	l.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, "release"), nil, 0o600); err != nil {
		l.Fatal(err)
	}
}

func (l *looker) wait(r airflowtest.Run, want string) {
	l.Helper()
	if state, err := r.Wait(deadline(l.T)); err != nil || state != want {
		l.Fatalf("%s, %v", state, err)
	}
}

func runNamed(t *testing.T, s observe.Snapshot, id string) observe.Run {
	t.Helper()
	at := slices.IndexFunc(s.Runs, func(r observe.Run) bool { return r.ID == id })
	if at < 0 {
		t.Fatalf("%s is not among %+v", id, s.Runs)
	}
	return s.Runs[at]
}

func scheduleOf(t *testing.T, s observe.Snapshot, dag string) observe.Schedule {
	t.Helper()
	at := slices.IndexFunc(s.Schedules, func(x observe.Schedule) bool { return x.Workflow == dag })
	if at < 0 {
		t.Fatalf("%s is not among %+v", dag, s.Schedules)
	}
	return s.Schedules[at]
}

func partOf(t *testing.T, s observe.Snapshot, name string) observe.Health {
	t.Helper()
	at := slices.IndexFunc(s.Health, func(h observe.Health) bool { return h.Name == name })
	if at < 0 {
		t.Fatalf("%s is not among %+v", name, s.Health)
	}
	return s.Health[at]
}

func signalOf(s observe.Snapshot, name string) (value float64, ok bool) {
	at := slices.IndexFunc(s.Signals, func(x observe.Signal) bool { return x.Name == name })
	if at < 0 {
		return 0, false
	}
	return s.Signals[at].Value, true
}

// TestAirflowObserve follows a run from its start to its failure, and again after it
// was cleared.
func TestAirflowObserve(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		l := a.looks(t)
		s := l.pass()
		if s.Engine != "airflow" || !strings.HasPrefix(s.Version, string(a.Version)) || s.Requests > 7 {
			t.Errorf("%s %s, %d requests", s.Engine, s.Version, s.Requests)
		}
		for _, name := range []string{"api", "database", "scheduler"} {
			if h := partOf(t, s, name); !h.OK {
				t.Errorf("%+v", h)
			}
		}
		if slices.ContainsFunc(s.Health, func(h observe.Health) bool { return h.Name == "dag_processor" }) != (a.Version == airflowtest.V3) {
			t.Errorf("%+v", s.Health)
		}
		if got := scheduleOf(t, s, "looked_paused"); !got.Off || got.Expression != "30 4 * * *" || got.MaxActive != 2 || got.Labels["team"] != "data" || got.Labels["tags"] != "nightly" || got.Labels["owners"] != "ops" {
			t.Errorf("%+v", got)
		}
		if got := scheduleOf(t, s, "looked"); got.Off || !got.NextRun.IsZero() || got.Expression != "" || got.Broken != "" {
			t.Errorf("%+v", got)
		}

		r := l.start()
		id := "looked@" + r.ID
		before := s.Requests
		s = l.pass(id)
		if s.Requests != before+2 {
			t.Errorf("%d requests with details, %d without", s.Requests, before)
		}
		got := runNamed(t, s, id)
		if got.State != observe.Running || got.Address != id || got.Workflow != "looked" || got.Session != r.ID || got.Trigger != "manual" || got.Created.IsZero() || got.Started.IsZero() || !got.Ended.IsZero() || !strings.HasPrefix(got.Link, a.URL) {
			t.Errorf("%+v", got)
		}
		for name, want := range map[string]observe.State{"begin": observe.Success, "part[0]": observe.Success, "part[1]": observe.Success, "hold": observe.Running, "after": observe.Queued} {
			if x := taskOf(t, got, name); x.State != want || want != observe.Queued && (x.Tries != 1 || x.Started.IsZero() || x.Type != "BashOperator") || x.Ended.IsZero() == x.State.Ended() {
				t.Errorf("%s, want %s: %+v", name, want, x)
			}
		}
		l.release()
		l.wait(r, "failed")
		s = l.pass(id)
		got = runNamed(t, s, id)
		if hold := taskOf(t, got, "hold"); got.State != observe.Failed || got.Ended.IsZero() || hold.State != observe.Failed || hold.Tries != 2 || taskOf(t, got, "after").State != observe.Skipped || taskOf(t, got, "after").Word != "upstream_failed" {
			t.Errorf("%+v", got)
		}
		if !strings.Contains(got.LogTail, "no such table") {
			t.Errorf("log tail %q", got.LogTail)
		}
		if s = l.pass(); slices.ContainsFunc(s.Runs, func(x observe.Run) bool { return x.ID == id }) {
			t.Error("an end is told for ever")
		}

		if err := os.Remove(filepath.Join(l.dir, "release")); err != nil {
			t.Fatal(err)
		}
		if err := r.ClearTask(deadline(t), "hold"); err != nil {
			t.Fatal(err)
		}
		s = l.pass()
		if again := runNamed(t, s, id); again.State.Ended() || !again.Ended.IsZero() {
			t.Errorf("cleared: %+v", again)
		}
		l.holds(r)
		l.release()
		l.wait(r, "failed")
		if again := runNamed(t, l.pass(), id); again.State != observe.Failed || !again.Ended.After(got.Ended) {
			t.Errorf("ended again: %+v", again)
		}
	})
}

// TestAirflowObserveDeep breaks the file of a DAG, and has a run wait of a paused one.
func TestAirflowObserveDeep(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		l := a.looks(t)
		file := "from airflow import DAG\n\nwith DAG('breaks', schedule=None):\n    pass\n"
		if err := a.PutDAG(deadline(t), "breaks.py", file, "breaks"); err != nil {
			t.Fatal(err)
		}
		r := a.triggerConf(t, "looked_paused", nil)
		// Other tests take an import error for one of theirs.
		mend := func() {
			if err := a.PutDAG(deadline(t), "breaks.py", file, "breaks"); err != nil {
				t.Error(err)
			}
			await(t, "an end of the import error", func() bool {
				var s observe.Snapshot
				l.does("airflow.observe", map[string]any{"deep": true}, &s)
				got, ok := signalOf(s, "import_errors")
				return ok && got == 0
			})
		}
		run := a.triggerConf(t, "breaks", nil)
		if err := a.PutDAG(deadline(t), "breaks.py", "import does_not_exist_xyz\n"+file, "breaks"); err != nil {
			t.Fatal(err)
		}
		defer mend()
		var s observe.Snapshot
		await(t, "the import error", func() bool {
			l.does("airflow.observe", map[string]any{"deep": true}, &s)
			return slices.ContainsFunc(s.Schedules, func(x observe.Schedule) bool {
				return x.Workflow == "breaks" && strings.Contains(x.Broken, "No module named 'does_not_exist_xyz'")
			})
		})
		if len(s.Blind) > 0 {
			t.Errorf("%q", s.Blind)
		}
		if got := scheduleOf(t, s, "breaks").Broken; !strings.Contains(got, "breaks.py: ") {
			t.Errorf("%q", got)
		}
		for name, least := range map[string]float64{"import_errors": 1, "broken_dags": 1, "paused_dags": 1, "pool_slots": 1, "queued_runs": 1, "open_runs": 1, "dags": 3} {
			if got, ok := signalOf(s, name); !ok || got < least {
				t.Errorf("%s is %v, %v", name, got, ok)
			}
		}
		if _, ok := signalOf(s, "live_jobs"); ok != (a.Version == airflowtest.V3) {
			t.Errorf("%+v", s.Signals)
		}
		if s.Requests > 11 {
			t.Errorf("%d requests", s.Requests)
		}
		queued := runNamed(t, s, "looked_paused@"+r.ID)
		if queued.State != observe.Queued || queued.Created.IsZero() || time.Since(queued.Created) > time.Hour {
			t.Errorf("%+v", queued)
		}

		var got airflowStatus
		l.does("airflow.status", map[string]any{"address": "looked_paused"}, &got)
		if !got.Paused || got.State != observe.Queued || !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, "DAG looked_paused is paused") }) {
			t.Errorf("%+v", got)
		}
		l.does("airflow.status", map[string]any{"address": "breaks@" + run.ID}, &got)
		if got.Paused || !slices.ContainsFunc(got.Warnings, func(w string) bool { return strings.Contains(w, "does_not_exist_xyz") }) {
			t.Errorf("%+v", got)
		}
		if err := r.Mark(deadline(t), "failed"); err != nil {
			t.Fatal(err)
		}
	})
}

// TestAirflowObserveWithoutLogin sees health alone, and says what it does not look at.
func TestAirflowObserveWithoutLogin(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		l := a.looks(t)
		for name, login := range map[string]map[string]any{
			"none":  {"user": "", "password": ""},
			"wrong": {"password": "nothing like it"},
		} {
			login["deep"] = true
			var s observe.Snapshot
			l.does("airflow.observe", login, &s)
			if h := partOf(t, s, "scheduler"); !h.OK || h.Heartbeat.IsZero() || len(s.Runs)+len(s.Schedules) != 0 {
				t.Errorf("%s: %+v", name, s)
			}
			var parts []string
			for _, b := range s.Blind {
				part, why, _ := strings.Cut(b, ": ")
				if parts = append(parts, part); !strings.HasPrefix(why, "not looked at: ") || strings.Contains(why, "nothing like it") {
					t.Errorf("%s: %q", name, b)
				}
			}
			want := []string{"runs", "import errors", "dags", "pools", "task instances", "jobs"}
			if a.Version == airflowtest.V2 {
				want = want[:5]
			}
			if !slices.Equal(parts, want) {
				t.Errorf("%s: %q", name, s.Blind)
			}
		}
	})
}

// TestAirflowObserveDeadScheduler kills the scheduler: observe says so, and status of
// what waits for it does.
func TestAirflowObserveDeadScheduler(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		l := a.looks(t)
		r := a.triggerConf(t, "looked_paused", nil)
		a.kill(t, "scheduler")
		defer func() {
			if err := a.Restart(deadline(t), "scheduler"); err != nil {
				t.Fatal(err)
			}
			if err := r.Mark(deadline(t), "failed"); err != nil {
				t.Error(err)
			}
		}()
		var s observe.Snapshot
		await(t, "an old heartbeat", func() bool {
			s = l.pass()
			return !partOf(t, s, "scheduler").OK
		})
		if h := partOf(t, s, "scheduler"); !strings.Contains(h.Note, "its last heartbeat was ") || !partOf(t, s, "api").OK || !partOf(t, s, "database").OK {
			t.Errorf("%+v", s.Health)
		}
		var got airflowStatus
		l.does("airflow.status", map[string]any{"address": "looked_paused@" + r.ID}, &got)
		if !slices.ContainsFunc(got.Warnings, func(w string) bool {
			return strings.HasPrefix(w, "Airflow's scheduler is not well: ") && strings.HasSuffix(w, "nothing starts without it")
		}) {
			t.Errorf("%q", got.Warnings)
		}
	})
}

// await polls until f says so.
func await(t *testing.T, what string, f func() bool) {
	t.Helper()
	ctx := deadline(t)
	for !f() {
		select {
		case <-ctx.Done():
			t.Fatalf("there was never %s", what)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
