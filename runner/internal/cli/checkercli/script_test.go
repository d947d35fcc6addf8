package checkercli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/outrider-run/outrider/runner/internal/cli/checkercli"
	"github.com/outrider-run/outrider/runner/internal/cli/clitest"
	"github.com/outrider-run/outrider/runner/internal/cli/term"
)

// builtEnv hands the folder with the built programs to the scripts.
const builtEnv = "CHECKERCLI_TEST_BUILT"

func TestMain(m *testing.M) {
	clitest.Main(m, builtEnv, map[string]string{
		"outrider": "runner/cmd/outrider", "outrider-guard": "runner/cmd/outrider-guard", "outrider-plugin-script": "plugins/script",
	}, map[string]func(){
		"outrider-checker": func() {
			os.Exit(checkercli.Main(os.Args, term.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, term.Build{Version: "v0.0.0-test"}))
		},
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			home := filepath.Join(e.WorkDir, "home")
			e.Setenv("HOME", home)
			e.Setenv("OUTRIDER_STATE", filepath.Join(e.WorkDir, "state"))
			e.Setenv("OUTRIDER_CONFIG", filepath.Join(e.WorkDir, "outrider.yml"))
			e.Setenv("OUTRIDER_PLUGIN_PATH", os.Getenv(builtEnv)+string(os.PathListSeparator)+filepath.Join(e.WorkDir, "plugins"))
			e.Setenv("PATH", os.Getenv("PATH")+string(os.PathListSeparator)+os.Getenv(builtEnv))
			e.Setenv("TZ", "UTC")
			if err := os.Mkdir(home, 0o755); err != nil {
				return err
			}
			return os.CopyFS(filepath.Join(e.WorkDir, "plugins"), os.DirFS("testdata/stand"))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits},
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
