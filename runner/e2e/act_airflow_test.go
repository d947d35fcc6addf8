package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

// actsAirflow is an Airflow on which the components of the airflow plugin act, as a
// user runs them, and a folder that its tasks read and write.
type actsAirflow struct {
	airflow
	t     *testing.T
	world world
	dir   string
}

// actsOnAirflow runs f on both versions, whose DAGs testdata/airflow/acts.py has.
func actsOnAirflow(t *testing.T, f func(a actsAirflow)) {
	t.Helper()
	text, err := os.ReadFile("testdata/airflow/acts.py")
	if err != nil {
		t.Fatal(err)
	}
	onAirflow(t, func(t *testing.T, a airflow) {
		if err := a.PutDAG(deadline(t), "acts.py", string(text), "acts_daily"); err != nil {
			t.Fatal(err)
		}
		f(actsAirflow{airflow: a, t: t, world: newWorld(t), dir: t.TempDir()})
	})
}

func (a actsAirflow) command(component string, params map[string]any) *exec.Cmd {
	a.t.Helper()
	all := map[string]any{"endpoint": a.URL, "user": airflowtest.User, "password": a.Password}
	for k, v := range params {
		all[k] = v
	}
	raw, err := json.Marshal(all)
	if err != nil {
		a.t.Fatal(err)
	}
	cmd := a.world.cmd("run", "--yes", "--params", "-", component)
	cmd.Stdin = bytes.NewReader(raw)
	return cmd
}

// act runs a component to its end.
func (a actsAirflow) act(component string, params map[string]any) acted {
	a.t.Helper()
	code, out, errs := ended(a.t, a.command(component, params))
	return acted{a.t, component, code, out, errs}
}

// begin starts a component; its end is sent. The logs see what it says meanwhile.
func (a actsAirflow) begin(component string, params map[string]any, logs ...*lineWatch) <-chan acted {
	a.t.Helper()
	cmd := a.command(component, params)
	var out, errs bytes.Buffer
	all := []io.Writer{&errs}
	for _, log := range logs {
		all = append(all, log)
	}
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(all...)
	over := make(chan acted, 1)
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait() // the code says it
		over <- acted{a.t, component, cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	}()
	a.t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	return over
}

// conf is that of a run whose tasks use the test's folder.
func (a actsAirflow) conf() map[string]any { return map[string]any{"dir": a.dir} }

// start triggers a run of the test's own, whose tasks use its folder.
func (a actsAirflow) start(dag string) airflowtest.Run {
	a.t.Helper()
	return a.triggerConf(a.t, dag, a.conf())
}

// over starts a run and waits for its end.
func (a actsAirflow) over(dag, state string) airflowtest.Run {
	a.t.Helper()
	r := a.start(dag)
	a.ends(r, state)
	return r
}

func (a actsAirflow) ends(r airflowtest.Run, state string) {
	a.t.Helper()
	if got, err := r.Wait(deadline(a.t)); err != nil || got != state {
		a.t.Fatalf("%s ended as %s, want %s: %v", r.ID, got, state, err)
	}
}

func (a actsAirflow) touch(name string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), nil, 0o600); err != nil {
		a.t.Fatal(err)
	}
}

// succeeded: what was waited for did.
func (d acted) succeeded() {
	d.t.Helper()
	var out ran
	if d.into(&out); out.Run.State != observe.Success {
		d.t.Errorf("%+v", out)
	}
}

// ran are the tasks that ran, in order.
func (a actsAirflow) ran() []string {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(a.dir, "ran"))
	if err != nil && !os.IsNotExist(err) {
		a.t.Fatal(err)
	}
	return strings.Fields(string(text))
}

// runs waits until a gated task runs.
func (a actsAirflow) runs(r airflowtest.Run, task string) {
	a.t.Helper()
	if _, err := r.WaitTask(deadline(a.t), task, airflowtest.In("running")); err != nil {
		a.t.Fatal(err)
	}
}

func (a actsAirflow) has(name string) bool {
	info, err := os.Stat(filepath.Join(a.dir, name))
	return err == nil && info.Size() > 0
}

// dead reports whether a gated task's process has ended.
func (a actsAirflow) dead(task string) bool {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join(a.dir, "on."+task))
	if err != nil {
		a.t.Fatal(err)
	}
	_, err = os.Stat("/proc/" + strings.TrimSpace(string(text)))
	return os.IsNotExist(err)
}

// state waits until a task is in a state.
func (a actsAirflow) state(r airflowtest.Run, task string, states ...string) airflowtest.Task {
	a.t.Helper()
	got, err := r.WaitTask(deadline(a.t), task, airflowtest.In(states...))
	if err != nil {
		a.t.Fatal(err)
	}
	return got
}

type triggered struct {
	Run                        observe.Run
	Existed, Paused, OtherConf bool
}

type clearedRuns struct {
	Attempts []struct {
		Old              observe.Run
		DAG              string
		RunID            string `json:"run_id"`
		Tasks, Instances []string
		Code, Error      string
		Paused           bool
	}
	Retried, Failed, Left int
}

