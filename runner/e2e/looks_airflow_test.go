package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/dags/airflowtest"
	"github.com/outrider-run/outrider/plugins/airflow/client"
	"github.com/outrider-run/outrider/sdk/observe"
)

// airflowStatus is what airflow.status returns.
type airflowStatus struct {
	observe.Run
	Paused   bool
	Warnings []string
	Failed   []observe.Task
	Tries    []struct {
		Task string
		Try  int
		Word string
		Took float64 `json:"took_s"`
	}
	Blind []string
}

// TestAirflowStatus: by the latest run, and by its id; with what was tried twice, and
// again after a clear.
func TestAirflowStatus(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		l := a.looks(t)
		l.release()
		r := l.triggerConf(t, "looked", map[string]any{"dir": l.dir})
		l.wait(r, "failed")
		for _, address := range []string{"looked", "looked@latest", "looked@" + r.ID, "looked@today/hold"} {
			var got airflowStatus
			l.does("airflow.status", map[string]any{"address": address}, &got)
			if got.ID != "looked@"+r.ID || got.State != observe.Failed || len(got.Blind)+len(got.Warnings) != 0 || got.Paused || !strings.Contains(got.LogTail, "no such table") {
				t.Errorf("%q: %+v", address, got)
			}
			if len(got.Failed) != 1 || got.Failed[0].Name != "hold" || got.Failed[0].Tries != 2 {
				t.Errorf("%q: failed %+v", address, got.Failed)
			}
			var names []string
			for _, x := range got.Tasks {
				names = append(names, x.Name)
			}
			if text := strings.Join(names, " "); text != "begin hold after part[0] part[1]" {
				t.Errorf("%q: tasks %s", address, text)
			}
			if len(got.Tries) != 2 || got.Tries[0].Try != 1 || got.Tries[1].Try != 2 || got.Tries[1].Word != "failed" || got.Tries[0].Task != "hold" || got.Tries[0].Took <= 0 {
				t.Errorf("%q: tries %+v", address, got.Tries)
			}
		}
		if err := r.Clear(deadline(t)); err != nil {
			t.Fatal(err)
		}
		if _, err := r.WaitTask(deadline(t), "hold", func(x airflowtest.Task) bool { return x.Try > 2 && x.State == "failed" }); err != nil {
			t.Fatal(err)
		}
		l.wait(r, "failed")
		var got airflowStatus
		l.does("airflow.status", map[string]any{"address": "looked@" + r.ID}, &got)
		last := 0
		for _, x := range got.Tries {
			if x.Task == "hold" {
				last = max(last, x.Try)
			}
		}
		if last < 3 || len(got.Failed) != 1 || got.Failed[0].Tries != last {
			t.Errorf("after a clear: try %d, %+v", last, got)
		}
		code, _, stderr := ended(t, l.command("airflow.status", map[string]any{"address": "loked"}))
		if code != 3 || !strings.Contains(stderr, "near: looked") {
			t.Errorf("exit %d\n%s", code, stderr)
		}
	})
}

// airflowLogs is what airflow.logs returns.
type airflowLogs struct {
	Run   observe.Run
	Count int
	Lines []struct {
		Task, Text, Level string
		Try               int
	}
	Tries []struct {
		Task, Error string
		Try, Lines  int
		Whole       bool
	}
	Note string
}

// said is the text of a task's try.
func (o airflowLogs) said(task string, try int) string {
	var text strings.Builder
	for _, l := range o.Lines {
		if l.Task == task && l.Try == try {
			text.WriteString(l.Text + "\n")
		}
	}
	return text.String()
}

