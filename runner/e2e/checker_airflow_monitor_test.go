package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
)

// monitorFinds is how long a run that is too long may go on before it is told.
const monitorFinds = 70 * time.Second

// dagMonitor: the DAG, with the endpoint, the channel and the threshold that a user sets,
// finds a stuck run of another DAG, and not the run that it is itself.
func (a airflow) dagMonitor(t *testing.T) {
	const tooLong = 15 * time.Second
	slack := slacktest.New(t, "#data", "#orders")
	text := a.monitor(t, slack, map[string]string{`"#data"`: `"#orders"`, `"usual"`: `"15s"`})
	if err := a.PutDAG(deadline(t), "monitor.py", text, "monitor"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.pause(t, "monitor", true) })
	wait := func(texts ...string) slacktest.Message {
		t.Helper()
		m, err := slack.Wait(deadline(t), func(m slacktest.Message) bool { return tells(m, texts...) })
		if err != nil {
			t.Fatalf("%q: %v", texts, err)
		}
		return m
	}
	wait("airflow: is watched from now on: ")
	stuck := a.trigger(t, "once", "echo stuck; exec sleep 1000")
	t.Cleanup(func() { _ = stuck.Mark(inTheEnd(t), "failed") })
	now, err := stuck.WaitTask(deadline(t), "run", airflowtest.In("running"))
	if err != nil {
		t.Fatal(err)
	}
	m := wait("airflow:once@"+stuck.ID, "running for ")
	told, err := strconv.ParseFloat(m.TS, 64)
	if err != nil {
		t.Fatal(err)
	}
	if late := time.UnixMicro(int64(told * 1e6)).Sub(now.Start.Add(tooLong)); late > monitorFinds {
		t.Errorf("it is told %s after it was too long", late)
	}
	if m.Channel != slack.Channel("#orders") || !tells(m, "threshold: 15s", "task: run (BashOperator, running)") {
		t.Errorf("in %s: %s", m.Channel, m.Seen())
	}
	for _, m := range slack.Messages() {
		if strings.Contains(m.Seen(), "airflow:monitor@") {
			t.Errorf("it tells of itself:\n%s", m.Seen())
		}
	}
}

// monitor is dags/monitor.py for these servers, edited as a user does, with what its
// worker has in the environment.
func (a airflow) monitor(t *testing.T, slack *slacktest.Server, edits map[string]string) string {
	t.Helper()
	dags, err := shippedDAGs()
	if err != nil {
		t.Fatal(err)
	}
	// By this config any run of the monitor itself would be too long.
	config := filepath.Join(t.TempDir(), "outrider.yml")
	if err := os.WriteFile(config, []byte("rules: [{name: own, kind: running, workflow: monitor*, threshold: 100ms}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	edits = maps.Clone(edits)
	edits[`"http://127.0.0.1:8080"`] = strconv.Quote(a.URL)
	edits["env={"] = fmt.Sprintf("env={\n%q: %q, %q: %q, %q: %q, %q: %q, %q: %q,", "AIRFLOW_USER", airflowtest.User, "AIRFLOW_PASSWORD", a.Password,
		"SLACK_TOKEN", slacktest.Token, "SLACK_API_URL", slack.URL, "OUTRIDER_CONFIG", config)
	text := dags["monitor"]
	for was, is := range edits {
		if strings.Count(text, was) != 1 {
			t.Fatalf("dags/monitor.py has %s not once", was)
		}
		text = strings.Replace(text, was, is, 1)
	}
	return text
}
