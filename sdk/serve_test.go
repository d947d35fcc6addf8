package sdk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/outrider-run/outrider/sdk"
	"github.com/outrider-run/outrider/sdk/manifest"
	"github.com/outrider-run/outrider/sdk/sdktest"
)

// plugins are mains: a test's child process serves the one that servesEnv names.
var plugins = map[string][]sdk.Component{
	"good": {
		sdk.Define("test.work", work, sdk.Doc("Works.")),
		sdk.Define("test.delete", deleteAll, sdk.Destructive()),
		sdk.Define("test.leak", leak),
		sdk.Define("test.wait", wait),
		sdk.Define("test.panic", func(context.Context, *sdk.Run, struct{}) (struct{}, error) { panic("no way") }),
	},
	"wrong tag": {sdk.Define("test.tag", func(_ context.Context, _ *sdk.Run, p struct {
		Count int `json:"count" default:"many"`
	},
	) (struct{}, error) {
		return struct{}{}, nil
	})},
	"wrong output": {sdk.Define("test.out", func(_ context.Context, _ *sdk.Run, p struct{}) (func(), error) { return nil, nil })},
	"bad name":     {sdk.Define("Greet", work)},
	"name twice":   {sdk.Define("test.work", work), sdk.Define("test.work", work)},
	"no function":  {sdk.Define[in, out]("test.nil", nil)},
	"no schema":    {sdk.Raw(manifest.Component{Name: "test.raw"}, func(context.Context, *sdk.Run, json.RawMessage) (json.RawMessage, error) { return nil, nil })},
	"nothing":      {},
}

const servesEnv = "SDK_TEST_SERVES"

func TestMain(m *testing.M) {
	if name, ok := os.LookupEnv(servesEnv); ok {
		sdk.Serve(plugins[name]...)
	}
	os.Exit(m.Run())
}

func deleteAll(context.Context, *sdk.Run, struct{}) (struct{}, error) { return struct{}{}, nil }

// leak tells its secret wherever it can.
func leak(_ context.Context, run *sdk.Run, p struct {
	Token   sdk.Secret            `json:"token"`
	Headers map[string]sdk.Secret `json:"headers,omitempty"`
	List    []sdk.Secret          `json:"list,omitempty"`
},
) (struct{}, error) {
	all := p.Token.Reveal() + " " + p.Headers["x"].Reveal()
	for _, s := range p.List {
		all += " " + s.Reveal()
	}
	run.Log().Info("got "+all, "all", all)
	run.Progress(1, 1, all)
	return struct{}{}, errors.New("failed with " + all)
}

func wait(ctx context.Context, run *sdk.Run, _ struct{}) (struct{}, error) {
	run.Log().Info("waiting")
	<-ctx.Done()
	return struct{}{}, ctx.Err()
}

// plugin starts a plugin's binary by hand.
func plugin(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), servesEnv+"="+name, "TMPDIR="+t.TempDir())
	return cmd
}

func runPlugin(t *testing.T, cmd *exec.Cmd) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

func TestDefinitionsThatCannotWorkAreRefusedAtStart(t *testing.T) {
	for name, want := range map[string]string{
		"wrong tag":    `component "test.tag": struct { Count int "json:\"count\" default:\"many\"" }.Count: default "many" does not fit`,
		"wrong output": `component "test.out": func(): a value of type func() has no JSON form here`,
		"bad name":     `component name "Greet" is not of the form noun.verb`,
		"name twice":   `component "test.work" is defined twice`,
		"no function":  `component "test.nil": the function is nil`,
		"no schema":    `component "test.raw": there is no parameter schema`,
		"nothing":      "there is no component to serve",
	} {
		t.Run(name, func(t *testing.T) {
			modes := [][]string{{"describe"}, {"run", "test.work"}, {"version"}, {}}
			for _, args := range modes {
				out, errs, code := runPlugin(t, plugin(t, name, args...))
				if code != 5 || out != "" || !strings.Contains(errs, want) {
					t.Errorf("%q: status %d, stdout %q, stderr %s", args, code, out, errs)
				}
			}
			if name == "bad name" || name == "name twice" || name == "nothing" {
				asPlugin := plugin(t, name)
				asPlugin.Env = append(asPlugin.Env, "OUTRIDER_PLUGIN=b0d6f0a1-outrider-task")
				out, errs, code := runPlugin(t, asPlugin)
				if code != 5 || out != "" || !strings.Contains(errs, want) {
					t.Errorf("under a host: status %d, stdout %q, stderr %s", code, out, errs)
				}
			}
		})
	}
}

// Under a host the tags are looked at only of the component that is to run.
func TestAWrongTagUnderAHostIsAResult(t *testing.T) {
	bin := &sdktest.Binary{Path: os.Args[0], Env: []string{servesEnv + "=wrong tag"}}
	o := bin.Run(t, "test.tag", `{}`)
	if o.State != sdktest.Permanent || o.Code != "bad_component" || !strings.Contains(o.Error, `.Count: default "many" does not fit`) {
		t.Errorf("%+v", o)
	}
}

