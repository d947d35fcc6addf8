package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
)

// checkedDue is a DAG that is due every ten seconds, and takes no time.
const checkedDue = `
from datetime import datetime, timedelta

from airflow import DAG

try:  # Airflow 3
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:
    from airflow.operators.empty import EmptyOperator

with DAG("checked_due", schedule=timedelta(seconds=10), start_date=datetime(2026, 1, 1), catchup=False):
    EmptyOperator(task_id="run")
`

// A component as somebody writes it who knows how his Airflow is started: here it asks the
// test to, by a FIFO beside it.
const (
	restartManifest = `name: ops.restart
doc: Starts a server of Airflow again.
interpreter: python3
command: [ops_restart.py]
params:
  type: object
  additionalProperties: false
  required: [part]
  properties:
    part: {type: string, description: The server}
exit_codes: {1: fail}
`
	restartProgram = `import json, os, sys

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ask"), "w") as ask:
    ask.write(json.load(sys.stdin)["part"])
`
)

// restarts adds the component; the server that it is asked to start is sent.
func (c checkedAirflow) restarts(t *testing.T) <-chan string {
	t.Helper()
	for name, text := range map[string]string{"ops_restart.component.yml": restartManifest, "ops_restart.py": restartProgram} {
		if err := os.WriteFile(filepath.Join(c.world.home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ask, asked := c.world.fifo(t, "ask"), make(chan string, 1)
	go func() {
		part, _ := os.ReadFile(ask) // what is wrong shows in the text
		asked <- string(part)
	}()
	return asked
}

// TestCheckerAirflowRestart: the scheduler is killed, found to be so by its heartbeat,
// started again by an action, and verified to be well. What was due meanwhile is no news of
// its own: the recovery names it.
func TestCheckerAirflowRestart(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		c := a.checks(t, `
rules:
  - {name: heartbeat, kind: stale, part: scheduler, threshold: 20s, for: 1}
  - {name: late, kind: late, workflow: checked_due, threshold: 30s}
  - {name: missing, kind: missing, workflow: checked_due, threshold: 30s}
actions:
  - {name: restart-scheduler, match: rule=heartbeat, do: {component: ops.restart, params: {part: '{{.Alert.Part}}'}}, verify: 3m}
`)
		asked := c.restarts(t)
		d := due{actsAirflow{airflow: a, t: t}}
		d.begins()
		c.watch(t)
		a.kill(t, "scheduler")
		m := c.told(t, "CRITICAL: prod: scheduler gave its last sign of life ")
		select {
		case part := <-asked:
			if part != "scheduler" {
				t.Errorf("asked to start %q", part)
			}
		case <-deadline(t).Done():
			t.Fatalf("nobody asks to start it again\n%s", c.said())
		}
		c.replied(t, m, "restart-scheduler: done: ops.restart (run 01", "; it should be over by ")

		// What is due meanwhile is found, and told by nobody.
		muted := func(rule string) {
			t.Helper()
			await(t, "a muted alert that it is "+rule, func() bool {
				all := c.alerts(t, "workflow=checked_due,rule="+rule)
				return len(all) == 1 && all[0].State == alert.Firing && all[0].Muted == "caused by prod|heartbeat|scheduler"
			})
		}
		muted("late")
		missed := d.goesOn()
		muted("missing")

		if err := a.Restart(deadline(t), "scheduler"); err != nil {
			t.Fatal(err)
		}
		c.replied(t, m, "restart-scheduler: verified: healthy after ")
		over := c.replied(t, m, "resolved after ", "scheduler is well again")
		start := "outrider start prod:checked_due@" + missed.UTC().Format(time.RFC3339)
		c.has(t, over, "due runs that never started", start)
		for _, said := range c.slack.Messages() {
			if said.Thread != m.TS && said.TS != m.TS && strings.Contains(said.Seen(), "checked_due") {
				t.Errorf("it is told too:\n%s", said.Seen())
			}
		}
		c.types(t, start)
		if runs := c.types(t, "outrider runs list --label action=restart-scheduler"); !strings.Contains(runs, "ops.restart") {
			t.Errorf("the action is not in the ledger:\n%s", runs)
		}
	})
}

// due is the DAG checked_due on its way.
type due struct{ actsAirflow }

// begins puts it there, and waits for its first run.
func (d due) begins() {
	d.t.Helper()
	d.put(checkedDue)
	d.t.Cleanup(func() { d.put(strings.Replace(checkedDue, "timedelta(seconds=10)", "None", 1)) })
	d.until(func() bool {
		var list struct {
			Total int `json:"total_entries"`
		}
		d.get("dags/checked_due/dagRuns?limit=1", &list)
		return list.Total > 0
	})
}

func (d due) put(text string) {
	d.t.Helper()
	if err := d.PutDAG(inTheEnd(d.t), "checked_due.py", text, "checked_due"); err != nil {
		d.t.Fatal(err)
	}
}

// schedule is when it is to run next, and for which session.
func (d due) schedule() (at, session time.Time) {
	d.t.Helper()
	var dag struct {
		After   time.Time `json:"next_dagrun_run_after"`
		Create  time.Time `json:"next_dagrun_create_after"`
		Logical time.Time `json:"next_dagrun_logical_date"`
		Session time.Time `json:"next_dagrun"`
	}
	d.get("dags/checked_due", &dag)
	if d.Version == airflowtest.V2 {
		return dag.Create, dag.Session
	}
	return dag.After, dag.Logical
}

// goesOn deploys the DAG anew while nobody starts its runs: Airflow then looks ahead from
// now, and forgets what was due. It returns the session of that.
func (d due) goesOn() (session time.Time) {
	d.t.Helper()
	was, session := d.schedule()
	if d.Version == airflowtest.V3 {
		d.put(checkedDue + "# deployed anew\n")
	} else if out, err := d.Command(deadline(d.t), "dags", "reserialize").CombinedOutput(); err != nil {
		d.t.Fatalf("%v\n%s", err, out)
	}
	d.until(func() bool { at, _ := d.schedule(); return at.After(was) })
	return session
}
