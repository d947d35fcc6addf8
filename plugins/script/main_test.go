package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// asPlugin makes the test binary be the plugin.
const asPlugin = "OUTRIDER_SCRIPT_TEST_AS_PLUGIN"

func TestMain(m *testing.M) {
	// A plugin that went on to run the tests would start itself for ever, so
	// it exits even when main returns, and nothing but a test's own flags
	// makes this a test run.
	if os.Getenv(asPlugin) != "" || len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// component is a script component in a folder of its own.
type component struct {
	t   *testing.T
	dir string
}

// newComponent writes manifest and program; more is added to the manifest, whose
// name is test.script.
func newComponent(t *testing.T, more, program string) component {
	t.Helper()
	c := component{t: t, dir: t.TempDir()}
	c.write("test.component.yml", "name: test.script\nparams: {additionalProperties: true}\n"+more, 0o644)
	c.write("prog", program, 0o755)
	return c
}

// sh is a component whose program is a shell script with free outputs.
func sh(t *testing.T, program string) component {
	t.Helper()
	return newComponent(t, "interpreter: sh\ncommand: [prog]\noutputs: events\n", program)
}

func (c component) write(name, text string, mode os.FileMode) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		c.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		c.t.Fatal(err)
	}
	return path
}

func (c component) binary(env ...string) *sdktest.Binary {
	return &sdktest.Binary{
		Path: os.Args[0],
		Args: []string{"--manifest", filepath.Join(c.dir, "test.component.yml")},
		Env:  append(env, asPlugin+"=1"),
	}
}

// run runs the component as a host does.
func (c component) run(params string, options ...sdktest.Option) sdktest.Outcome {
	c.t.Helper()
	return c.binary().Run(c.t, "test.script", params, options...)
}

// log returns the lines logged at level, from that stream (empty: stdout).
func log(o sdktest.Outcome, level, stream string) []string {
	var out []string
	for _, l := range o.Logs {
		if from, _ := l.Fields["stream"].(string); l.Level == level && from == stream {
			out = append(out, l.Message)
		}
	}
	return out
}

// byHand starts the plugin without a host.
func byHand(t *testing.T, args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	t.Helper()
	cmd = exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asPlugin+"=1")
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	return cmd, stdout, stderr
}

func TestDescribe(t *testing.T) {
	c := newComponent(t, `doc: Counts.
destructive: true
command: [./prog]
output: {properties: {n: {type: integer}}}
examples: [{doc: One, params: {a: 1}}]
`, "")
	m := c.binary().Manifest(t)
	if len(m.Components) != 1 || len(m.Protocols) == 0 {
		t.Fatalf("got %+v", m)
	}
	got, err := json.Marshal(m.Components[0])
	if err != nil {
		t.Fatal(err)
	}
	want := `{"name":"test.script","doc":"Counts.","destructive":true,` +
		`"params":{"type":"object","additionalProperties":true},` +
		`"output":{"type":"object","properties":{"n":{"type":"integer"}},"additionalProperties":false},` +
		`"examples":[{"doc":"One","params":{"a":1}}]}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDescribeWithoutAManifestIsEmpty(t *testing.T) {
	cmd, stdout, stderr := byHand(t, "describe")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr)
	}
	var m manifest.Manifest
	if err := json.Unmarshal(stdout.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	if m.Components == nil || len(m.Components) != 0 || fmt.Sprint(m.Protocols) != "[1]" || strings.Count(stdout.String(), "\n") != 1 {
		t.Errorf("got %s", stdout)
	}
}

func TestTheProtocolsAreThoseOfAServedComponent(t *testing.T) {
	served := sh(t, "").binary().Manifest(t)
	var empty bytes.Buffer
	if err := describeNothing(&empty); err != nil {
		t.Fatal(err)
	}
	var m manifest.Manifest
	if err := json.Unmarshal(empty.Bytes(), &m); err != nil || fmt.Sprint(m.Protocols) != fmt.Sprint(served.Protocols) {
		t.Errorf("%v, with a component %v, %v", m.Protocols, served.Protocols, err)
	}
}

func TestABadManifestIsNamedWithFileAndLine(t *testing.T) {
	for more, want := range map[string]string{
		"cmd: [x]\n": "test.component.yml: line 3, column 1: cmd: unknown key",
		"interpreter: python>=three\ncommand: [prog]\n": `test.component.yml: interpreter "python>=three": version constraint`,
	} {
		c := newComponent(t, more, "")
		cmd, _, stderr := byHand(t, "describe", "--manifest="+filepath.Join(c.dir, "test.component.yml"))
		err := cmd.Run()
		if cmd.ProcessState.ExitCode() != 5 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v, %s; want exit 5 and %s", err, stderr, want)
		}
	}
}

func TestManifestFlag(t *testing.T) {
	for in, want := range map[string]string{
		"p --manifest m":                  "m: p",
		"p describe --manifest m":         "m: p describe",
		"p --manifest=m describe":         "m: p describe",
		"p run x --params - --manifest m": "m: p run x --params -",
		"p describe":                      ": p describe",
		"p --manifest":                    ": p --manifest",
	} {
		path, rest := manifestFlag(strings.Fields(in))
		if got := path + ": " + strings.Join(rest, " "); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}
