package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/sdk/observe"
)

func TestAirflowActClear(t *testing.T) {
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		r := a.over("acts_chain", "failed")
		at := "acts_chain@" + r.ID
		var dry, out clearedRuns
		a.act("airflow.clear", map[string]any{"address": at, "dry_run": true}).into(&dry)
		if x := dry.Attempts[0]; !slices.Equal(x.Tasks, []string{"sum", "send"}) || x.DAG != "acts_chain" || x.RunID != r.ID || x.Old.State != observe.Failed {
			t.Errorf("%+v", dry)
		}
		if got, err := r.State(deadline(t)); err != nil || got != "failed" {
			t.Errorf("dry: %s %v", got, err)
		}
		a.act("airflow.clear", map[string]any{"address": at, "mode": "from", "from": "sun"}).fails(3, "not_found", "near: sum")
		a.touch("fixed")
		a.act("airflow.clear", map[string]any{"address": at}).into(&out)
		if out.Retried != 1 || !slices.Equal(out.Attempts[0].Tasks, []string{"sum", "send"}) {
			t.Errorf("%+v", out)
		}
		var waited struct {
			ran
			Task *observe.Task
		}
		a.act("airflow.wait", map[string]any{"address": at + "/sum", "every": "1s"}).into(&waited)
		if waited.Task == nil || waited.Task.Tries != 2 { // try_number after a clear
			t.Errorf("%+v", waited.Task)
		}
		a.ends(r, "success")
		if got := a.ran(); len(got) != 5 || !slices.Equal(got[3:], []string{"sum", "send"}) {
			t.Errorf("%v", got)
		}
		if x := a.act("airflow.clear", map[string]any{"address": at}).into(&out); out.Retried != 0 || len(out.Attempts[0].Tasks) != 0 || !strings.Contains(x.stderr, "nothing to do") {
			t.Errorf("%+v\n%s", out, x.stderr)
		}

		a.act("airflow.clear", map[string]any{"address": at + "/sum", "mode": "from"}).into(&out)
		if !slices.Equal(out.Attempts[0].Tasks, []string{"sum", "send"}) {
			t.Errorf("%+v", out)
		}
		a.ends(r, "success")
		a.act("airflow.clear", map[string]any{"address": at, "mode": "all"}).into(&out)
		if len(out.Attempts[0].Tasks) != 4 {
			t.Errorf("%+v", out)
		}
		a.ends(r, "success")
		if got := a.ran(); len(got) != 11 || got[5] != "sum" || got[6] != "send" || got[7] != "load" {
			t.Errorf("%v", got)
		}
	})
}

// TestAirflowActClearMapped: of a mapped task what failed runs again, and on Airflow 3
// one instance alone.
func TestAirflowActClearMapped(t *testing.T) {
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		r := a.over("acts_mapped", "failed")
		at := "acts_mapped@" + r.ID
		a.act("airflow.wait", map[string]any{"address": at + "/each[2]"}).into(&ran{})
		a.act("airflow.wait", map[string]any{"address": at + "/each"}).fails(1, "task_failed", "(each[1]) failed in try 1")
		a.act("airflow.wait", map[string]any{"address": at + "/each[3]"}).fails(3, "not_found", "it has [0] to [2]")
		a.act("airflow.wait", map[string]any{"address": at + "/last"}).fails(1, "task_failed", "last of run "+at+" did not run since another failed: each[1] failed in try 1")
		a.touch("fixed")
		var out clearedRuns
		a.act("airflow.clear", map[string]any{"address": at}).into(&out)
		if x := out.Attempts[0]; !slices.Equal(x.Tasks, []string{"each", "last"}) || !slices.Equal(x.Instances, []string{"each[1]"}) {
			t.Errorf("%+v", out)
		}
		a.ends(r, "success")
		if got := a.ran(); len(got) != 5 || got[3] != "b" || got[4] != "last" {
			t.Errorf("%v", got)
		}
		one := a.act("airflow.clear", map[string]any{"address": at + "/each[2]", "mode": "from"})
		if a.Version == airflowtest.V2 {
			one.fails(3, "not_in_airflow_2", "each[2] alone of its 3 instances")
			return
		}
		one.into(&out)
		a.ends(r, "success")
		if got := a.ran(); len(got) != 7 || got[5] != "c" || got[6] != "last" {
			t.Errorf("%v", got)
		}
	})
}

