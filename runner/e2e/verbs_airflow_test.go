package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

// verb runs a verb of the host on a source named prod, which is this Airflow.
func (a airflow) verb(t *testing.T, code int, args ...string) (stdout, stderr string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "outrider.yml")
	text := fmt.Sprintf("sources:\n  prod: {engine: airflow, endpoint: %q, user: %s, password: env:AIRFLOW_PASSWORD}\n", a.URL, airflowtest.User)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := a.world.cmd(args...)
	cmd.Env = append(cmd.Env, "OUTRIDER_CONFIG="+config, "AIRFLOW_PASSWORD="+a.Password)
	got, stdout, stderr := ended(t, cmd)
	if got != code {
		t.Fatalf("%q: exit %d, want %d\n%s\n%s", args, got, code, stdout, stderr)
	}
	if strings.Contains(stdout+stderr, a.Password) {
		t.Errorf("%q tells the password", args)
	}
	return stdout, stderr
}

func matches(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(`(?m)` + p).MatchString(text) {
			t.Errorf("no %q in\n%s", p, text)
		}
	}
}

const verbsDAG = `
with DAG("verbs_daily", schedule=None):
    dir = "{{ dag_run.conf['dir'] }}"
    load = BashOperator(task_id="load", bash_command=f"outrider exec --once -- sh -c 'echo loads 7; echo loaded >>{dir}/loads'")
    load >> BashOperator(task_id="sum", bash_command=f"echo sums up; test -e {dir}/fixed")

with DAG("verbs_long", schedule=None):
    BashOperator(task_id="long", bash_command="echo first line; echo runs >{{ dag_run.conf['mark'] }}; exec sleep 1000")
`

// TestAirflowVerbs: a failed DAG is started, looked at, retried and killed by its name
// alone.
func TestAirflowVerbs(t *testing.T) {
	imports := dagImports(t)
	onAirflow(t, func(t *testing.T, a airflow) {
		if err := a.PutDAG(deadline(t), "verbs.py", imports+verbsDAG, "verbs_daily"); err != nil {
			t.Fatal(err)
		}
		if err := a.AwaitDAG(deadline(t), "verbs_long"); err != nil {
			t.Fatal(err)
		}
		const at = "prod:verbs_daily"
		dir := t.TempDir()
		mark := a.world.fifo(t, "verbs")
		conf, _ := json.Marshal(map[string]any{"dir": dir, "mark": mark})
		loads := func() int {
			text, err := os.ReadFile(filepath.Join(dir, "loads"))
			if err != nil {
				t.Error(err)
			}
			return strings.Count(string(text), "loaded")
		}

		_, errs := a.verb(t, 1, "start", at, "--conf", string(conf), "--wait")
		matches(t, errs, `^outrider: start prod:verbs_daily: failed \([a-z_]+\): .*sum`)
		out, _ := a.verb(t, 0, "status", at)
		matches(t, out, `^state +failed$`, `^load +success `, `^sum +failed `)
		out, _ = a.verb(t, 0, "status", "--format", "timeline", at)
		matches(t, out, `^load +\|.*█.*\|  success`, `in all$`)
		out, _ = a.verb(t, 0, "logs", at+"@latest/load")
		matches(t, out, `^==> .*load.* <==$`, `loads 7$`)

		out, _ = a.verb(t, 0, "retry", at, "--dry-run")
		matches(t, out, `\bsum\b`)
		out, _ = a.verb(t, 0, "retry", "prod:verbs_d*", "--state", "failed", "--since", "1h", "--at-most", "4", "--dry-run")
		matches(t, out, `^retried +1$`, `verbs_daily.*sum`)
		if err := os.WriteFile(filepath.Join(dir, "fixed"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		a.verb(t, 0, "retry", at)
		a.verb(t, 0, "wait", at)
		a.verb(t, 0, "retry", at, "--mode", "all")
		a.verb(t, 0, "wait", at)
		if got := loads(); got != 1 {
			t.Errorf("loaded %d times before --forget, want 1", got)
		}
		_, errs = a.verb(t, 0, "retry", "--forget", at, "--mode", "all")
		matches(t, errs, `the success under "airflow/.*verbs_daily.*load/exec.*" is forgotten`)
		a.verb(t, 0, "wait", at)
		if got := loads(); got != 2 {
			t.Errorf("loaded %d times after --forget, want 2", got)
		}

		const long = "prod:verbs_long"
		a.verb(t, 0, "start", long, "--conf", string(conf))
		if _, err := os.ReadFile(mark); err != nil {
			t.Fatal(err)
		}
		a.verb(t, 2, "kill", long)
		a.verb(t, 0, "kill", long, "--yes")
		_, errs = a.verb(t, 1, "wait", long)
		matches(t, errs, `failed \([a-z_]+\)`)
		out, _ = a.verb(t, 0, "logs", long)
		matches(t, out, `first line$`)

		_, errs = a.verb(t, 3, "status", "prod:verbs_dialy")
		matches(t, errs, `near: .*verbs_daily|did you mean.*verbs_daily`)
	})
}
