package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/dig/digdagtest"
)

// TestDigdagFileAwaitAirflow: the workflow goes on when the DAG's task has ended and not
// before, and a retry of its task finds the run that the first one started.
func TestDigdagFileAwaitAirflow(t *testing.T) {
	const dags = `
with DAG("%[1]s_ingest", schedule=None):
    BashOperator(task_id="load", bash_command="until [ -e {{ dag_run.conf['dir'] }}/release ]; do sleep 0.05; done; touch {{ dag_run.conf['dir'] }}/ended")

with DAG("%[1]s_publish", schedule=None):
    BashOperator(task_id="publish", bash_command="echo publishes the data of {{ dag_run.conf['day'] }}")
`
	imports := dagImports(t)
	onAirflow(t, func(t *testing.T, a airflow) {
		self := "across" + string(a.Version[:1])
		if err := a.PutDAG(deadline(t), self+".py", imports+strings.ReplaceAll(dags, "%[1]s", self), self+"_ingest"); err != nil {
			t.Fatal(err)
		}
		if err := a.AwaitDAG(deadline(t), self+"_publish"); err != nil {
			t.Fatal(err)
		}
		d := onDigdag(t)
		upstream := a.triggerConf(t, self+"_ingest", map[string]any{"dir": d.dir})
		password := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(password, []byte(a.Password), 0o600); err != nil {
			t.Fatal(err)
		}
		text := edited(t, "await_airflow", "http://127.0.0.1:8080", a.URL, "upstream: ingest", "upstream: "+self+"_ingest",
			"downstream: publish", "downstream: "+self+"_publish", "env:AIRFLOW_PASSWORD", "file:"+password, "user: admin", "user: "+airflowtest.User)
		attempt := d.alone("await_airflow", text, nil)
		d.Until(attempt.ID, "+await_airflow+upstream", "running")
		d.release()
		r := d.done(attempt)
		if d.read("ended") != "" {
			t.Error("the DAG's task had not ended when the wait did")
		}
		if state, err := upstream.Wait(deadline(t)); err != nil || state != "success" {
			t.Errorf("%s, %v", state, err)
		}
		id := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(r.Output("+await_airflow+report")), "published by "))
		run := a.Run(self+"_publish", id)
		day := attempt.SessionTime.UTC().Format(time.DateOnly)
		if got := logText(t, run, "publish", 1); !strings.Contains(got, "publishes the data of "+day) {
			t.Errorf("run %q:\n%s", id, got)
		}
	})
}

// migrating is the workflow that dags/migration.py shows, with the ledger of a world and
// another server.
func migrating(t *testing.T, w world, url string) string {
	t.Helper()
	dags, err := shippedDAGs()
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(dags["migration"], "one once-key in both:\n\n")
	text, _, ok := strings.Cut(text, "\n\nThe day ")
	if !ok {
		t.Fatalf("dags/migration.py shows no workflow")
	}
	text = strings.ReplaceAll("\n"+text, "\n    ", "\n")
	for old, other := range map[string]string{
		"[outrider, py,": "[env, OUTRIDER_STATE=" + w.state() + ", outrider, py,", "http://127.0.0.1:9000": url,
	} {
		if strings.Count(text, old) != 1 {
			t.Fatalf("the workflow of dags/migration.py holds %q %d times:\n%s", old, strings.Count(text, old), text)
		}
		text = strings.Replace(text, old, other, 1)
	}
	return text
}

// TestMigrationInBothEngines: the DAG and the workflow that dags/migration.py shows are
// one job a day, whoever comes first.
func TestMigrationInBothEngines(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		d, server := onOwnDigdag(t), serve(t) // its own, lest the schedule is in others' way
		workflow, err := d.Workflow(d.Context(), d.Push(digdagtest.Files{"job.dig": migrating(t, a.world, server.URL)}), "job")
		if err != nil {
			t.Fatal(err)
		}
		inDigdag := func(day time.Time) string {
			attempt, err := d.StartAttempt(d.Context(), digdagtest.StartRequest{WorkflowID: workflow.ID, SessionTime: day, Params: map[string]any{}})
			if err != nil {
				t.Fatal(err)
			}
			return d.done(attempt).Output("+job+load")
		}
		inAirflow := func(day time.Time) string {
			r := a.triggerConf(t, "migration", map[string]any{"api": server.URL, "day": day.Format(time.DateOnly)})
			succeeds(t, r, "load")
			return logText(t, r, "load", 1)
		}
		const notRun = "not run: succeeded "
		day := time.Date(2020, 1, int(a.Version[0]-'0'), 0, 0, 0, 0, time.UTC)
		for _, order := range [][2]func(time.Time) string{{inDigdag, inAirflow}, {inAirflow, inDigdag}} {
			day = day.AddDate(0, 1, 0)
			if said := order[0](day); strings.Contains(said, notRun) {
				t.Errorf("the first was not run:\n%s", said)
			}
			if said := order[1](day); !strings.Contains(said, notRun) {
				t.Errorf("the second was run:\n%s", said)
			}
			if got := server.asked("POST /load?day=" + day.Format(time.DateOnly)); len(got) != 1 {
				t.Errorf("%s: the server was asked %q", day, server.asked(""))
			}
		}
	})
}

// dagMigrationDay: a run's own day is that of its schedule's time in the DAG's zone, with
// a schedule and without.
func (a airflow) dagMigrationDay(t *testing.T) {
	const zone = "Pacific/Kiritimati" // where it is another day than in UTC for 14 hours of 24
	at, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	dags, err := shippedDAGs()
	if err != nil {
		t.Fatal(err)
	}
	for name, schedule := range map[string]string{"migration_by_hand": `None`, "migration_daily": `"0 0 * * *"`} {
		server := serve(t)
		text := dags["migration"]
		for _, change := range [][2]string{
			{`"migration",`, `"` + name + `",`},
			{`schedule=None,`, `schedule=` + schedule + `,`},
			{`tz="UTC"`, `tz="` + zone + `"`},
			{`once=f"load-`, `once=f"` + name + "-"},
			{`Param("http://127.0.0.1:9000"`, `Param("` + server.URL + `"`},
		} {
			if strings.Count(text, change[0]) != 1 {
				t.Fatalf("dags/migration.py holds %q %d times", change[0], strings.Count(text, change[0]))
			}
			text = strings.Replace(text, change[0], change[1], 1)
		}
		before := time.Now()
		if err := a.PutDAG(deadline(t), name+".py", text, name); err != nil {
			t.Fatal(err)
		}
		// On 2 the schedule starts the run of the last midnight too, with the same day.
		succeeds(t, a.triggerConf(t, name, nil), "load")
		got := server.asked("POST /load")
		want := []string{before.In(at).Format(time.DateOnly), time.Now().In(at).Format(time.DateOnly)}
		if len(got) != 1 || !slices.Contains(want, strings.TrimPrefix(got[0], "POST /load?day=")) {
			t.Errorf("%s asked %q, want one of %q", name, got, want)
		}
	}
}
