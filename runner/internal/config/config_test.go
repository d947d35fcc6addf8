package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// write puts text into a file below dir and returns its path.
func write(t *testing.T, text string, below ...string) string {
	t.Helper()
	file := filepath.Join(below...)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoadTakesTheFirstFileThatCounts(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(filepath.Dir(write(t, "start_timeout: 1s", dir, "here", "outrider.yml")))
	explicit := write(t, "start_timeout: 2s", dir, "explicit.yml")
	variable := write(t, "start_timeout: 3s", dir, "variable.yml")
	xdg := write(t, "start_timeout: 4s", dir, "xdg", "outrider", "outrider.yml")
	home := write(t, "start_timeout: 5s", dir, "home", ".config", "outrider", "outrider.yml")
	system := write(t, "start_timeout: 6s", dir, "etc", "outrider.yml")
	missing := filepath.Join(dir, "missing")

	for _, c := range []struct {
		name     string
		explicit string
		env      map[string]string
		system   string
		file     string
		timeout  time.Duration
	}{
		{"--config", explicit, map[string]string{"OUTRIDER_CONFIG": variable}, system, explicit, 2 * time.Second},
		{"variable", "", map[string]string{"OUTRIDER_CONFIG": variable, "XDG_CONFIG_HOME": dir + "/xdg"}, system, variable, 3 * time.Second},
		{"XDG folder", "", map[string]string{"XDG_CONFIG_HOME": dir + "/xdg", "HOME": dir + "/home"}, system, xdg, 4 * time.Second},
		{"home", "", map[string]string{"HOME": dir + "/home"}, system, home, 5 * time.Second},
		{"system", "", map[string]string{"HOME": missing}, system, system, 6 * time.Second},
		{"system without a home", "", nil, system, system, 6 * time.Second},
		{"a relative XDG folder is ignored", "", map[string]string{"XDG_CONFIG_HOME": ".", "HOME": dir + "/home"}, system, home, 5 * time.Second},
		{"a relative home is ignored", "", map[string]string{"HOME": "."}, system, system, 6 * time.Second},
		{"none, though the current folder has one", "", map[string]string{"HOME": missing}, missing, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, err := load(c.explicit, func(k string) string { return c.env[k] }, c.system)
			if err != nil {
				t.Fatal(err)
			}
			if cfg.File != c.file || cfg.StartTimeout != c.timeout {
				t.Errorf("got %q with %s, want %q with %s", cfg.File, cfg.StartTimeout, c.file, c.timeout)
			}
		})
	}
}

func TestLoadRefusesANamedFileThatIsMissing(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "outrider.yml")
	for _, c := range []struct{ explicit, variable, want string }{
		{missing, "", "read the config (named by --config): open FILE: no such file or directory"},
		{"", missing, "read the config (named by OUTRIDER_CONFIG): open FILE: no such file or directory"},
	} {
		_, err := load(c.explicit, func(k string) string {
			return map[string]string{"OUTRIDER_CONFIG": c.variable}[k]
		}, missing)
		if got := shown(err, missing); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func shown(err error, file string) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(err.Error(), file, "FILE")
}

func TestLoadReads(t *testing.T) {
	file := write(t, "# what plugins see\nplugin_env: [AWS_PROFILE, KUBECONFIG]\nstart_timeout: 1m30s\nexit_codes: {4: skip, 75: retry}\n", t.TempDir(), "outrider.yml")
	got, err := Load(file, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	want := Config{File: file, PluginEnv: []string{"AWS_PROFILE", "KUBECONFIG"}, StartTimeout: 90 * time.Second, ExitCodes: map[ExitCode]Meaning{4: Skip, 75: Retry}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLoadTakesAnEmptyFile(t *testing.T) {
	file := write(t, "# nothing yet\n", t.TempDir(), "outrider.yml")
	got, err := Load(file, func(string) string { return "" })
	if err != nil || got.File != file {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestLoadNamesTheFileAbsolutely(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, "", "outrider.yml")
	got, err := Load("outrider.yml", func(string) string { return "" })
	if err != nil || got.File != filepath.Join(dir, "outrider.yml") {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Every error names file, line, field and value.
func TestLoadRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "start_timeout: 5s\nplugin_envs: [A]\n", `FILE:2:1: plugin_envs: unknown key; known here: plugin_env, start_timeout, exit_codes, ledger, instance, artifacts, prune, sources, timezone, interval, ping, rules, routes, storm, receivers, actions, silences, windows`},
		{"wrong type", "plugin_env: AWS_PROFILE\n", `FILE:1:13: plugin_env: expected a list, got "AWS_PROFILE"`},
		{"bad item", "plugin_env:\n  - OK\n  - \"A=1\"\n", `FILE:3:5: plugin_env[1]: "A=1": want the name of a variable, such as AWS_PROFILE`},
		{"bad duration", "\nstart_timeout: 5 minutes\n", `FILE:2:16: start_timeout: "5 minutes": want a duration above zero, such as 10s`},
		{"number as duration", "start_timeout: 5\n", `FILE:1:16: start_timeout: 5: want a duration above zero, such as 10s`},
		{"negative", "start_timeout: -5s\n", `FILE:1:16: start_timeout: "-5s": want a duration above zero, such as 10s`},
		{"key twice", "start_timeout: 5s\nstart_timeout: 6s\n", `FILE:2:1: start_timeout: key given twice, first in line 1`},
		{"not YAML", "plugin_env: [A\n", `FILE:1:13: sequence end token ']' not found (at [)`},
		{"source without an engine", "sources:\n  etl: {endpoint: http://h}\n", `FILE:2:8: sources.etl: a mapping: want engine: digdag or airflow, or the first word of another plugin's components`},
		{"source's engine", "sources:\n  etl: {engine: 5}\n", `FILE:2:8: sources.etl: a mapping: want engine: digdag or airflow, or the first word of another plugin's components`},
		{"source's name", "sources:\n  a:b: {engine: digdag}\n", `FILE:2:3: sources.a:b: key a:b: want a short name of letters, digits, _, - and dots, such as prod`},
		{"source as text", "sources: {etl: http://h}\n", `FILE:1:16: sources.etl: "http://h": want a mapping such as {engine: digdag, endpoint: http://HOST:65432}`},
		{"list", "- a\n", `FILE:1:1: expected a mapping, got a list`},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, c.text, t.TempDir(), "outrider.yml")
			_, err := Load(file, func(string) string { return "" })
			if got := shown(err, file); got != c.want {
				t.Errorf("\n got %q\nwant %q", got, c.want)
			}
		})
	}
}

func TestLoadReadsSources(t *testing.T) {
	file := write(t, "sources:\n  etl: {engine: digdag, endpoint: [http://a, http://b], password: env:P}\n  af.prod:\n    engine: airflow\n", t.TempDir(), "outrider.yml")
	got, err := Load(file, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Source{
		"etl":     {Engine: "digdag", Params: json.RawMessage(`{"endpoint":["http://a","http://b"],"password":"env:P"}`)},
		"af.prod": {Engine: "airflow", Params: json.RawMessage(`{}`)},
	}
	if !reflect.DeepEqual(got.Sources, want) {
		t.Errorf("got %s, want %s", got.Sources, want)
	}
}