func TestModes(t *testing.T) {
	params := filepath.Join(t.TempDir(), "params.json")
	if err := os.WriteFile(params, []byte(" {\"name\":\"Ada\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args     []string
		stdin    string
		code     int
		out, err string
	}{
		"help":              {nil, "", 2, "", "is an Outrider plugin: outrider run COMPONENT starts it.\nIt serves: test.work, test.delete"},
		"unknown mode":      {[]string{"serve"}, "", 2, "", "is an Outrider plugin"},
		"version":           {[]string{"version"}, "", 0, "protocol 1\n", ""},
		"describe":          {[]string{"describe"}, "", 0, `{"protocols":[1],`, ""},
		"describe and more": {[]string{"describe", "--manifest", "x"}, "", 0, `{"protocols":[1],`, ""},
		"run":               {[]string{"run", "test.work", "--params", params}, "", 0, "\"took\":\"1m0s\"", ""},
		"run from stdin":    {[]string{"run", "test.work", "--params", "-"}, `{"name":"Ada"}`, 0, "Ada\",\"took\"", ""},
		"run without":       {[]string{"run"}, "", 2, "", "run needs the name of a component first"},
		"run of unknown":    {[]string{"run", "test.other"}, "", 2, "", `this plugin serves no component "test.other"`},
		"run with an extra": {[]string{"run", "test.work", "x"}, "", 2, "", `unexpected argument "x"`},
		"no file":           {[]string{"run", "test.work", "--params", "/nowhere"}, "", 2, "", "reading the parameters: open /nowhere"},
		"no params":         {[]string{"run", "test.work"}, "", 2, "", "bad_params: name: is required"},
		"no JSON":           {[]string{"run", "test.work", "--params", "-"}, `{name`, 2, "", "no valid JSON"},
		"failed":            {[]string{"run", "test.work", "--params", "-"}, `{"name":"Ada","fail":"plain"}`, 1, "", ": no luck"},
		"permanent":         {[]string{"run", "test.work", "--params", "-"}, `{"name":"Ada","fail":"code"}`, 3, "", "no_table: loading: no luck"},
		"skipped":           {[]string{"run", "test.work", "--params", "-"}, `{"name":"Ada","fail":"skip"}`, 0, "{}\n", "skipped: nothing new"},
		"panic":             {[]string{"run", "test.panic"}, "", 1, "", "panic: panic: no way\ngoroutine"},
		"destructive":       {[]string{"run", "test.delete"}, "", 2, "", "test.delete cannot be undone: --yes is needed"},
		"destructive, yes":  {[]string{"run", "test.delete", "--yes"}, "", 0, "{}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := plugin(t, "good", c.args...)
			cmd.Stdin = strings.NewReader(c.stdin)
			out, errs, code := runPlugin(t, cmd)
			if code != c.code || !strings.Contains(out, c.out) || (c.out == "") != (out == "") || !strings.Contains(errs, c.err) {
				t.Errorf("status %d\nstdout %s\nstderr %s", code, out, errs)
			}
			if strings.Count(out, "\n") > 1 {
				t.Errorf("more than one line on stdout: %s", out)
			}
		})
	}
}

func TestDescribeModeIsTheManifest(t *testing.T) {
	out, _, _ := runPlugin(t, plugin(t, "good", "describe"))
	var m manifest.Manifest
	if err := json.Unmarshal([]byte(out), &m); err != nil || m.Validate() != nil || len(m.Components) != 5 || !m.Components[1].Destructive {
		t.Errorf("%v, %v: %+v", err, m.Validate(), m)
	}
}

// A component that starts a plugin must not make it speak the protocol.
func TestAModeByHandBeatsTheCookie(t *testing.T) {
	cmd := plugin(t, "good", "describe")
	cmd.Env = append(cmd.Env, "OUTRIDER_PLUGIN=b0d6f0a1-outrider-task")
	out, errs, code := runPlugin(t, cmd)
	if code != 0 || !strings.HasPrefix(out, `{"protocols":`) {
		t.Errorf("status %d, stdout %q, stderr %s", code, out, errs)
	}
}

func TestRunByHandResolvesAndHidesSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from-the-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := plugin(t, "good", "run", "test.leak", "--params", "-")
	cmd.Env = append(cmd.Env, "A_TOKEN=from-the-env")
	cmd.Stdin = strings.NewReader(`{"token":"env:A_TOKEN","headers":{"x":"file:` + file + `"},"list":["as-it-stands"]}`)
	out, errs, code := runPlugin(t, cmd)
	if code != 1 || out != "" || !strings.Contains(errs, "failed with [secret] [secret] [secret]") || strings.Count(errs, "[secret]") != 12 {
		t.Errorf("status %d, stdout %q, stderr %s", code, out, errs)
	}
	for _, s := range []string{"from-the-env", "from-the-file", "as-it-stands"} {
		if strings.Contains(errs, s) {
			t.Errorf("%s is in %s", s, errs)
		}
	}
	cmd = plugin(t, "good", "run", "test.leak", "--params", "-")
	cmd.Stdin = strings.NewReader(`{"token":"env:NO_SUCH_VARIABLE"}`)
	if _, errs, code := runPlugin(t, cmd); code != 2 || !strings.Contains(errs, "env:NO_SUCH_VARIABLE: the variable is not set") {
		t.Errorf("status %d, stderr %s", code, errs)
	}
}

func TestASignalCancelsARunByHand(t *testing.T) {
	for _, c := range []struct {
		signal os.Signal
		code   int
	}{{os.Interrupt, 130}, {syscall.SIGTERM, 143}} {
		cmd := plugin(t, "good", "run", "test.wait")
		stderr, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var seen []byte
		for buf := make([]byte, 1000); !bytes.Contains(seen, []byte("waiting")); {
			n, err := stderr.Read(buf)
			if err != nil {
				t.Fatalf("%v: %s", err, seen)
			}
			seen = append(seen, buf[:n]...)
		}
		if err := cmd.Process.Signal(c.signal); err != nil {
			t.Fatal(err)
		}
		cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != c.code {
			t.Errorf("%v: status %d (%v)", c.signal, got, cmd.ProcessState)
		}
	}
}