// TestAirflowActClearMany clears by pattern, and the verb does.
func TestAirflowActClearMany(t *testing.T) {
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		one, two := a.over("acts_chain", "failed"), a.over("acts_chain", "failed")
		many := map[string]any{"address": "acts_cha[i]*", "since": "10m", "at_most": 1}
		with := func(more map[string]any) map[string]any {
			all := map[string]any{}
			for _, m := range []map[string]any{many, more} {
				for k, v := range m {
					all[k] = v
				}
			}
			return all
		}
		a.act("airflow.clear", many).fails(3, "too_many", "more than at_most 1: nothing was done")
		var out clearedRuns
		a.act("airflow.clear", with(map[string]any{"dry_run": true})).into(&out)
		if len(out.Attempts) != 1 || out.Left < 1 {
			t.Errorf("%+v", out)
		}
		a.touch("fixed")
		config := filepath.Join(a.world.home, "outrider.yml")
		write := fmt.Sprintf("sources:\n  air:\n    engine: airflow\n    endpoint: %s\n    user: %s\n    password: %s\n", a.URL, airflowtest.User, a.Password)
		if err := os.WriteFile(config, []byte(write), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := a.world.cmd("retry", "air:acts_cha*", "--since", "10m", "--at-most", "20", "--format", "json")
		cmd.Env = append(cmd.Env, "OUTRIDER_CONFIG="+config)
		code, stdout, stderr := ended(t, cmd)
		if err := json.Unmarshal([]byte(stdout), &out); err != nil || code != 0 || out.Retried < 2 || out.Failed != 0 {
			t.Fatalf("exit %d, %v\n%s\n%s", code, err, stdout, stderr)
		}
		a.ends(one, "success")
		a.ends(two, "success")
		a.act("airflow.clear", with(map[string]any{"at_most": 20})).into(&out)
		for _, x := range out.Attempts { // runs of other tests fail again
			if x.RunID == one.ID || x.RunID == two.ID {
				t.Errorf("%s is failed no more: %+v", x.RunID, out)
			}
		}
		a.act("airflow.clear", map[string]any{"address": "acts_*@latest"}).fails(3, "bad_address")
	})
}

// TestAirflowActKill: what runs is told to end and its child ends, what had not begun
// is skipped, and a clear runs both again.
func TestAirflowActKill(t *testing.T) {
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		type killed struct {
			Run      observe.Run
			Stopping []observe.Task
			Left     int
		}
		r := a.start("acts_long")
		a.runs(r, "long")
		a.runs(r, "also")
		a.until(func() bool { return a.has("on.long") && a.has("on.also") })
		at := "acts_long@" + r.ID
		a.act("airflow.clear", map[string]any{"address": at, "mode": "all"}).fails(1, "still_running", "is under way")
		var x clearedRuns
		a.act("airflow.clear", map[string]any{"address": at}).into(&x)
		if x.Retried != 0 {
			t.Errorf("%+v", x)
		}
		// One task of it; the run goes on.
		var out killed
		a.act("airflow.kill", map[string]any{"address": at + "/also"}).into(&out)
		if len(out.Stopping) != 1 || out.Stopping[0].Name != "also" || out.Run.State != observe.Running {
			t.Errorf("%+v", out)
		}
		a.state(r, "also", "failed")
		a.runs(r, "long")
		failing := a.begin("airflow.wait", map[string]any{"address": at + "/long", "every": "1s"})
		a.act("airflow.kill", map[string]any{"address": at, "wait": true, "every": "1s"}).into(&out)
		if out.Run.State != observe.Failed || len(out.Stopping) != 1 || out.Stopping[0].Name != "long" || out.Left != 1 {
			t.Errorf("%+v", out)
		}
		(<-failing).fails(1, "task_failed", "long of run "+at)
		if r := a.act("airflow.kill", map[string]any{"address": at}).into(&out); out.Run.State != observe.Failed || !strings.Contains(r.stderr, "nothing to do") {
			t.Errorf("once more: %+v\n%s", out, r.stderr)
		}
		// Until then one that ended by itself would still count as success on Airflow 2.
		a.until(func() bool { return a.dead("long") && a.dead("also") })
		a.touch("release")
		a.act("airflow.clear", map[string]any{"address": at}).into(&x)
		if got := x.Attempts[0].Tasks; !slices.Contains(got, "long") || !slices.Contains(got, "after") || !slices.Contains(got, "also") {
			t.Errorf("what had not begun was skipped, and is to run: %+v", x)
		}
		a.ends(r, "success")
		a.state(r, "after", "success")
		a.act("airflow.kill", map[string]any{"address": "acts_long@" + r.ID + "x"}).fails(3, "not_found", "near: "+r.ID)
	})
}
