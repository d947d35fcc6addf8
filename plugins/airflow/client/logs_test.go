package client_test

import (
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/airflow/client"
)

var aTask = client.TaskInstance{DAG: "d", Run: "r", Task: "t", MapIndex: 2}

// TestLogs reads what real servers sent, with times and levels.
func TestLogs(t *testing.T) {
	for _, c := range []struct {
		api          int
		name, uri    string
		accept       string
		lines, timed int
		want         client.LogLine
	}{
		{2, "log-json", "/api/v2/dags/d/dagRuns/r/taskInstances/t/logs/1?full_content=true&map_index=2", "application/json", 17, 14, client.LogLine{Time: at("2026-11-21T23:25:41.389542Z"), Level: "info", Text: "1795303541.387185894"}},
		{1, "log-text", "/api/v1/dags/d/dagRuns/r/taskInstances/t/logs/1?full_content=true&map_index=2", "text/plain", 27, 22, client.LogLine{Time: at("2026-11-21T23:28:11.964Z"), Level: "info", Text: "1795303691.964718348"}},
	} {
		f := serve(t, c.api, recorded(t, c.api, c.name))
		lines, err := ask(t, f).Log(t.Context(), aTask, 1)
		if err != nil || f.all()[0].URI != c.uri || f.all()[0].Header.Get("Accept") != c.accept {
			t.Fatalf("%v, %+v", err, f.all())
		}
		timed, found := 0, false
		levels := map[string]bool{}
		for _, l := range lines {
			levels[l.Level] = true
			if !l.Time.IsZero() {
				timed++
			}
			found = found || l.Text == c.want.Text && l.Level == c.want.Level && l.Time.Equal(c.want.Time)
		}
		if !found || !levels["warning"] || len(lines) != c.lines || timed != c.timed {
			t.Errorf("v%d: %d lines, %d with times, levels %v: %+v", c.api, len(lines), timed, levels, lines)
		}
	}
}

func TestLogLines(t *testing.T) {
	events := `{"content":[
		{"event":"one\ntwo\r\n","timestamp":"2026-11-21T00:00:01.5Z","level":"error"},
		{"event":{"a":1},"timestamp":null,"level":"NOTE"},
		{"event":"Task failed","timestamp":"never","level":"exception","error_detail":[{"exc_type":"ValueError","exc_value":"bad","frames":[{"filename":"/d.py","lineno":3,"name":"f"}]}]},
		"[2026-11-21T00:00:02.000+0000] {x.py:1} WARNING - plain\n  more",
		{"event":"日本"}
	],"continuation_token":null}`
	lines, err := ask(t, serve(t, 2, reply{body: events})).Log(t.Context(), aTask, 1)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "lines", lines, []client.LogLine{
		{Time: at("2026-11-21T00:00:01.5Z"), Level: "error", Text: "one"},
		{Time: at("2026-11-21T00:00:01.5Z"), Level: "error", Text: "two"},
		{Text: `{"a":1}`},
		{Level: "error", Text: "Task failed"},
		{Level: "error", Text: `  File "/d.py", line 3, in f`},
		{Level: "error", Text: "ValueError: bad"},
		{Time: at("2026-11-21T00:00:02Z"), Level: "warning", Text: "plain"},
		{Text: "  more"},
		{Text: "日本"},
	})
	text := "host1\n INFO - ::group::x\n*** Found local files:\n***   * /x\n INFO - ::endgroup::\n" +
		"[2026-11-21T00:00:01.500+0900] {taskinstance.py:1} ERROR - Task failed with exception\nTraceback (most recent call last):\n  File \"x\"\nValueError: a - b\n" +
		"[2026-11-21T00:00:02.000+0000] {x.py:1} CRITICAL - <html> - x\r\n[not a time] {x} INFO - y\nSHOUT - z"
	f := serve(t, 1, reply{kind: "text/plain", body: text})
	if lines, err = ask(t, f).Log(t.Context(), aTask, 1); err != nil {
		t.Fatal(err)
	}
	for i := range lines {
		lines[i].Time = lines[i].Time.UTC()
	}
	same(t, "lines", lines[5:], []client.LogLine{
		{Time: at("2026-11-20T15:00:01.5Z"), Level: "error", Text: "Task failed with exception"},
		{Text: "Traceback (most recent call last):"},
		{Text: `  File "x"`},
		{Text: "ValueError: a - b"},
		{Time: at("2026-11-21T00:00:02Z"), Level: "critical", Text: "<html> - x"},
		{Text: "[not a time] {x} INFO - y"},
		{Text: "SHOUT - z"},
	})
	// A log may begin as a page does.
	f = serve(t, 1, reply{kind: "text/plain", body: "<html>\nhello"})
	if lines, err = ask(t, f).Log(t.Context(), aTask, 1); err != nil || len(lines) != 2 || lines[0].Text != "<html>" {
		t.Errorf("%+v, %v", lines, err)
	}
	f = serve(t, 1, html(200, "<html>"))
	if _, err = ask(t, f).Log(t.Context(), aTask, 1); code(err) != client.CodeNotAirflow {
		t.Error(err)
	}
	for _, body := range []string{`{}`, `{"content":null}`, `{"content":"x"}`, `{"content":[7]}`, `[]`} {
		if lines, err := ask(t, serve(t, 2, reply{body: body})).Log(t.Context(), aTask, 1); code(err) != client.CodeBadAnswer {
			t.Errorf("%s: %+v, %v", body, lines, err)
		}
	}
}

