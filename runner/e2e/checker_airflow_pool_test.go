package e2e

import (
	"testing"

	"github.com/outrider-run/outrider/dags/airflowtest"
)

const pooledDAGs = `
from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    from airflow.operators.bash import BashOperator

for name in ["checked_hog", "checked_starved"]:
    with DAG(name, schedule=None):
        BashOperator(task_id="load", pool="warehouse", bash_command="sleep 1000")

with DAG("checked_elsewhere", schedule=None):
    BashOperator(task_id="load", bash_command="sleep 1000")
`

// TestCheckerAirflowPool: a pool is full. The message names it and the task that holds it,
// not the one that waits for it, nor those that have other pools.
func TestCheckerAirflowPool(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		if out, err := a.Command(deadline(t), "pools", "set", "warehouse", "1", "of a test").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		c := a.checks(t, "rules: [{name: full, kind: saturated, labels: {pool: warehouse}}]\n")
		if err := a.PutDAG(deadline(t), "checked_pool.py", pooledDAGs, "checked_starved"); err != nil {
			t.Fatal(err)
		}
		c.watch(t)
		var hung []airflowtest.Run
		for range 2 { // the source has more runs of it than of any other
			r := c.hang(t, "checked_elsewhere")
			if _, err := r.WaitTask(deadline(t), "load", airflowtest.In("running")); err != nil {
				t.Fatal(err)
			}
			hung = append(hung, r)
		}
		hog := c.hang(t, "checked_hog")
		if _, err := hog.WaitTask(deadline(t), "load", airflowtest.In("running")); err != nil {
			t.Fatal(err)
		}
		starved := c.hang(t, "checked_starved")
		m := c.told(t, "prod: pool taken slots{pool=warehouse}: 1 of 1")
		c.has(t, m, "held by: prod:checked_hog/load: 1 of its slots")
		for _, other := range []string{"checked_starved", "checked_elsewhere"} {
			if tells(m, other) {
				t.Errorf("%s holds nothing of it\n%s", other, m.Seen())
			}
		}
		for _, r := range append(hung, starved, hog) { // no other test is to see them
			if err := r.Mark(deadline(t), "failed"); err != nil {
				t.Fatal(err)
			}
		}
		c.replied(t, m, "resolved after ", "it is not so any more")
	})
}
