package main

import (
	"archive/zip"
	"cmp"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/outrider-run/outrider/dig/digdagtest"
)

// digdagPy is what a real Digdag 0.10.5.1 started for a py> task, but for its runner.
//
//go:embed digdag-py.json
var digdagPy []byte

// pyTask is a recorded py> task with another command.
type pyTask struct {
	*replay
	params                map[string]any
	runner, input, output string
}

// bridge compares `outrider py`, which records the run and claims its delivery, with
// what Digdag's own py> starts for a function that does nothing.
func (b *bench) bridge() ([]figure, error) {
	r, err := b.replay(digdagPy)
	if err != nil {
		return nil, err
	}
	defer r.close()
	runner, origin, err := pyRunner()
	if err != nil {
		return nil, err
	}
	python, version, err := interpreter()
	if err != nil {
		return nil, err
	}
	// WRAPPER py RUNNER COMMAND INPUT OUTPUT
	t := pyTask{replay: r, runner: r.argv[2], input: r.argv[4], output: r.argv[5]}
	var in struct{ Params map[string]any }
	if err := json.Unmarshal([]byte(r.files[t.input]), &in); err != nil {
		return nil, err
	}
	t.params = in.Params
	t.params["with"] = map[string]string{"name": "you"}
	if err := errors.Join(r.write(t.runner, runner), r.write("tasks.py", []byte("def empty():\n    pass\n"))); err != nil {
		return nil, err
	}
	ours := func() *exec.Cmd { return t.start("hello.greet", filepath.Join(b.bin, "outrider"), "py") }
	theirs := func() *exec.Cmd { return t.start("tasks.empty", python) }
	if err := errors.Join(t.stores(ours(), `{"message":"Hello, you!"}`), t.stores(theirs(), `{}`)); err != nil {
		return nil, err
	}
	mine, own, err := pairs(b.pairs, ours, theirs)
	if err != nil {
		return nil, err
	}
	return []figure{{
		what: "py> of hello.greet, of Digdag's own of an empty function", target: 1, unit: "×", atMost: true,
		got: ratio(mine, own), note: fmt.Sprintf("%.1f ms against %.1f ms, %s on Python %s", median(mine), median(own), origin, version),
	}}, nil
}

// start is the task's process with another command, of another attempt.
func (t *pyTask) start(command string, program ...string) *exec.Cmd {
	of := t.next()
	t.params["attempt_id"], t.params["session_id"], t.params["session_uuid"] = json.Number(of), json.Number(of), of
	t.params["py>"], t.params["_command"] = command, command
	text, err := json.Marshal(map[string]any{"params": t.params})
	cmd := t.command(append(program, t.runner, command, t.input, t.output)...)
	cmd.Err = errors.Join(cmd.Err, err, t.write(t.input, text), t.remove(t.output))
	return cmd
}

// stores checks that a side does the work that it is timed for.
func (t *pyTask) stores(cmd *exec.Cmd, want string) error {
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%q: %w\n%s", cmd.Args, err, cmd.Stdout)
	}
	text, err := os.ReadFile(filepath.Join(t.dir, t.output))
	if err != nil {
		return err
	}
	var out struct {
		StoreParams json.RawMessage `json:"store_params"`
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return err
	}
	if got := string(out.StoreParams); got != want {
		return fmt.Errorf("%q stored %s, want %s", cmd.Args, got, want)
	}
	return nil
}

// interpreter is the system's Python, which a service finds. What a version manager
// puts before it on PATH is a script that takes as long again.
func interpreter() (path, version string, err error) {
	path = "/usr/bin/python3"
	if !there(path) {
		path = "python3"
	}
	out, err := exec.Command(path, "-c", "import platform, sys; print(sys.executable, platform.python_version())").Output()
	if err != nil {
		return "", "", fmt.Errorf("ask %s for its version: %w", path, said(err))
	}
	path, version, _ = strings.Cut(strings.TrimSpace(string(out)), " ")
	return path, version, nil
}

// pyRunner is the program that Digdag gives its Python: the real server's where there
// is one, else the double's, which does the same. Digdag's own may not stand here.
func pyRunner() (text []byte, origin string, err error) {
	found, err := digdagtest.Find()
	if err != nil {
		return nil, "", err
	}
	if found.Real {
		for _, place := range filepath.SplitList(cmp.Or(os.Getenv("DIGDAG_CLASSPATH"), os.Getenv("DIGDAG_JAR"), found.Origin)) {
			if text := packed(place, "digdag/standards/py/runner.py"); text != nil {
				return text, "the real runner.py", nil
			}
		}
	}
	text, err = os.ReadFile("dig/digdagtest/internal/engine/runner.py")
	return text, "the double's runner.py", err
}

// packed reads a file of a jar or of a folder of classes; nil where it is not there.
func packed(place, name string) []byte {
	if z, err := zip.OpenReader(place); err == nil {
		defer func() { _ = z.Close() }()
		text, _ := fs.ReadFile(z, name)
		return text
	}
	text, _ := os.ReadFile(filepath.Join(place, name))
	return text
}
