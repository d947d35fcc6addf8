package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/runner/internal/checker/alert"
	"github.com/outrider-run/outrider/runner/internal/checker/deliver/slacktest"
	"github.com/outrider-run/outrider/runner/internal/checker/watch"
)

// checkedAirflow is an Airflow that a checker of the test's own watches as the source
// prod. What it finds in the DAGs of testdata/airflow/checked.py, and in the servers, it
// tells Slack; what other tests left goes to a file.
type checkedAirflow struct {
	airflow
	// world is the checker's, not that of the servers' tasks.
	world world
	slack *slacktest.Server
	// config is its outrider.yml.
	config string
}

const checkedAirflowConfig = `
sources: {prod: {engine: airflow, endpoint: %q, user: %s, password: env:AIRFLOW_PASSWORD}}
receivers:
  team: {component: slack.post, params: {token: env:SLACK_TOKEN, channel: '#data', api_url: %q}}
  rest: {file: %q}
routes:
  - {match: 'workflow!~checked_.*|', receiver: rest} # a source has none
  - {receiver: team}
  - {receiver: rest} # that a source is watched from now on is told to the last
`

// checks has the servers watched; more are lines of the config besides.
func (a airflow) checks(t *testing.T, more string) checkedAirflow {
	t.Helper()
	text, err := os.ReadFile("testdata/airflow/checked.py")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.PutDAG(deadline(t), "checked.py", string(text), "checked_off"); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	c := checkedAirflow{a, w, slacktest.New(t, "#data", "#orders"), filepath.Join(w.home, "outrider.yml")}
	config := fmt.Sprintf(checkedAirflowConfig, a.URL, airflowtest.User, c.slack.URL, filepath.Join(w.home, "rest")) + more
	if err := os.WriteFile(c.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// env is that of a person at the checker's machine.
func (c checkedAirflow) env() []string {
	return append(c.world.env(), "OUTRIDER_CONFIG="+c.config, "OUTRIDER_PLUGIN_PATH="+c.world.home, "SLACK_TOKEN="+slacktest.Token, "AIRFLOW_PASSWORD="+c.Password,
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// pass looks once, and tells.
func (c checkedAirflow) pass(t *testing.T) (s watch.Summary) {
	t.Helper()
	cmd := exec.CommandContext(deadline(t), filepath.Join(bin, "outrider-checker"), "check", "--format", "json")
	cmd.Env = c.env()
	code, out, errs := ended(t, cmd)
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != s.Exit {
		t.Fatalf("exit %d, %v\n%s%s", code, err, out, errs)
	}
	return s
}

// watch makes passes until the test's end.
func (c checkedAirflow) watch(t *testing.T) {
	t.Helper()
	log := &lineWatch{want: "pass at ", seen: make(chan struct{})}
	cmd := exec.Command(filepath.Join(bin, "outrider-checker"), "watch", "--every", "2s")
	cmd.Env, cmd.Stderr = c.env(), log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the checker ended: %v", err)
		}
		if strings.Contains(log.text(), c.Password) {
			t.Error("it tells the password")
		}
		if t.Failed() {
			t.Logf("the checker:\n%s\nwhat it told:\n%s", log.text(), c.said())
		}
	})
	log.await(deadline(t), t)
}

// told waits for a message in which a person sees all the texts.
func (c checkedAirflow) told(t *testing.T, texts ...string) slacktest.Message {
	t.Helper()
	return c.await(t, "", texts)
}

// replied waits for one in the thread of another.
func (c checkedAirflow) replied(t *testing.T, first slacktest.Message, texts ...string) slacktest.Message {
	t.Helper()
	return c.await(t, first.TS, texts)
}

func (c checkedAirflow) await(t *testing.T, thread string, texts []string) slacktest.Message {
	t.Helper()
	m, err := c.slack.Wait(deadline(t), func(m slacktest.Message) bool { return m.Thread == thread && tells(m, texts...) })
	if err != nil {
		t.Fatalf("%q: %v\n%s", texts, err, c.said())
	}
	return m
}

// tells reports whether a person sees all the texts in a message.
func tells(m slacktest.Message, texts ...string) bool {
	for _, text := range texts {
		if !strings.Contains(m.Seen(), text) {
			return false
		}
	}
	return true
}

// said are all messages, for people.
func (c checkedAirflow) said() string {
	var all strings.Builder
	for _, m := range c.slack.Messages() {
		fmt.Fprintf(&all, "--- %s, thread %q\n%s\n", m.TS, m.Thread, m.Seen())
	}
	return all.String()
}

// has checks that a message says all that.
func (c checkedAirflow) has(t *testing.T, m slacktest.Message, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !tells(m, text) {
			t.Errorf("there is no %q in\n%s", text, m.Seen())
		}
	}
}

// types has a shell do what a person copied, and maybe added to.
func (c checkedAirflow) types(t *testing.T, line string) (stdout string) {
	t.Helper()
	cmd := exec.CommandContext(deadline(t), "sh", "-c", line)
	cmd.Env = c.env()
	code, out, errs := ended(t, cmd)
	if code != 0 {
		t.Fatalf("%s: exit %d\n%s%s", line, code, out, errs)
	}
	return out
}

// alerts are those that meet matchers, whatever their state.
func (c checkedAirflow) alerts(t *testing.T, match string) []alert.Alert {
	t.Helper()
	var list struct{ Alerts []alert.Alert }
	if err := json.Unmarshal([]byte(c.types(t, "outrider-checker alerts list --all --format json --match '"+match+"'")), &list); err != nil {
		t.Fatal(err)
	}
	return list.Alerts
}

// hang starts a run that hangs, to the end of the test at most.
func (c checkedAirflow) hang(t *testing.T, dag string) airflowtest.Run {
	t.Helper()
	r := c.triggerConf(t, dag, map[string]any{"hang": "yes"})
	t.Cleanup(func() { _ = r.Mark(inTheEnd(t), "failed") }) // it may have ended
	return r
}

// inTheEnd is for what is done in a test's Cleanup too, when its own context has ended.
func inTheEnd(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// pause turns a DAG off or on.
func (a airflow) pause(t *testing.T, dag string, off bool) {
	t.Helper()
	cl, err := client.New(client.Options{Endpoints: []string{a.URL}, User: airflowtest.User, Password: a.Password})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := cl.Pause(inTheEnd(t), dag, off); err != nil {
		t.Fatal(err)
	}
}
