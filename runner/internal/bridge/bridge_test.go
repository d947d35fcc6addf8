package bridge

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const dir = ".digdag/tmp/digdag-py-10-8333409034247774729/"

// TestParse reads what Digdag 0.10.5.1 gives: as recorded for py>, as read in its
// source for rb> and for tasks with script:.
func TestParse(t *testing.T) {
	rb := strings.ReplaceAll(dir, "py", "rb")
	for _, c := range []struct {
		language Language
		args     []string
		want     Call
	}{
		{Python, []string{dir + "runner.py", "job-name", dir + "input.json", dir + "output.json"}, Call{Python, "job-name", dir + "input.json", dir + "output.json", ""}},
		{Python, []string{dir + "runner.py", dir + "input.json", dir + "output.json"}, Call{Python, "", dir + "input.json", dir + "output.json", ""}},
		{Ruby, []string{"--once", "-I", "/w", "--", rb + "runner.rb", "a.b", rb + "input.json", rb + "output.json"}, Call{Ruby, "a.b", rb + "input.json", rb + "output.json", ""}},
		{Ruby, []string{"-I", "/w", "-r", "tasks/x", "--", rb + "runner.rb", "A.b", rb + "input.json", rb + "output.json"}, Call{Ruby, "A.b", rb + "input.json", rb + "output.json", "tasks/x"}},
	} {
		if got, err := Parse(c.language, c.args); err != nil || got != c.want {
			t.Errorf("%q: %+v, %v", c.args, got, err)
		}
	}
	for _, args := range [][]string{nil, {"hello.greet"}, {"a", "b", "c", "d"}, {"runner.py", "a"}, {"-I", "/w"}, {"runner.rb", "a", "b", "c", "d"}, {"runner.py", "a", "b"}} {
		if got, err := Parse(Ruby, args); err == nil {
			t.Errorf("%q is taken for %+v", args, got)
		}
	}
}

func TestComponent(t *testing.T) {
	for command, want := range map[string]string{"hello.greet": "", "": "names no component", "hello.greet --name you": "under with:"} {
		got, err := Call{Language: Python, Command: command}.Component()
		if want == "" && (err != nil || got != command) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %q, %v", command, got, err)
		}
	}
}

func TestInput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "input.json")
	text := `{"params":{"attempt_id":12,"task_name":"+w+a","docker":{"image":"x"},"with":{"a":"é\"$"},"nothing":null}}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := Call{Input: file}.ReadInput()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(in.With()); got != `{"a":"é\"$"}` {
		t.Errorf("with: %s", got)
	}
	getenv := in.Getenv(func(name string) string { return "env " + name })
	for name, want := range map[string]string{"attempt_id": "12", "task_name": "+w+a", "docker": `{"image":"x"}`, "nothing": "", "HOME": "env HOME"} {
		if got := getenv(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if err := os.WriteFile(file, []byte(`{"params":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (Call{Input: file}).ReadInput(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("half a file: %v", err)
	}
}

func TestResult(t *testing.T) {
	for outputs, want := range map[string]string{
		`{}`:                      `{"store_params":{}}`,
		`{"a":1,"b":{"c":"<&>"}}`: `{"store_params":{"a":1,"b":{"c":"\u003c\u0026\u003e"}}}`,
		`{"a":"$x {y} ${z}","b":["${",{"c":"$${d}"}],"n":12345678901234567890}`: `{"store_params":{"a":"$x {y} ${'$'}{z}","b":["${'$'}{",{"c":"$${'$'}{d}"}],"n":12345678901234567890}}`,
		`{"subtasks":{"+a":{"sh>":"echo ${x}"}}}`:                               `{"store_params":{},"subtask_config":{"+a":{"sh\u003e":"echo ${x}"}}}`,
		`{"a":1,"subtasks":null}`:                                               `{"store_params":{"a":1}}`,
		`{"subtasks":{"+b":{"py>":"x.y"},"+a":{"sh>":"z"},"_parallel":true}}`:   `{"store_params":{},"subtask_config":{"+b":{"py\u003e":"x.y"},"+a":{"sh\u003e":"z"},"_parallel":true}}`,
		`{"subtasks":[{"sh>":"a"},{"sh>":"b"}]}`:                                `{"store_params":{},"subtask_config":{"+subtask0":{"sh\u003e":"a"},"+subtask1":{"sh\u003e":"b"}}}`,
	} {
		if got, err := Result(json.RawMessage(outputs)); err != nil || string(got) != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", outputs, got, err, want)
		}
	}
	for outputs, want := range map[string]string{
		`[]`:                              "no object",
		`{"subtasks":3}`:                  "output subtasks: want tasks by name",
		`{"subtasks":{"load":{}}}`:        `"load" is no name of a task`,
		`{"subtasks":{"+":{}}}`:           `"+" is no name of a task`,
		`{"subtasks":{"+load":"./x"}}`:    "+load: want a task",
		`{"subtasks":[{"sh>":"a"},"b"]}`:  "+subtask1: want a task",
		`{"subtasks":{"+a":{},"b":null}}`: `"b" is no name of a task`,
	} {
		if got, err := Result(json.RawMessage(outputs)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %s, %v, want %q", outputs, got, err, want)
		}
	}
}

func TestFail(t *testing.T) {
	c := Call{Language: Ruby, Output: filepath.Join(t.TempDir(), "output.json")}
	if err := c.Fail(Failure{Class: "failed", Message: strings.Repeat("é", maxMessage)}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.Output)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Error map[string]any }
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	trace, isList := got.Error["backtrace"].([]any)
	if message := got.Error["message"].(string); got.Error["class"] != "failed" || !isList || len(trace) > 0 ||
		len(message) > maxMessage+5 || !strings.HasSuffix(message, "é …") {
		t.Errorf("%.200s", text)
	}
	c.Output = filepath.Join(t.TempDir(), "none", "output.json")
	if err := c.Fail(Failure{}); err == nil || !strings.Contains(err.Error(), "write the output of rb>") {
		t.Errorf("no folder: %v", err)
	}
}

func TestModule(t *testing.T) {
	for _, c := range []struct {
		call Call
		file string // in the project
		want bool
	}{
		{Call{Language: Python, Command: "tasks.load"}, "tasks.py", true},
		{Call{Language: Python, Command: "tasks.Job.run"}, "tasks.py", true},
		{Call{Language: Python, Command: "jobs.daily.load"}, "jobs/daily.py", true},
		{Call{Language: Python, Command: "jobs.load"}, "jobs/__init__.py", true},
		{Call{Language: Python, Command: "hello.greet"}, "tasks.py", false},
		{Call{Language: Python, Command: "hello"}, "hello.py", false}, // py> cannot call a module
		{Call{Language: Ruby, Command: "Job.run", Require: "tasks/job"}, "tasks/job.rb", true},
		{Call{Language: Ruby, Command: "Job.run", Require: "job.rb"}, "job.rb", true},
		{Call{Language: Ruby, Command: "MyJob::DailyLoader.run"}, "my_job/daily_loader.rb", true},
		{Call{Language: Ruby, Command: "hello.greet"}, "hello.rb", true},
		{Call{Language: Ruby, Command: "hello.greet"}, "tasks.rb", false},
	} {
		got := c.call.Module(func(path string) bool { return path == c.file })
		if want := map[bool]string{true: c.file}[c.want]; got != want {
			t.Errorf("%+v: %q, want %q", c.call, got, want)
		}
	}
}
