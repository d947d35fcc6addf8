package digdagtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// program writes an executable for python: and gives its path. $1 is py, $2 the
// runner, $3 the command, $4 the input and $5 the output.
func program(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWhatAPythonProgramGets(t *testing.T) {
	dir := t.TempDir()
	p := program(t, `for a in "$@"; do echo "arg $a"; done
cp "$4" `+dir+`/input; ls -A $(dirname "$4"); env > `+dir+`/env; echo '{}' > "$5"
`)
	r := onShared(t).Run(fmt.Sprintf(`
_export:
  py: {python: [%s, py]}
  foo: bar
+a:
  py>: my job --flag "x y"
  list: [1, 2.0]
  _env: {OWN: o}
`, p))
	if !r.Success {
		t.Fatalf("%v: %s", r.States(), r.Task("+w+a").Error.Message)
	}
	folder := `\.digdag/tmp/digdag-py-` + r.Task("+w+a").ID + `-\d+/`
	want := "^arg py\narg " + folder + "runner.py\narg my job --flag \"x y\"\narg " + folder + "input.json\narg " + folder +
		"output.json\ninput.json\nrunner.py\n$"
	if got := r.Output("+w+a"); !regexp.MustCompile(want).MatchString(got) {
		t.Errorf("printed %q", got)
	}
	input, err := os.ReadFile(filepath.Join(dir, "input"))
	if err != nil {
		t.Fatal(err)
	}
	var in struct{ Params map[string]any }
	if err := json.Unmarshal(input, &in); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{
		"foo": `"bar"`, "list": `[1,2]`, "_type": `"py"`, "_command": `"my job --flag \"x y\""`, "py>": `"my job --flag \"x y\""`,
		"_env": `{"OWN":"o"}`, "python": fmt.Sprintf(`["%s","py"]`, p), "py": fmt.Sprintf(`{"python":["%s","py"]}`, p),
		"attempt_id": r.ID, "project_id": r.Project.ID, "session_id": r.SessionID, "task_name": `"+w+a"`,
		"last_executed_session_time": `""`,
	} {
		if got, _ := json.Marshal(in.Params[k]); string(got) != want {
			t.Errorf("input %s is %s, want %s", k, got, want)
		}
	}
	if !strings.Contains(string(input), `"list":[1,2.0]`) {
		t.Errorf("numbers changed: %s", input)
	}
	env := seen(must(t)(readFile(filepath.Join(dir, "env"))))
	if env["OWN"] != "o" || env["FROM_SERVER"] != "inherited" || env["foo"] != "" || env["attempt_id"] != "" {
		t.Errorf("environment: %v", env)
	}
}

func readFile(path string) (string, error) {
	data, err := os.ReadFile(path)
	return string(data), err
}

func TestWhatAPythonProgramGivesBack(t *testing.T) {
	p := program(t, `cat "$3" > "$5"`)
	s := onShared(t)
	project := s.Push(Files{
		"w.dig": fmt.Sprintf(`
_export: {py: {python: [%s, py]}}
+a: {py>: a.json}
+b: {echo>: "${answer} ${nested.k} ${typeof exported}"}
+c: {sh>: "echo $answer $nested $exported."}
+d: {py>: d.json}
+e: {py>: empty.json}
`, p),
		"a.json":     `{"store_params":{"answer":42,"nested":{"k":"v"}},"export_params":{"exported":"E"}}`,
		"d.json":     `{"subtask_config":{"+gen":{"echo>":"got ${answer} ${down}"}},"export_params":{"down":"D"}}`,
		"empty.json": `{}`,
	})
	r := s.Wait(s.Start(project, "w").ID)
	expect(t, r, "success", "+w success", "+w+a success", "+w+b success", "+w+c success", "+w+d success", "+w+e success",
		"+w+d^sub success", "+w+d^sub+gen success")
	for name, want := range map[string]string{
		"+w+b": "42 v undefined", "+w+c": `42 {"k":"v"} .`, "+w+d^sub+gen": "got 42 D",
	} {
		if got := strings.TrimSpace(r.Output(name)); got != want {
			t.Errorf("%s printed %q, want %q", name, got, want)
		}
	}
	a := r.Task("+w+a")
	if a.StoreParams["answer"] != 42.0 || a.ExportParams["exported"] != "E" || *r.Task("+w+d^sub").ParentID != r.Task("+w+d").ID {
		t.Errorf("%+v", a)
	}
}

func TestHowAPythonProgramFails(t *testing.T) {
	fails := program(t, `echo '{"error":{"class":"C","message":"m","backtrace":["l1","l2"]}}' > "$5"; exit 7`)
	plain := program(t, `exit 7`)
	silent := program(t, `exit 0`)
	broken := program(t, `echo not json > "$5"`)
	r := onShared(t).Run(fmt.Sprintf(`
_parallel: true
+fails: {py>: x, python: [%s, py]}
+plain: {py>: x, python: [%s, py]}
+silent: {py>: x, python: [%s, py]}
+broken: {py>: x, python: [%s, py]}
+split: {py>: x, python: "%s py"}
+subtask: {py>: x, python: [sh, -c, "echo '{\"subtask_config\":{\"+a\":{\"echo>\":\"x\",\"fail>\":\"y\"}}}' > $3"]}
`, fails, plain, silent, broken, plain))
	for name, want := range map[string]string{
		"fails":   "^Python command failed with code 7\nError messages from python: m \\(C\\)\n\tfrom l1\n\tfrom l2 \\(runtime\\)$",
		"plain":   `^Python command failed with code 7 \(runtime\)$`,
		"silent":  `^output.json does not exist. Something unexpected error happened. Please check logs. \(runtime\)$`,
		"broken":  `^com.fasterxml.jackson.core.JsonParseException: `,
		"split":   `^java.io.IOException: Cannot run program ".*program py" \(in directory .*\): error=2, No such file or directory \(runtime\)$`,
		"subtask": `A task can't have more than one operator: .*\(config\)`,
	} {
		if x := r.Task("+w+" + name); x.State != "error" || !regexp.MustCompile(want).MatchString(x.Error.Message) {
			t.Errorf("%s is %s: %q", name, x.State, x.Error.Message)
		}
	}
	if slices.Contains(r.States(), "+w+subtask^sub+a blocked") {
		t.Error("broken subtasks were added")
	}
}
