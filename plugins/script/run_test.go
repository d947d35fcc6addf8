package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/sdktest"
)

const secret = "s3cr3t-value-of-the-test"

func TestParamsComeOnStdinAndInAPrivateFileOnly(t *testing.T) {
	c := sh(t, `cat >&2
cat "$OUTRIDER_PARAMS_FILE" >&2
stat -c '%a %n' "$OUTRIDER_PARAMS_FILE"
tr '\0' ' ' </proc/$$/cmdline; echo
tr '\0' ' ' </proc/$PPID/cmdline; echo
env
echo "cwd $(pwd)"`)
	params := `{"password":"` + secret + `","n":12345678901234567890}`
	o := c.run(params, sdktest.Attempt(3), sdktest.Key("the-key"))
	if o.Err() != nil {
		t.Fatal(o.Err())
	}
	if got := log(o, "info", "stderr"); !slices.Equal(got, []string{params, params}) {
		t.Errorf("stdin and file held %q", got)
	}
	out := log(o, "info", "")
	mode, file, _ := strings.Cut(out[0], " ")
	if mode != "600" {
		t.Errorf("the file has mode %s", mode)
	}
	text := strings.Join(out, "\n")
	if strings.Contains(text, secret) {
		t.Errorf("the secret is in an argument or a variable:\n%s", text)
	}
	for _, want := range []string{
		"OUTRIDER_PARAMS_FILE=" + file, "TMPDIR=" + filepath.Dir(file), "OUTRIDER_RUN_ID=test-run",
		"OUTRIDER_ATTEMPT=3", "OUTRIDER_KEY=the-key", "PWD=" + c.dir, "cwd " + c.dir,
	} {
		if !slices.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	for _, line := range out {
		for _, never := range []string{"OUTRIDER_PLUGIN=", "OUTRIDER_LIFELINE_FD=", "OUTRIDER_RUN_DIR=", "PLUGIN_"} {
			if strings.HasPrefix(line, never) {
				t.Errorf("the program sees %s", line)
			}
		}
	}
}

func TestTheParamsFileIsRemovedWhateverTheEnd(t *testing.T) {
	for _, end := range []string{"exit 0", "exit 1", "kill -KILL $$"} {
		c := sh(t, `echo "$OUTRIDER_PARAMS_FILE"; `+end)
		components, err := load(filepath.Join(c.dir, "test.component.yml"), true)
		if err != nil {
			t.Fatal(err)
		}
		// In this process, whose run's folder stays until the test's end.
		out := log(sdktest.RunJSON(t, components[0], `{"a":1}`), "info", "")
		if len(out) != 1 || !filepath.IsAbs(out[0]) {
			t.Fatalf("%s: %q", end, out)
		}
		if _, err := os.Stat(filepath.Dir(out[0])); err != nil {
			t.Errorf("%s: the folder: %v", end, err)
		}
		if _, err := os.Stat(out[0]); !os.IsNotExist(err) {
			t.Errorf("%s: the file is still there: %v", end, err)
		}
	}
}

func TestACommandNeedNotReadItsParams(t *testing.T) {
	big := `{"x":"` + strings.Repeat("x", 15<<20) + `"}`
	if o := sh(t, `exec <&-; true`).run(big); o.Err() != nil {
		t.Error(o.Err())
	}
	o := sh(t, `wc -c; wc -c <"$OUTRIDER_PARAMS_FILE"`).run(big)
	if got := fmt.Sprint(log(o, "info", "")); got != fmt.Sprintf("[%d %d]", len(big)+1, len(big)+1) {
		t.Errorf("read %s", got)
	}
	// A reader of lines gets one.
	if o := sh(t, `read -r line && echo "$line"`).run(`{"a":1}`); fmt.Sprint(log(o, "info", "")) != `[{"a":1}]` {
		t.Errorf("%v, %v", o.Err(), o.Logs)
	}
}

func TestEvents(t *testing.T) {
	o := sh(t, `cat >&3 <<'END'
{"outrider":1,"progress":{"done":1,"total":3,"note":"x"}}
{"outrider":1,"output":{"rows":1,"name":"a"}}
{"outrider":1,"alive":true}
{"outrider":1,"output":{"rows":2}}
{"outrider":1,"surprise":true}
what is this
{"outrider":1,"output":[]}
END
echo done`).run("{}")
	if o.Err() != nil || string(o.Output) != `{"name":"a","rows":2}` {
		t.Errorf("output %s, %v", o.Output, o.Err())
	}
	if len(o.Progress) != 1 || o.Progress[0] != (sdktest.Progress{Done: 1, Total: 3, Note: "x"}) || o.Alive != 1 {
		t.Errorf("progress %v, alive %d", o.Progress, o.Alive)
	}
	warnings := strings.Join(log(o, "warn", ""), "\n")
	for _, want := range []string{"unknown event", "not an event: not a JSON object", "not an event: output: "} {
		if !strings.Contains(warnings, want) {
			t.Errorf("no %q in\n%s", want, warnings)
		}
	}
}

func TestBadEventsDoNotFloodTheLog(t *testing.T) {
	o := sh(t, `yes | head -n 100000 >&3`).run("{}")
	if got := log(o, "warn", ""); o.Err() != nil || len(got) != maxWarnings {
		t.Errorf("%d warnings, %v", len(got), o.Err())
	}
}

func TestOutputOfAComponentThatDeclaresNoneIsIgnoredAloud(t *testing.T) {
	c := newComponent(t, "interpreter: sh\ncommand: [prog]\n", `echo '{"outrider":1,"output":{"a":1}}' >&3`)
	o := c.run("{}")
	if o.Err() != nil || string(o.Output) != "{}" || !strings.Contains(fmt.Sprint(log(o, "warn", "")), "outputs: events") {
		t.Errorf("%s, %v, %v", o.Output, o.Err(), o.Logs)
	}
}

func TestEverythingElseIsLogLiveInOrderAndAttributed(t *testing.T) {
	dir := t.TempDir()
	// The script goes on only when the test has seen its line.
	c := sh(t, `for i in 1 2 3; do
  echo "out $i"; while ! [ -e `+dir+`/out$i ]; do sleep 0.01; done
  echo "err $i" >&2; while ! [ -e `+dir+`/err$i ]; do sleep 0.01; done
done
printf 'bad \377\376 bytes\n\nno end' `)
	var seen []string
	o := c.run("{}", sdktest.OnLog(func(l sdktest.Line) {
		if l.Level != "info" {
			return
		}
		from, _ := l.Fields["stream"].(string)
		seen = append(seen, from+":"+l.Message)
		if name := strings.ReplaceAll(l.Message, " ", ""); len(name) == 4 {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
				t.Error(err)
			}
		}
	}))
	want := []string{
		":out 1", "stderr:err 1", ":out 2", "stderr:err 2", ":out 3", "stderr:err 3",
		":bad \uFFFD bytes", ":", ":no end",
	}
	if o.Err() != nil || !slices.Equal(seen, want) {
		t.Errorf("got %q, %v", seen, o.Err())
	}
	if o.Stdout != "" || o.Stderr != "" {
		t.Errorf("past the protocol: %q, %q", o.Stdout, o.Stderr)
	}
}