// TestNoLog: both versions have none of a try that there was not; Airflow 2 says so
// with a 200.
func TestNoLog(t *testing.T) {
	tasks := reply{body: `{"task_instances":[{"dag_id":"d","dag_run_id":"r","task_id":"t","map_index":2}],"total_entries":1}`}
	says := `no log of try 9 of task "t" in run r of dag d at http`
	_, err := ask(t, serve(t, 2, recorded(t, 2, "log-no-such-try"), tasks)).Log(t.Context(), aTask, 9)
	if code(err) != client.CodeNotFound || !strings.HasPrefix(err.Error(), says) {
		t.Error(err)
	}
	_, err = ask(t, serve(t, 2, recorded(t, 2, "log-no-such-try"), reply{body: `{"task_instances":[{"dag_id":"d","dag_run_id":"r","task_id":"other"}],"total_entries":1}`})).Log(t.Context(), aTask, 9)
	if code(err) != client.CodeNotFound || !strings.HasPrefix(err.Error(), `no task "t" in run r`) {
		t.Error(err)
	}
	for _, said := range []string{
		"*** Log file not found on worker 'host1'. This attempt may have run elsewhere",
		"*** Could not read served logs: Request URL is missing an 'http://' or 'https://' protocol.",
		"*** No logs found on s3 for ti=<TaskInstance>",
	} {
		f := serve(t, 1, reply{kind: "text/plain", body: "host1\n INFO - ::group::Log message source details\n" + said + "\n INFO - ::endgroup::\n\n"})
		if lines, err := ask(t, f).Log(t.Context(), aTask, 9); code(err) != client.CodeNotFound || !strings.HasPrefix(err.Error(), says) {
			t.Errorf("%+v, %v", lines, err)
		}
	}
	// A log that is empty so far is one.
	f := serve(t, 1, reply{kind: "text/plain", body: "host1\n INFO - ::group::x\n*** Found local files:\n***   * /x\n INFO - ::endgroup::\n"})
	if lines, err := ask(t, f).Log(t.Context(), aTask, 9); err != nil || len(lines) != 5 {
		t.Errorf("%+v, %v", lines, err)
	}
	// And so is what a task says of its own.
	f = serve(t, 1, reply{kind: "text/plain", body: "host1\n*** Could not read served logs\nhello\n"})
	if lines, err := ask(t, f).Log(t.Context(), aTask, 9); err != nil || len(lines) != 3 {
		t.Errorf("%+v, %v", lines, err)
	}
}
