package manifest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/outrider-run/outrider/sdk/manifest"
)

const loadTable = `
name: warehouse.load_table
doc: Loads a table.
destructive: true
interpreter: python>=3.11
command: [load.py, --quiet]
params:
  properties:
    table: {type: string}
    rows: {type: integer, default: 12345678901234567890}
  required: [table]
output:
  properties: {rows: {type: integer}}
examples:
  - doc: A small one.
    params: {table: t}
exit_codes: {3: permanent, 75: retry, 99: skip, 4: fail}
`

func TestLoadScript(t *testing.T) {
	path := filepath.Join(t.TempDir(), "load"+manifest.ScriptSuffix)
	if err := os.WriteFile(path, []byte(loadTable), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := manifest.LoadScript(path)
	if err != nil {
		t.Fatal(err)
	}
	want := manifest.Script{
		Name: "warehouse.load_table", Doc: "Loads a table.", Destructive: true,
		Interpreter: "python>=3.11", Command: []string{"load.py", "--quiet"},
		Params:    json.RawMessage(`{"type":"object","properties":{"table":{"type":"string"},"rows":{"type":"integer","default":12345678901234567890}},"required":["table"],"additionalProperties":false}`),
		Output:    json.RawMessage(`{"type":"object","properties":{"rows":{"type":"integer"}},"additionalProperties":false}`),
		Examples:  []manifest.Example{{Doc: "A small one.", Params: json.RawMessage(`{"table":"t"}`)}},
		ExitCodes: map[int]manifest.Outcome{3: "permanent", 75: "retry", 99: "skip", 4: "fail"},
		Outputs:   manifest.OutputsEvents,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	c := got.Component()
	if err := (manifest.Manifest{Components: []manifest.Component{c}}).Validate(); err != nil {
		t.Error(err)
	}
	if c.Name != want.Name || !c.Destructive || string(c.Params) != string(want.Params) || len(c.Examples) != 1 {
		t.Errorf("component %+v", c)
	}
}

func TestScriptDefaults(t *testing.T) {
	got, err := manifest.ParseScript([]byte("name: a.b\ncommand: [psql]\n"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got.Params) != `{"type":"object","additionalProperties":false}` || got.Output != nil || got.Outputs != manifest.OutputsNone {
		t.Errorf("got %+v", got)
	}
	for in, want := range map[string]string{
		"{}":                            `{"type":"object","additionalProperties":false}`,
		"{type: object}":                `{"type":"object","additionalProperties":false}`,
		"{additionalProperties: true}":  `{"type":"object","additionalProperties":true}`,
		"{unevaluatedProperties: true}": `{"type":"object","unevaluatedProperties":true}`,
		"{title: 'x}{', type: object, additionalProperties: {type: string}}": `{"title":"x}{","type":"object","additionalProperties":{"type":"string"}}`,
	} {
		got, err := manifest.ParseScript([]byte("name: a.b\ncommand: [psql]\nparams: " + in))
		if err != nil || string(got.Params) != want {
			t.Errorf("params: %s became %s, %v; want %s", in, got.Params, err, want)
		}
	}
}

func TestScriptRefuses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", "name is missing\ncommand is missing"},
		{"unknown key", "name: a.b\ncmd: [x]\n", "line 2, column 1: cmd: unknown key; known here: name, doc,"},
		{"bad name", "doc: x\nname: Load\n", `line 2, column 7: name: "Load": component name "Load" is not of the form noun.verb`},
		{"command as text", "name: a.b\ncommand: run me\n", `line 2, column 10: command: expected a list, got "run me"`},
		{"empty program", "name: a.b\ncommand: ['']\n", "command begins with an empty text"},
		{"option for the interpreter", "name: a.b\ninterpreter: python\ncommand: [-m, x]\n", "command begins with -m: with an interpreter it must begin with the script's file"},
		{"interpreter as path", "name: a.b\ninterpreter: /usr/bin/python\ncommand: [x]\n", "line 2, column 14: interpreter: \"/usr/bin/python\": want the name of an interpreter"},
		{"interpreter without name", "name: a.b\ninterpreter: '>=3'\ncommand: [x]\n", "want the name of an interpreter"},
		{"exit code 0", "exit_codes: {0: skip}\n", "line 1, column 14: exit_codes.0: key 0: want an exit code from 1 to 255"},
		{"exit code 256", "exit_codes: {256: skip}\n", "want an exit code from 1 to 255"},
		{"exit code as word", "exit_codes: {many: skip}\n", "line 1, column 14: exit_codes.many: key many: want an exit code from 1 to 255"},
		{"exit code twice", "exit_codes: {3: skip, '3': retry}\n", "key given twice"},
		{"unknown outcome", "exit_codes:\n  3: explode\n", `line 2, column 6: exit_codes.3: "explode": want permanent, retry, skip or fail`},
		{"empty outcome", "name: a.b\ncommand: [x]\nexit_codes: {3: }\n", "exit_codes.3 is empty, want permanent"},
		{"nul in an argument", "name: a.b\ncommand: [x, \"y\\0z\"]\n", "command[1] has a NUL character"},
		{"empty schema", "params:\n", "line 1, column 9: params: null: want a mapping: a JSON Schema"},
		{"unknown outputs", "outputs: stdout\n", `line 1, column 10: outputs: "stdout": want events or none`},
		{"outputs none with a schema", "name: a.b\ncommand: [x]\noutput: {}\noutputs: none\n", "output is a schema although outputs is none"},
		{"schema of a list", "params: {type: array}\n", `line 1, column 9: params: a mapping: type is "array", want object`},
		{"schema as text", "params: string\n", "want a mapping: a JSON Schema"},
		{"example that is a list", "examples: [{params: [1]}]\n", "examples[0].params: a list: want a mapping"},
		{"schema with nan", "params: {properties: {a: {default: .inf}}}\n", "params.properties.a.default: .inf is no number"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := manifest.ParseScript([]byte(tt.in))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestLoadScriptNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.component.yml")
	fifo := filepath.Join(dir, "fifo.component.yml")
	if err := os.WriteFile(bad, []byte("nmae: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		bad:                        bad + ": line 1, column 1: nmae: unknown key",
		fifo:                       fifo + " is no regular file",
		dir:                        dir + " is no regular file",
		filepath.Join(dir, "none"): "no such file",
	} {
		if _, err := manifest.LoadScript(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
}

func TestScriptProgram(t *testing.T) {
	tests := []struct {
		interpreter, command string
		want                 string
		isFile               bool
	}{
		{"", "psql", "psql", false},
		{"", "./run.sh", "/m/run.sh", true},
		{"", "bin/run", "/m/bin/run", true},
		{"", "../run", "/run", true},
		{"", "/opt/run", "/opt/run", true},
		{"python", "load.py", "/m/load.py", true},
		{"python", "/opt//load.py", "/opt/load.py", true},
	}
	for _, tt := range tests {
		got, isFile := manifest.Script{Interpreter: tt.interpreter, Command: []string{tt.command}}.Program("/m")
		if got != tt.want || isFile != tt.isFile {
			t.Errorf("%s %s: got %s, %v", tt.interpreter, tt.command, got, isFile)
		}
	}
	if got, isFile := (manifest.Script{}).Program("/m"); got != "" || isFile {
		t.Errorf("no command: got %s, %v", got, isFile)
	}
}

func TestScriptOutcome(t *testing.T) {
	s := manifest.Script{ExitCodes: map[int]manifest.Outcome{75: manifest.OutcomeRetry}}
	for code, want := range map[int]manifest.Outcome{0: "", 75: manifest.OutcomeRetry, 1: manifest.OutcomeFail, -1: manifest.OutcomeFail} {
		if got, ok := s.Outcome(code); got != want || ok != (code != 0) {
			t.Errorf("%d: got %q, %v", code, got, ok)
		}
	}
}

// FuzzParseScript: a manifest that is accepted describes a component that the
// catalogue accepts.
func FuzzParseScript(f *testing.F) {
	f.Add([]byte(loadTable))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := manifest.ParseScript(data)
		if err != nil {
			return
		}
		c := s.Component()
		if err := (manifest.Manifest{Components: []manifest.Component{c}}).Validate(); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		var schema map[string]any
		if err := json.Unmarshal(c.Params, &schema); err != nil || schema["type"] != "object" {
			t.Fatalf("%q: params %s, %v", data, c.Params, err)
		}
		if path, _ := s.Program("/m"); path == "" {
			t.Fatalf("%q: no program", data)
		}
		for code, o := range s.ExitCodes {
			if code < 1 || code > 255 || o == "" {
				t.Fatalf("%q: exit code %d", data, code)
			}
		}
		if _, err := json.Marshal(c); err != nil {
			t.Fatalf("%q: %v", data, err)
		}
	})
}