func TestPythonIsLiveToo(t *testing.T) {
	if testing.Short() {
		t.Skip("needs python3")
	}
	dir := t.TempDir()
	c := newComponent(t, "interpreter: python>=3.8\ncommand: [prog]\n", `
import os, time
print("first")
while not os.path.exists("`+dir+`/seen"): time.sleep(0.01)
`)
	o := c.run("{}", sdktest.OnLog(func(l sdktest.Line) {
		if l.Message == "first" {
			if err := os.WriteFile(filepath.Join(dir, "seen"), nil, 0o600); err != nil {
				t.Error(err)
			}
		}
	}))
	if o.Err() != nil {
		t.Error(o.Err())
	}
}

func TestALineOfAMegabyteArrivesWhole(t *testing.T) {
	o := sh(t, `head -c 1000000 /dev/zero | tr '\0' x; echo; echo after`).run("{}")
	got := log(o, "info", "")
	if text := strings.Join(got, ""); o.Err() != nil || text != strings.Repeat("x", 1_000_000)+"after" {
		t.Errorf("%d bytes in %d lines, %v", len(text), len(got), o.Err())
	}
}

func TestTheOutputIsCheckedAgainstItsSchema(t *testing.T) {
	const more = "interpreter: sh\ncommand: [prog]\noutput: {required: [rows], properties: {rows: {type: integer, minimum: 1}}}\n"
	for out, want := range map[string]string{
		`{"rows":1}`:          "",
		`{"rows":1.0}`:        "",
		`{"rows":"one"}`:      "bad_output",
		`{"rows":0}`:          "bad_output",
		`{}`:                  "bad_output",
		`{"rows":1,"more":1}`: "bad_output",
	} {
		o := newComponent(t, more, `printf '%s\n' '{"outrider":1,"output":`+out+`}' >&3`).run("{}")
		if o.Code != want || want == "" && (o.Err() != nil || string(o.Output) != out) {
			t.Errorf("%s: %s, code %q, %v; want code %q", out, o.Output, o.Code, o.Err(), want)
		}
		if want != "" && (o.State != sdktest.Permanent || !strings.Contains(o.Error, "output schema")) {
			t.Errorf("%s: %v", out, o.Err())
		}
	}
}

func TestAnOutputSchemaThatCannotBeUsedStartsNothing(t *testing.T) {
	c := newComponent(t, "interpreter: sh\ncommand: [prog]\noutput: {properties: {a: {pattern: '('}}}\n", `echo ran`)
	if o := c.run("{}"); o.Code != "bad_manifest" || o.State != sdktest.Permanent || len(log(o, "info", "")) != 0 {
		t.Errorf("%v, code %q, log %v", o.Err(), o.Code, o.Logs)
	}
}