func TestAirflowActTrigger(t *testing.T) {
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		odd := "it's \"quoted\" $HOME $(id) {{ x }} \\n\n\tünïcödé 漢字 🎉 "
		conf := map[string]any{"odd": odd, "big": strings.Repeat(odd, 300<<10/len(odd)), "list": []any{1.0, nil, "x"}}
		var out triggered
		a.act("airflow.trigger", map[string]any{"address": "acts_ok", "conf": conf, "note": "by a test", "wait": true, "every": "1s"}).into(&out)
		if out.Run.State != observe.Success || out.Existed || out.Paused || !strings.HasPrefix(out.Run.Session, "outrider-") || !strings.HasPrefix(out.Run.Link, a.URL) {
			t.Errorf("%+v", out)
		}
		var got struct {
			Conf map[string]any
			Note string
		}
		a.get("dags/acts_ok/dagRuns/"+out.Run.Session, &got)
		for name, want := range conf {
			if fmt.Sprint(got.Conf[name]) != fmt.Sprint(want) {
				t.Errorf("%s differs", name)
			}
		}
		if got.Note != "by a test" {
			t.Errorf("%q", got.Note)
		}

		// An id twice, a logical date twice: one run each.
		id := "mine+1:" + filepath.Base(a.world.home)
		var x, y triggered
		a.act("airflow.trigger", map[string]any{"address": "acts_ok", "run_id": id}).into(&x)
		r := a.act("airflow.trigger", map[string]any{"address": "acts_ok@" + id, "conf": map[string]any{"a": 1}}).into(&y)
		if x.Existed || !y.Existed || x.Run.Session != id || y.Run.Session != id || !strings.Contains(r.stderr, "another conf") {
			t.Errorf("%+v\n%+v\n%s", x, y, r.stderr)
		}
		at := "acts_ok@2026-03-08T02:30:00+09:00"
		a.act("airflow.trigger", map[string]any{"address": at}).into(&x)
		r = a.act("airflow.trigger", map[string]any{"address": "acts_ok", "logical_date": "2026-03-07T17:30:00Z"}).into(&y)
		if x.Existed || !y.Existed || x.Run.Session != y.Run.Session || !strings.Contains(r.stderr, "nothing to do") || x.Run.Time.Format(time.RFC3339) != "2026-03-07T17:30:00Z" {
			t.Errorf("%+v\n%+v", x, y)
		}

		a.act("airflow.trigger", map[string]any{"address": "acts_chain", "conf": a.conf(), "wait": true, "every": "1s"}).fails(1, "run_failed", "sum failed in try 1", "Bash command failed")
		a.act("airflow.trigger", map[string]any{"address": "acts_okk"}).fails(3, "not_found", "near: acts_ok")
		a.act("airflow.trigger", map[string]any{"address": "acts_ok/say"}).fails(3, "bad_address", "Airflow starts no single task")
		a.act("airflow.trigger", map[string]any{"address": "acts_ok", "run_id": "with blank/and slash"}).fails(3, "bad_request", "with blank/and slash")
		a.act("airflow.trigger", map[string]any{"address": "acts_ok", "password": "wrong"}).fails(3, "unauthorized")
	})
}

// get asks the server itself.
func (a actsAirflow) get(path string, to any) {
	a.t.Helper()
	v, req := "v2", (*http.Request)(nil)
	if a.Version == airflowtest.V2 {
		v = "v1"
	}
	req, err := http.NewRequestWithContext(deadline(a.t), http.MethodGet, a.URL+"/api/"+v+"/"+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.Version == airflowtest.V2 {
		req.SetBasicAuth(airflowtest.User, a.Password)
	} else {
		req.Header.Set("Authorization", "Bearer "+a.token(req.Context()))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := json.NewDecoder(resp.Body).Decode(to); err != nil || resp.StatusCode != http.StatusOK {
		a.t.Fatalf("%s: %s, %v", path, resp.Status, err)
	}
}

func (a actsAirflow) token(ctx context.Context) string {
	a.t.Helper()
	body, err := json.Marshal(map[string]string{"username": airflowtest.User, "password": a.Password})
	if err != nil {
		a.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL+"/auth/token", bytes.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		a.t.Fatal(err)
	}
	return out.AccessToken
}

// until waits for what Airflow does by itself.
func (a actsAirflow) until(ok func() bool) {
	a.t.Helper()
	ctx := deadline(a.t)
	for !ok() {
		select {
		case <-ctx.Done():
			a.t.Fatal("it does not come")
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (a actsAirflow) delete(path string) {
	a.t.Helper()
	v := map[airflowtest.Version]string{airflowtest.V3: "v2", airflowtest.V2: "v1"}[a.Version]
	req, err := http.NewRequestWithContext(deadline(a.t), http.MethodDelete, a.URL+"/api/"+v+"/"+path, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	if a.Version == airflowtest.V2 {
		req.SetBasicAuth(airflowtest.User, a.Password)
	} else {
		req.Header.Set("Authorization", "Bearer "+a.token(req.Context()))
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode/100 != 2 {
		a.t.Fatal(path, err)
	}
	_ = resp.Body.Close()
}
