package airflowtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// pythons are the versions that both locks hold for, the best first.
var pythons = [...]string{"3.12", "3.11", "3.10"}

// python is an interpreter that can make virtual environments.
type python struct{ path, version string }

// findPython looks on PATH and where pyenv keeps its versions.
func findPython(ctx context.Context) (python, error) {
	tried := "none found"
	for _, want := range pythons {
		for _, path := range candidates(want) {
			py, err := askPython(ctx, path)
			if err == nil && strings.HasPrefix(py.version, want+".") {
				return py, nil
			}
			// A stub of pyenv for a version that is not active fails: not worth a word.
			if errors.Is(err, errNoVenv) {
				tried = err.Error()
			}
		}
	}
	return python{}, fmt.Errorf("airflow needs a Python 3.10, 3.11 or 3.12 with venv (%s); on Debian and Ubuntu: apt-get install python3 python3-venv", tried)
}

func candidates(version string) []string {
	var list []string
	for _, name := range []string{"python" + version, "python3"} {
		for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
			list = append(list, filepath.Join(dir, name))
		}
	}
	pyenv := os.Getenv("PYENV_ROOT")
	if home, err := os.UserHomeDir(); pyenv == "" && err == nil {
		pyenv = filepath.Join(home, ".pyenv")
	}
	kept, _ := filepath.Glob(filepath.Join(pyenv, "versions", version+".*", "bin", "python3")) // only a bad pattern fails
	slices.Reverse(kept)
	return slices.DeleteFunc(append(list, kept...), func(path string) bool {
		st, err := os.Stat(path)
		return err != nil || st.IsDir()
	})
}

var errNoVenv = errors.New("has no venv")

// askPython has the interpreter say what it is. The real path is what counts: the
// name on PATH may be a stub that goes by the folder it is called in.
func askPython(ctx context.Context, path string) (python, error) {
	const say = `import sys, platform, importlib.util as u
print(sys.executable, platform.python_version(), all(map(u.find_spec, ("venv", "ensurepip"))), sep="\n")`
	cmd := exec.CommandContext(ctx, path, "-c", say)
	cmd.Env = environ(os.Environ())
	out, err := cmd.Output()
	if err != nil {
		return python{}, err
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 {
		return python{}, fmt.Errorf("%s says %q", path, out)
	}
	if lines[2] != "True" {
		return python{}, fmt.Errorf("%s %w", path, errNoVenv)
	}
	return python{path: lines[0], version: lines[1]}, nil
}
