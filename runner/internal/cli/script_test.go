package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/outrider-run/outrider/runner/internal/cli"
	"github.com/outrider-run/outrider/runner/internal/cli/clitest"
)

// pluginsEnv hands the folder with the built test plugins to the scripts.
const pluginsEnv = "CLI_TEST_PLUGINS"

func TestMain(m *testing.M) {
	clitest.Main(m, pluginsEnv, map[string]string{
		"outrider-plugin-hello": "examples/hello", "outrider-plugin-probe": "runner/e2e/probe", "outrider-guard": "runner/cmd/outrider-guard",
		"outrider-plugin-script": "plugins/script",
	}, map[string]func(){
		"outrider": func() {
			os.Exit(cli.Main(os.Args, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr},
				cli.Build{Version: "v0.0.0-test", Revision: "abc", Built: "today"}))
		},
	})
}

func TestScripts(t *testing.T) {
	cmds := recordCommands(t)
	cmds["exits"] = exits
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("OUTRIDER_PLUGIN_PATH", os.Getenv(pluginsEnv))
			e.Setenv("PLUGINS", os.Getenv(pluginsEnv))
			e.Values[recorderKey{}] = &recorder{runs: map[string]*recordedRun{}}
			return os.Mkdir(home, 0o755)
		},
		Cmds: cmds,
	})
}

// exits runs a command and compares its exit code: exits CODE COMMAND ARGS…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS…")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if e, ok := err.(*exec.ExitError); ok {
		got = fmt.Sprint(e.ExitCode())
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// TestHelpIsShort counts the commands of the first page.
func TestHelpIsShort(t *testing.T) {
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	if code := cli.Main([]string{"outrider", "--help"}, cli.Streams{In: os.Stdin, Out: out, Err: os.Stderr}, cli.Build{}); code != 0 {
		t.Fatalf("exit %d", code)
	}
	text, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "COMMANDS:\n")
	list, _, _ := strings.Cut(rest, "\n\n")
	if n := strings.Count(list, "\n") + 1; n < 8 || n > 12 {
		t.Errorf("%d commands:\n%s", n, text)
	}
}
