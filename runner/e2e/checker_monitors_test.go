package e2e

import (
	"strconv"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/dig/digdagtest"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
)

// TestCheckerMonitorsBoth: dig/monitor.dig with an airflow, and dags/monitor.py with a
// digdag, find what hangs in both engines, and say nothing of themselves.
func TestCheckerMonitorsBoth(t *testing.T) {
	a, err := airflows[airflowtest.V3]()
	if err != nil {
		t.Fatal(err)
	}
	slack := slacktest.New(t, "#alerts", "#orders")
	for name, value := range map[string]string{
		"AIRFLOW_USER": airflowtest.User, "AIRFLOW_PASSWORD": a.Password, "SLACK_TOKEN": slacktest.Token, "SLACK_API_URL": slack.URL,
	} {
		t.Setenv(name, value)
	}
	d := onOwnDigdag(t)
	project := d.Push(digdagtest.Files{"etl.dig": held(d)})
	hold := d.Start(project, "etl")
	d.Until(hold.ID, "+etl+hold", "running")
	stuck := a.trigger(t, "once", "exec sleep 1000")
	t.Cleanup(func() { _ = stuck.Mark(inTheEnd(t), "failed") })
	if _, err := stuck.WaitTask(deadline(t), "run", airflowtest.In("running")); err != nil {
		t.Fatal(err)
	}
	found := func(channel string) {
		t.Helper()
		for _, run := range []string{"digdag:" + project + "/etl@" + hold.ID, "airflow:once@" + stuck.ID} {
			_, err := slack.Wait(deadline(t), func(m slacktest.Message) bool {
				return m.Channel == slack.Channel(channel) && tells(m, run, "running for ")
			})
			if err != nil {
				t.Errorf("%s: %v\n%s", run, err, checked{slack: slack}.said())
			}
		}
	}

	d.slowly("outrider-checker", "2") // by then all of them take too long, and it does too
	of := d.Push(digdagtest.Files{"monitor.dig": edited(t, "monitor", here, d.URL, "airflow: ''", "airflow: "+a.URL, "'#data'", "'#alerts'", "threshold: usual ", "threshold: 1s ")})
	d.done(d.startIn(of, "monitor", nil))
	found("#alerts")

	text := a.monitor(t, slack, map[string]string{
		`"digdag": Param("",`: `"digdag": Param(` + strconv.Quote(d.URL) + ",", `"#data"`: `"#orders"`, `"usual"`: `"1s"`,
		`    "monitor",`: `    "monitor_both",`, // the test of all DAGs has the name
	})
	if err := a.PutDAG(deadline(t), "monitor_both.py", text, "monitor_both"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.pause(t, "monitor_both", true) })
	found("#orders")
	for _, m := range slack.Messages() {
		own := map[string]string{slack.Channel("#alerts"): of + "/monitor@", slack.Channel("#orders"): "airflow:monitor_both@"}[m.Channel]
		if strings.Contains(m.Seen(), own) { // the other's run may well take too long
			t.Errorf("it tells of itself:\n%s", m.Seen())
		}
	}
	d.release()
	d.done(hold)
}