func TestAnOutputOverTheLimitIsRefused(t *testing.T) {
	// As many events as it takes, each with a member of its own.
	many := `x=$(head -c 1000000 /dev/zero | tr '\0' x)
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do printf '{"outrider":1,"output":{"n%d":"%s"}}\n' $i "$x" >&3; done`
	// One line that is too long to be read.
	one := `printf '{"outrider":1,"output":{"a":"' >&3; head -c 17000000 /dev/zero | tr '\0' x >&3; echo '"}}' >&3`
	for _, program := range []string{many, one} {
		o := sh(t, program).run("{}")
		if o.Code != "result_too_large" || o.State != sdktest.Permanent {
			t.Errorf("%v, code %q", o.Err(), o.Code)
		}
	}
	// What fits is taken whole.
	o := sh(t, strings.Replace(many, " 16 17;", ";", 1)).run("{}")
	var out map[string]string
	if err := json.Unmarshal(o.Output, &out); err != nil || o.Err() != nil || len(out) != 15 || len(out["n15"]) != 1_000_000 {
		t.Errorf("%d members, %v, %v", len(out), err, o.Err())
	}
}

func TestAVirtualEnvironmentBesideTheScriptIsUsed(t *testing.T) {
	c := newComponent(t, "interpreter: python>=3\ncommand: [prog, --flag, a b]\n", "")
	c.write(".venv/bin/python3", "#!/bin/sh\n[ \"$1\" = --version ] && echo Python 3.99.1 && exit\nprintf '%s\\n' venv \"$@\"\n", 0o755)
	o := c.run("{}")
	if got := log(o, "info", ""); o.Err() != nil || !slices.Equal(got, []string{"venv", filepath.Join(c.dir, "prog"), "--flag", "a b"}) {
		t.Errorf("got %q, %v", got, o.Err())
	}
}

func TestAMissingInterpreterIsPermanentAndListsWhatIsThere(t *testing.T) {
	c := newComponent(t, "interpreter: python>=99\ncommand: [prog]\n", "")
	c.write("venv/bin/python", "#!/bin/sh\necho Python 3.11.7\n", 0o755)
	o := c.binary("PATH=/usr/bin:/bin", "HOME="+c.dir).Run(t, "test.script", "{}")
	if o.Code != "interpreter_not_found" || o.State != sdktest.Permanent {
		t.Fatalf("%v, code %q", o.Err(), o.Code)
	}
	for _, want := range []string{"no interpreter python>=99 on this machine", c.dir + "/venv/bin/python 3.11.7", "looked in: ", "PATH ("} {
		if !strings.Contains(o.Error, want) {
			t.Errorf("no %q in: %s", want, o.Error)
		}
	}
}

func TestAProgramThatCannotBeStarted(t *testing.T) {
	for name, tt := range map[string]struct{ more, code, text string }{
		"not there":         {"command: [./nothing]\n", "program_not_found", "nothing: no such file"},
		"not on PATH":       {"command: [no-such-program]\n", "program_not_found", "no-such-program on PATH (/"},
		"not executable":    {"command: [./plain]\n", "program_not_executable", "name an interpreter in the manifest, or run chmod +x"},
		"a folder":          {"command: [./folder]\n", "program_not_executable", "is a folder"},
		"no program at all": {"command: [./empty]\n", "program_not_executable", "exec format error"},
		"script not there":  {"interpreter: sh\ncommand: [nothing]\n", "program_not_found", "nothing: no such file"},
		"interpreter line":  {"command: [./badline]\n", "program_not_found", "badline: no such file"},
	} {
		c := newComponent(t, tt.more, "")
		c.write("plain", "#!/bin/sh\n", 0o644)
		c.write("empty", "", 0o755)
		c.write("badline", "#!/no/such/interpreter\n", 0o755)
		c.write("folder/x", "", 0o644)
		o := c.run("{}")
		if o.Code != tt.code || o.State != sdktest.Permanent || !strings.Contains(o.Error, tt.text) {
			t.Errorf("%s: %v, code %q", name, o.Err(), o.Code)
		}
	}
}

func TestAProgramOnPathAndOneBesideTheManifest(t *testing.T) {
	c := newComponent(t, "command: [tool, arg]\n", "")
	c.write("bin/tool", "#!/bin/sh\necho \"tool $*\"\n", 0o755)
	o := c.binary("PATH="+c.dir+"/bin:/usr/bin:/bin").Run(t, "test.script", "{}")
	if got := log(o, "info", ""); o.Err() != nil || !slices.Equal(got, []string{"tool arg"}) {
		t.Errorf("on PATH: %q, %v", got, o.Err())
	}
	o = newComponent(t, "command: [./prog, arg]\n", "#!/bin/sh\necho \"prog $*\"\n").run("{}")
	if got := log(o, "info", ""); o.Err() != nil || !slices.Equal(got, []string{"prog arg"}) {
		t.Errorf("beside: %q, %v", got, o.Err())
	}
}
