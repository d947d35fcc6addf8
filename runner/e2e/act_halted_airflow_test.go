package e2e

import (
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/observe"
)

// TestAirflowActPaused: a paused DAG takes a run in and starts it when it goes on.
func TestAirflowActPaused(t *testing.T) {
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		var out triggered
		r := a.act("airflow.trigger", map[string]any{"address": "acts_paused"}).into(&out)
		if !out.Paused || out.Run.State != observe.Queued || !strings.Contains(r.stderr, "the DAG is paused: the run stays queued") {
			t.Errorf("%+v\n%s", out, r.stderr)
		}
		a.act("airflow.trigger", map[string]any{"address": "acts_paused", "run_id": "never", "wait": true}).fails(1, "dag_paused", "nothing was done")
		a.act("airflow.wait", map[string]any{"address": "acts_paused@never"}).fails(3, "not_found")

		log := &lineWatch{want: "the DAG acts_paused is paused", seen: make(chan struct{})}
		over := a.begin("airflow.wait", map[string]any{"address": "acts_paused", "every": "1s"}, log)
		log.await(deadline(t), t)
		var paused struct {
			Paused, Was bool
			Open        []observe.Run
		}
		a.act("airflow.pause", map[string]any{"address": "acts_paused", "paused": false}).into(&paused)
		if paused.Paused || !paused.Was || len(paused.Open) != 1 || paused.Open[0].Session != out.Run.Session {
			t.Errorf("%+v", paused)
		}
		var waited ran
		(<-over).into(&waited)
		if waited.Run.State != observe.Success {
			t.Errorf("%+v", waited)
		}
		if r := a.act("airflow.pause", map[string]any{"address": "acts_paused", "paused": false}).into(&paused); !strings.Contains(r.stderr, "nothing to do") {
			t.Errorf("%s", r.stderr)
		}
		a.act("airflow.pause", map[string]any{"address": "acts_paused"}).into(&paused)
		if !paused.Paused || paused.Was {
			t.Errorf("%+v", paused)
		}
		a.act("airflow.trigger", map[string]any{"address": "acts_paused", "unpause": true, "wait": true, "every": "1s"}).into(&out)
		if out.Paused || out.Run.State != observe.Success {
			t.Errorf("%+v", out)
		}
		a.act("airflow.pause", map[string]any{"address": "acts_paused"}).into(&paused)
		a.act("airflow.pause", map[string]any{"address": "acts_pausd"}).fails(3, "not_found", "near: acts_paused")
	})
}

// TestAirflowActBroken: a DAG whose file has an import error, and one that its file
// holds no more.
func TestAirflowActBroken(t *testing.T) {
	const text = "from airflow import DAG\nwith DAG(\"acts_breaks\", schedule=None):\n    pass\n"
	actsOnAirflow(t, func(a actsAirflow) {
		t := a.t
		put := func(text string) {
			t.Helper()
			if err := a.PutDAG(deadline(t), "breaks.py", text, "acts_breaks"); err != nil {
				t.Fatal(err)
			}
		}
		put(text)
		t.Cleanup(func() { _ = a.PutDAG(t.Context(), "breaks.py", text, "acts_breaks") }) // whose wait is over at once
		put(text + "raise ValueError('it is not the day')\n")
		var list struct {
			Total int `json:"total_entries"`
		}
		fails := func(code string, says ...string) {
			t.Helper()
			var last acted
			a.until(func() bool {
				last = a.act("airflow.trigger", map[string]any{"address": "acts_breaks"})
				return strings.Contains(last.stderr, code)
			})
			last.fails(1, says...)
		}
		fails("dag_broken", "the file of the DAG acts_breaks cannot be read", "ValueError: it is not the day", "breaks.py")
		put("from airflow import DAG\nwith DAG(\"acts_other\", schedule=None):\n    pass\n")
		fails("dag_stale", "acts_breaks is in no file any more")
		put(text)
		a.until(func() bool { // others wait for a DAG only while no file is broken
			a.get("importErrors", &list)
			return list.Total == 0
		})
	})
}
