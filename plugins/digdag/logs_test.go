package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/plugins/digdag/client"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// packed is a log file; unfinished one that a server still writes.
func packed(t *testing.T, text string, whole bool) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if !whole {
		if err := z.Flush(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// handle is one log file of a list.
func handle(task, stamp string, size int) string {
	return fmt.Sprintf(`{"fileName":"%s@%s.8626@host1.log.gz","fileSize":%d,"taskName":"%s","fileTime":"2026-11-21T23:12:54Z","agentId":"8626@host1","direct":null}`, task, stamp, size, task)
}

func fileList(handles ...string) reply {
	return reply{body: `{"files":[` + strings.Join(handles, ",") + `]}`}
}

const logPath = "GET /api/logs/32/files"

func logsScript(t *testing.T, state map[string]any) script {
	return script{
		"GET /api/attempts/32":       {{body: attemptOf(t, "32", state)}},
		"GET /api/attempts/32/tasks": {{body: strings.ReplaceAll(sample(t, "tasks_gretry"), "+gretry", "+retry")}},
	}
}

func logsAt(d *digdagServer, task string) logsParams {
	return logsParams{source: d.on(), Address: "demo/retry@32" + task, Lines: 1000, pace: fast}
}

func texts(lines []logLine) string {
	var list []string
	for _, l := range lines {
		list = append(list, l.Task+"|"+l.Text)
	}
	return strings.Join(list, "\n")
}

func TestLogs(t *testing.T) {
	s := logsScript(t, isDone)
	s[logPath] = []reply{fileList(handle("+retry+g+y", "2b", 9), handle("+retry+g+x", "3a", 9), handle("+retry+g+x", "1a", 9))}
	s[logPath+"/+retry+g+x@1a.8626@host1.log.gz"] = []reply{{body: packed(t, "one\ntwo\r\n", true)}}
	s[logPath+"/+retry+g+x@3a.8626@host1.log.gz"] = []reply{{body: packed(t, "again\n\nno end", false)}}
	s[logPath+"/+retry+g+y@2b.8626@host1.log.gz"] = []reply{{body: "this is no gzip file"}}
	out, o := sdktest.Run(t, logs, logsAt(serveScript(t, s), ""))
	if o.Err() != nil {
		t.Fatal(o.Err())
	}
	if got, want := texts(out.Lines), "+retry+g+x|one\n+retry+g+x|two\n+retry+g+x|again\n+retry+g+x|\n+retry+g+x|no end"; got != want || out.Count != 5 || out.Cut {
		t.Errorf("%d %v\n%s\nwant\n%s", out.Count, out.Cut, got, want)
	}
	if len(out.Files) != 3 || out.Files[2].Delivery != 2 || out.Files[2].Whole || !out.Files[0].Whole || out.Files[1].Error == "" || !strings.Contains(out.Note, "1 file(s) are unfinished") {
		t.Errorf("%+v %s", out.Files, out.Note)
	}
	want := "==> +retry+g+x, delivery 1, 2026-11-21T23:12:54Z, 8626@host1 <==\none\ntwo\r\n==> +retry+g+y, delivery 1, 2026-11-21T23:12:54Z, 8626@host1 <==\n==> +retry+g+x, delivery 2, 2026-11-21T23:12:54Z, 8626@host1 <==\nagain\n\nno end"
	if got := string(o.Artifacts["log"]); got != want {
		t.Errorf("artifact:\n%q\nwant\n%q", got, want)
	}
	for _, l := range o.Logs {
		if l.Message == "one" {
			t.Error("a line was told without stream")
		}
	}
}

// TestLogsKeepsTheLastLines, and tells all of them if asked for.
func TestLogsKeepsTheLastLines(t *testing.T) {
	var text strings.Builder
	for i := range 50 {
		fmt.Fprintf(&text, "line %d\n", i)
	}
	text.WriteString(strings.Repeat("漢", maxLine))
	s := logsScript(t, isDone)
	s[logPath] = []reply{fileList(handle("+retry+g+x", "1a", 9), handle("+retry+g+xy", "1b", 9))}
	s[logPath+"/+retry+g+x@1a.8626@host1.log.gz"] = []reply{{body: packed(t, text.String(), true)}}
	p := logsAt(serveScript(t, s), "+g+x")
	p.Lines, p.Stream = 3, true
	out, o := sdktest.Run(t, logs, p)
	if o.Err() != nil || len(out.Lines) != 3 || out.Lines[0].Text != "line 48" || out.Lines[1].Text != "line 49" || out.Count != 51 || !out.Cut {
		t.Fatalf("%+v, %v", out.Lines, o.Err())
	}
	if last := out.Lines[2].Text; len(last) > maxLine+3 || !strings.HasPrefix(last, "漢漢") {
		t.Errorf("%d bytes", len(last))
	}
	told := 0
	for _, l := range o.Logs {
		if l.Level == "info" && l.Fields["task"] == "+retry+g+x" {
			told++
		}
	}
	if told != 51 || len(o.Artifacts["log"]) < 3*maxLine {
		t.Errorf("%d lines were told, the artifact has %d bytes", told, len(o.Artifacts["log"]))
	}
}

// TestLogsGoesOnAfterAHugeFile: one that is longer than what is read of an answer.
func TestLogsGoesOnAfterAHugeFile(t *testing.T) {
	s := logsScript(t, isDone)
	s[logPath] = []reply{fileList(handle("+retry+g+x", "1a", 70<<20), handle("+retry+g+y", "2b", 9))}
	s[logPath+"/+retry+g+x@1a.8626@host1.log.gz"] = []reply{{handle: func(w http.ResponseWriter, _ *http.Request) {
		for block := make([]byte, 1<<20); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}}}
	s[logPath+"/+retry+g+y@2b.8626@host1.log.gz"] = []reply{{body: packed(t, "here\n", true)}}
	out, o := sdktest.Run(t, logs, logsAt(serveScript(t, s), ""))
	if o.Err() != nil || texts(out.Lines) != "+retry+g+y|here" || len(out.Files) != 2 || !strings.Contains(out.Note, "1 file(s) could not be read to their end") {
		t.Fatalf("%+v, %v", out, o.Err())
	}
	if why := out.Files[0].Error; !strings.Contains(why, "longer than 64 MiB") || !strings.Contains(why, "it is 70 MiB packed") || !strings.Contains(why, "+task in the address") {
		t.Errorf("%s", why)
	}
}

// TestLogsFitIntoAMessage, whatever JSON makes of the lines; the artifact has all.
func TestLogsFitIntoAMessage(t *testing.T) {
	s := logsScript(t, isDone)
	s[logPath] = []reply{fileList(handle("+retry+g+x", "1a", 9))}
	text := strings.Repeat(strings.Repeat("\x01", 8<<10)+"\n", 500) + "the end\n"
	s[logPath+"/+retry+g+x@1a.8626@host1.log.gz"] = []reply{{body: packed(t, text, true)}}
	d := serveScript(t, s)
	out, o := sdktest.Run(t, logs, logsAt(d, ""))
	if o.Err() != nil || out.Count != 501 || !out.Cut || len(o.Output) > mostLines+64<<10 || len(out.Lines) < 50 || out.Lines[len(out.Lines)-1].Text != "the end" || string(o.Artifacts["log"]) != "==> +retry+g+x, delivery 1, 2026-11-21T23:12:54Z, 8626@host1 <==\n"+text {
		t.Fatalf("%d bytes, %d of %d lines, %v", len(o.Output), len(out.Lines), out.Count, o.Err())
	}
	for _, want := range []string{"cut to the last 4 MiB", "the artifact log", "+task", "lines"} {
		if !strings.Contains(out.Note, want) {
			t.Errorf("%q is not in %q", want, out.Note)
		}
	}

	c, err := client.New(client.Options{Endpoints: []string{d.URL}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var r logReading
	for range 50_000 {
		r.files = append(r.files, &openFile{about: logFile{Name: strings.Repeat("n", 200), Whole: true}})
	}
	if out := r.output(c, client.Attempt{}); len(toJSON(t, out)) > mostFiles+64<<10 || !strings.Contains(out.Note, "of the files are not listed: a +task in the address") {
		t.Errorf("%d files, %s", len(out.Files), out.Note)
	}
}

// TestLogsFollows reads what is new of a file that grows, through a redelivery, until
// the attempt has ended.
func TestLogsFollows(t *testing.T) {
	s := logsScript(t, isRunning)
	running, done := s["GET /api/attempts/32"][0], reply{body: attemptOf(t, "32", isDone)}
	s["GET /api/attempts/32"] = []reply{running, running, running, running, running, done}
	a, b := "/+retry+g+x@1a.8626@host1.log.gz", "/+retry+g+x@2a.9999@host1.log.gz"
	s[logPath] = []reply{
		fileList(), fileList(handle("+retry+g+x", "1a", 10)), fileList(handle("+retry+g+x", "1a", 20)), fileList(handle("+retry+g+x", "1a", 20)),
		fileList(handle("+retry+g+x", "1a", 30), strings.Replace(handle("+retry+g+x", "2a", 5), "8626@", "9999@", 2)),
	}
	s[logPath+a] = []reply{{body: packed(t, "", false)}, {body: packed(t, "one\ntw", false)}, {body: packed(t, "one\ntwo\nthree\n", false)}}
	s[logPath+b] = []reply{{body: packed(t, "other\n", true)}}
	d := serveScript(t, s)
	p := logsAt(d, "")
	p.Follow = true
	var seen []string
	out, o := sdktest.Run(t, logs, p, sdktest.OnLog(func(l sdktest.Line) { seen = append(seen, l.Message) }))
	if got := strings.Join(seen, " "); o.Err() != nil || got != "one two three other" || out.Count != 4 || out.Run.State != "success" {
		t.Errorf("%q, %+v, %v", got, out, o.Err())
	}
	if n := len(d.requests(logPath + a)); n != 3 {
		t.Errorf("the file was read %d times, it changed 3 times", n)
	}
}

// TestLogsFollowsThroughAProxysPages, which stand in the place of a server that
// restarts.
func TestLogsFollowsThroughAProxysPages(t *testing.T) {
	s := logsScript(t, isRunning)
	runs := s["GET /api/attempts/32"]
	s["GET /api/attempts/32"] = slices.Concat(runs, runs, fromAProxy, slices.Repeat(runs, 5), []reply{{body: attemptOf(t, "32", isDone)}})
	s[logPath] = append(append([]reply{fileList()}, fromAProxy...), fileList(handle("+retry+g+x", "1a", 10)))
	s[logPath+"/+retry+g+x@1a.8626@host1.log.gz"] = []reply{{}, {body: packed(t, "one\n", true)}}
	p := logsAt(serveScript(t, s), "")
	p.Follow = true
	if out, o := sdktest.Run(t, logs, p); o.Err() != nil || texts(out.Lines) != "+retry+g+x|one" {
		t.Errorf("%+v, %v", out, o.Err())
	}
}

// TestLogsFollowEndsWhereIdsBeganAnew: the attempt's number is another's, or nobody's.
func TestLogsFollowEndsWhereIdsBeganAnew(t *testing.T) {
	for name, after := range map[string]reply{
		"another's": {body: attemptOf(t, "32", map[string]any{"done": false, "sessionUuid": "00000000-3540-4752-8707-28b3096bf4ec"})},
		"nobody's":  {status: 404, body: sample(t, "error_404_attempt")},
	} {
		s := logsScript(t, isRunning)
		s["GET /api/attempts/32"] = append(s["GET /api/attempts/32"], s["GET /api/attempts/32"][0], after)
		s[logPath] = []reply{fileList(handle("+retry+g+x", "1a", 10))}
		s[logPath+"/+retry+g+x@1a.8626@host1.log.gz"] = []reply{{body: packed(t, "one\n", false)}}
		p := logsAt(serveScript(t, s), "")
		p.Follow = true
		_, o := sdktest.Run(t, logs, p)
		if o.State != sdktest.Permanent || o.Code != "ids_reset" || !strings.Contains(o.Error, "the server began its ids anew") || !logged(o, "one") {
			t.Errorf("%s: %s %q %s", name, o.State, o.Code, o.Error)
		}
	}
}

func TestLogsOfNothing(t *testing.T) {
	for name, c := range map[string]struct {
		state map[string]any
		task  string
		note  string
		code  string
	}{
		"no store":        {isDone, "", "the server keeps none", ""},
		"not yet":         {isRunning, "", "no log files yet", ""},
		"a near name":     {isRunning, "+g+xx", "", "not_found"},
		"an ended one":    {isDone, "+q", "", "not_found"},
		"a generated one": {isRunning, "+g^sub+load", "no log files yet", ""},
	} {
		s := logsScript(t, c.state)
		s[logPath] = []reply{fileList()}
		out, o := sdktest.Run(t, logs, logsAt(serveScript(t, s), c.task))
		if o.Code != c.code || !strings.Contains(out.Note, c.note) {
			t.Errorf("%s: %q %s %q", name, o.Code, o.Error, out.Note)
		}
	}
}

// TestLogsObeysACancelWhileItFollows: the pause is an hour.
func TestLogsObeysACancelWhileItFollows(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	s := logsScript(t, isRunning)
	s[logPath] = []reply{fileList(handle("+retry+g+x", "1a", 10))}
	s[logPath+"/+retry+g+x@1a.8626@host1.log.gz"] = []reply{{body: packed(t, "one\n", false)}}
	p := logsAt(serveScript(t, s), "")
	p.Follow, p.pace = true, pace{Every: 100 * 3600e9}
	_, o := sdktest.Run(t, logs, p, sdktest.Context(ctx), sdktest.OnLog(func(l sdktest.Line) {
		if l.Message == "one" {
			cancel(errors.New("enough"))
		}
	}))
	if o.State != sdktest.Cancelled || !strings.Contains(o.Error, "enough") {
		t.Errorf("%s %s", o.State, o.Error)
	}
}

func TestOfTask(t *testing.T) {
	for _, c := range []struct {
		name, prefix string
		want         bool
	}{
		{"+w+a", "", true}, {"+w+a", "+w+a", true}, {"+w+ab", "+w+a", false}, {"+w+a+b", "+w+a", true}, {"+w+a^sub+b", "+w+a", true}, {"+w", "+w+a", false},
	} {
		if got := ofTask(c.name, c.prefix); got != c.want {
			t.Errorf("%s of %s: %v", c.name, c.prefix, got)
		}
	}
}

func TestLogsConforms(t *testing.T) {
	s := logsScript(t, isDone)
	s[logPath] = []reply{fileList(handle("+retry+g+x", "1a", 10))}
	s[logPath+"/+retry+g+x@1a.8626@host1.log.gz"] = []reply{{body: packed(t, "one\n", true)}}
	running := logsScript(t, isRunning)
	running[logPath] = []reply{fileList()}
	sdktest.Conform(t, logsComponent(),
		sdktest.Case{Params: `{"endpoint":"` + serveScript(t, s).URL + `","address":"demo/retry@32","user":"me","password":"correct horse"}`},
		sdktest.Case{Params: `{"endpoint":"` + serveScript(t, running).URL + `","address":"demo/retry@32","follow":true,"secret_headers":{"x-key":"correct horse"}}`})
}