// TestAirflowLogs follows a run from before its start, while what serves the API is
// killed and started again.
func TestAirflowLogs(t *testing.T) {
	onAirflow(t, func(t *testing.T, a airflow) {
		l := a.looks(t)
		l.release()
		r := l.triggerConf(t, "looked_later", map[string]any{"dir": l.dir})
		follows, silent := &lineWatch{want: "is queued", seen: make(chan struct{})}, &lineWatch{want: "the server does not answer", seen: make(chan struct{})}
		var stdout bytes.Buffer
		cmd := l.command("airflow.logs", map[string]any{"address": "looked_later@" + r.ID, "follow": true, "every": "1s"})
		cmd.Stdout, cmd.Stderr = &stdout, io.MultiWriter(follows, silent)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		follows.await(deadline(t), t)
		server := a.Names()[0]
		a.killGroup(t, server)
		silent.await(deadline(t), t)
		if err := a.Restart(deadline(t), server); err != nil {
			t.Fatal(err)
		}
		c, err := client.New(client.Options{Endpoints: []string{a.URL}, User: airflowtest.User, Password: a.Password})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Pause(deadline(t), "looked_later", false); err != nil {
			t.Fatal(err)
		}
		l.wait(r, "failed")
		if _, err := c.Pause(deadline(t), "looked_later", true); err != nil { // as it was
			t.Fatal(err)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("%v\n%s", err, silent.text())
			}
		case <-deadline(t).Done():
			_ = cmd.Process.Kill()
			t.Fatalf("it follows on:\n%s", silent.text())
		}
		var got airflowLogs
		if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Run.State != observe.Failed || got.Note != "" || got.Count != len(got.Lines) {
			t.Errorf("%+v, %q, %d lines", got.Run, got.Note, got.Count)
		}
		for name, want := range map[string]string{"begin": "now it has begun", "part[0]": "part zero is here", "part[1]": "part one is here", "hold": "no such table"} {
			if n := strings.Count(got.said(name, 1), want+"\n"); n != 1 {
				t.Errorf("%s says %q %d times:\n%s", name, want, n, got.said(name, 1))
			}
		}
		if n := strings.Count(got.said("hold", 2), "no such table\n"); n != 1 {
			t.Errorf("its second try says so %d times:\n%s", n, got.said("hold", 2))
		}
		if text := got.said("hold", 1); strings.Contains(text, "::group::") || strings.Contains(text, "attempt=1.log") {
			t.Errorf("what surrounds it is told:\n%s", text)
		}
		if n := strings.Count(silent.text(), "no such table"); n != 2 {
			t.Errorf("the log of the run says so %d times:\n%s", n, silent.text())
		}
		l.logsOf(r)
	})
}

// logsOf reads parts of what a run that has ended said.
func (l *looker) logsOf(r airflowtest.Run) {
	l.Helper()
	var got airflowLogs
	l.does("airflow.logs", map[string]any{"address": "looked_later@" + r.ID + "/part[1]"}, &got)
	if len(got.Tries) != 1 || got.Tries[0].Task != "part[1]" || !got.Tries[0].Whole || !strings.Contains(got.said("part[1]", 1), "part one is here") {
		l.Errorf("%+v", got)
	}
	got = airflowLogs{}
	l.does("airflow.logs", map[string]any{"address": "looked_later@" + r.ID + "/hold", "try": 2, "lines": 3}, &got)
	if len(got.Tries) != 1 || got.Tries[0].Try != 2 || len(got.Lines) != 3 || got.Count <= 3 {
		l.Errorf("%+v", got)
	}
	for address, want := range map[string]string{
		"looked_later@" + r.ID + "/hld":     "near: hold",
		"looked_later@" + r.ID + "/part[7]": "it has [0] to [1]",
		"looked_later@nothing":              `no run "nothing"`,
	} {
		if code, _, stderr := ended(l.T, l.command("airflow.logs", map[string]any{"address": address})); code != 3 || !strings.Contains(stderr, want) {
			l.Errorf("%s: exit %d\n%s", address, code, stderr)
		}
	}
	if code, _, stderr := ended(l.T, l.command("airflow.logs", map[string]any{"address": "looked_later@" + r.ID + "/hold", "try": 9})); code != 3 || !strings.Contains(stderr, "there is no try 9, they go up to 2") {
		l.Errorf("exit %d\n%s", code, stderr)
	}
}
